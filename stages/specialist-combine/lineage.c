/* What the lineage says of specialists: which classes they learned, and from which models. */
#include "stages/specialist-combine/combine.h"

#include <jansson.h>
#include <string.h>

static const char *text_of(const json_t *entry, const char *key)
{
    const char *text = json_string_value(json_object_get(entry, key));
    return text != NULL ? text : "";
}

/* ---- models -------------------------------------------------------------------------------------------- */

/* Collects models that lead to an origin. learned: also those from which other models learned. */
static void add_models(const json_t *lineage, const char *origin, bool learned, json_t *seen, json_t *models)
{
    const json_t *entry = json_object_get(lineage, origin);
    if (entry == NULL || json_object_get(seen, origin) != NULL)
        return;
    json_object_set_new(seen, origin, json_true());
    if (json_object_get(entry, "model") != NULL)
        pst_lineage_add(models, text_of(entry, "model"));
    json_t *next = json_array();
    pst_lineage_add_origins(next, entry, "from");
    if (learned)
        pst_lineage_add_origins(next, entry, "learned_from");
    for (size_t i = 0; i < json_array_size(next); i++)
        add_models(lineage, json_string_value(json_array_get(next, i)), learned, seen, models);
    json_decref(next);
}

/* The models that computed a tensor. */
static json_t *asked_for(const struct pst_header *in, size_t at)
{
    json_t *models = json_array(), *seen = json_object();
    add_models(in->lineage, in->tensors[at].origin, false, seen, models);
    json_decref(seen);
    return models;
}

/* The models that decided which samples a specialist answers. asked: place of asked/NAME, or PST_NONE. */
static json_t *deciders(const struct pst_header *in, size_t asked)
{
    json_t *models = json_array(), *seen = json_object();
    const json_t *entry = asked != PST_NONE ? json_object_get(in->lineage, in->tensors[asked].origin) : NULL;
    const json_t *from = json_object_get(entry, "from");
    for (size_t i = 0; i < json_array_size(from); i++)
        add_models(in->lineage, json_string_value(json_array_get(from, i)), false, seen, models);
    json_decref(seen);
    return models;
}

/* Collects the models that taught the models behind an origin. walked: origins that were visited, because
 * there may be many ways to each. seen: as for add_models. */
static void add_teachers(const json_t *lineage, const char *origin, json_t *walked, json_t *seen,
                         json_t *models)
{
    const json_t *entry = json_object_get(lineage, origin), *from = json_object_get(entry, "from"),
                 *learned = json_object_get(entry, "learned_from");
    if (entry == NULL || json_object_get(walked, origin) != NULL)
        return;
    json_object_set_new(walked, origin, json_true());
    for (size_t i = 0; i < json_array_size(learned); i++)
        add_models(lineage, json_string_value(json_array_get(learned, i)), true, seen, models);
    for (size_t i = 0; i < json_array_size(from); i++)
        add_teachers(lineage, json_string_value(json_array_get(from, i)), walked, seen, models);
}

static bool share(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < json_array_size(a); i++)
        for (size_t j = 0; j < json_array_size(b); j++)
            if (json_equal(json_array_get(a, i), json_array_get(b, j)))
                return true;
    return json_array_size(a) == 0 || json_array_size(b) == 0;
}

static enum pst_status refuse(const struct combine *self, const struct pst_header *in, const char *what,
                              const char *verb, const json_t *theirs, const json_t *ours,
                              struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA,
                    "'%s' %s the model %.12s, but the generalist '%s' is %.12s; --other-generalist takes it "
                    "all the same",
                    what, verb, json_string_value(json_array_get(theirs, 0)),
                    in->tensors[self->generalist].name, json_string_value(json_array_get(ours, 0)));
}

enum pst_status check_generalist(const struct combine *self, const struct pst_header *in,
                                 const struct specialist *specialist, struct pst_error *error)
{
    if (self->other_generalist)
        return PST_OK;
    const struct pst_tensor_spec *spec = &in->tensors[specialist->at];
    json_t *ours = asked_for(in, self->generalist), *teachers = json_array(), *seen = json_object();
    json_t *by = deciders(in, specialist->asked), *walked = json_object();
    add_teachers(in->lineage, spec->origin, walked, seen, teachers);
    enum pst_status status = PST_OK;
    if (!share(teachers, ours))
        status = refuse(self, in, spec->name, "learned from", teachers, ours, error);
    else if (!share(by, ours))
        status = refuse(self, in, in->tensors[specialist->asked].name, "was decided by", by, ours, error);
    json_decref(ours);
    json_decref(teachers);
    json_decref(walked);
    json_decref(seen);
    json_decref(by);
    return status;
}
