/* Terms of a loss as words of a command line. */
#include "pipestill/losses.h"

#include <stdio.h>
#include <string.h>

const struct pst_loss_type *pst_loss_find(const char *name)
{
    const struct pst_loss_type *const *type = pst_loss_types;
    while (*type != NULL && strcmp((*type)->name, name) != 0)
        type++;
    return *type;
}

struct pst_loss_term *pst_loss_add(struct pst_loss *loss, const char *type)
{
    const struct pst_loss_type *found = pst_loss_find(type);
    if (found == NULL || loss->count == PST_MAX_TERMS)
        return NULL;
    struct pst_loss_term *term = &loss->terms[loss->count++];
    *term = (struct pst_loss_term){ .type = found, .weight = 1 };
    for (size_t i = 0; i < PST_MAX_LOSS_KEYS; i++)
        term->values[i] = found->keys[i].standard;
    return term;
}

/* Cuts a text at the first such character. Returns the text behind it; NULL if there is none. */
static char *cut(char *text, char at)
{
    char *found = text == NULL ? NULL : strchr(text, at);
    if (found == NULL)
        return NULL;
    *found = '\0';
    return found + 1;
}

static enum pst_status no_type(const char *name, struct pst_error *error)
{
    char list[200] = "";
    size_t used = 0;
    for (size_t i = 0; pst_loss_types[i] != NULL && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "",
                                 pst_loss_types[i]->name);
    return pst_fail(error, PST_USAGE, "there is no loss '%s'; there are %s", name, list);
}

/* The place of a key's number; NULL if the type has no such key. bounds: receives the least and the most. */
static double *find_key(struct pst_loss_term *term, const char *name, struct pst_loss_key *bounds)
{
    if (term->type->has_temperature && strcmp(name, "T") == 0) {
        *bounds = (struct pst_loss_key){ .name = "T", .least = 1e-300, .most = 1e300 };
        return &term->temperature;
    }
    for (size_t i = 0; i < PST_MAX_LOSS_KEYS && term->type->keys[i].name != NULL; i++) {
        *bounds = term->type->keys[i];
        if (strcmp(name, bounds->name) == 0)
            return &term->values[i];
    }
    return NULL;
}

/* The number of a layer is a text, because 3.2 is not 3.20. Whether the layer exists is checked later. */
static enum pst_status take_layer(struct pst_loss_term *term, const char *text, struct pst_error *error)
{
    if (term->layer[0] != '\0')
        return pst_fail(error, PST_USAGE, "'layer=' is there twice");
    if (text == NULL || text[0] == '\0' || strlen(text) >= sizeof term->layer)
        return pst_fail(error, PST_USAGE, "layer=%.80s is not the number of a layer, such as 3 or 3.2",
                        text == NULL ? "" : text);
    strcpy(term->layer, text);
    return PST_OK;
}

static enum pst_status take_key(struct pst_loss_term *term, const char *name, const char *text,
                                bool taken[static PST_MAX_LOSS_KEYS + 1], struct pst_error *error)
{
    struct pst_loss_key bounds;
    if (term->type->target == PST_TARGET_HINT && strcmp(name, "layer") == 0)
        return take_layer(term, text, error);
    double *value = find_key(term, name, &bounds);
    if (value == NULL)
        return pst_fail(error, PST_USAGE, "the loss %s has no '%s='", term->type->name, name);
    bool *known = &taken[value == &term->temperature ? PST_MAX_LOSS_KEYS : (size_t)(value - term->values)];
    if (*known)
        return pst_fail(error, PST_USAGE, "'%s=' is there twice", name);
    *known = true;
    if (text != NULL && pst_parse_double(text, bounds.least, bounds.most, value))
        return PST_OK;
    return pst_fail(error, PST_USAGE, "%s=%s is not a number from %g to %g", name, text == NULL ? "" : text,
                    bounds.least, bounds.most);
}

static enum pst_status take_place(struct pst_loss_term *term, const char *tensor, const char *weight,
                                  struct pst_error *error)
{
    if (tensor != NULL && strlen(tensor) >= sizeof term->tensor)
        return pst_fail(error, PST_USAGE, "a tensor's name has at most %zu bytes", sizeof term->tensor - 1);
    strcpy(term->tensor, tensor == NULL ? "" : tensor);
    if (weight != NULL && !pst_parse_double(weight, 0, 1e300, &term->weight))
        return pst_fail(error, PST_USAGE, "'%s' is not a weight, a number from 0", weight);
    return PST_OK;
}

enum pst_status pst_loss_parse(struct pst_loss *loss, const char *text, struct pst_error *error)
{
    char copy[512];
    if (strlen(text) >= sizeof copy)
        return pst_fail(error, PST_USAGE, "a term has at most %zu bytes", sizeof copy - 1);
    strcpy(copy, text);
    char *key = cut(copy, ','), *tensor = cut(copy, ':'), *weight = cut(tensor, ':');
    if (pst_loss_find(copy) == NULL)
        return no_type(copy, error);
    struct pst_loss_term *term = pst_loss_add(loss, copy);
    if (term == NULL)
        return pst_fail(error, PST_USAGE, "a loss has at most %d terms", PST_MAX_TERMS);
    enum pst_status status = take_place(term, tensor, weight, error);
    bool taken[PST_MAX_LOSS_KEYS + 1] = { false };
    while (key != NULL && status == PST_OK) {
        char *next = cut(key, ','), *number = cut(key, '=');
        status = take_key(term, key, number, taken, error);
        key = next;
    }
    return status;
}
