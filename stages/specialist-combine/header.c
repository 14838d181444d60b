/* The header: the tensors of generalist and specialists, and the classes that specialists know. */
#include "stages/specialist-combine/combine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *kind_of(const struct combine *self)
{
    return self->logits ? "logits" : "soft";
}

/* ---- classes ------------------------------------------------------------------------------------------- */

/* Decides from the row's width where the dustbin is. known: classes of the set. */
static enum pst_status settle_form(const struct combine *self, struct specialist *new, const char *name,
                                   size_t known, struct pst_error *error)
{
    bool all = known == self->classes;
    if (new->width == known + (all ? 0 : 1))
        new->dustbin = DUSTBIN_OWN;
    else if (new->width != known &&new->width != self->classes)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' has %zu numbers, but of %zu classes it must be %zu with a dustbin, the last, "
                        "%zu without, or %zu for all classes",
                        name, new->width, known, known + 1, known, self->classes);
    else if (!self->logits)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' has no dustbin; the generalist's can stand for it if all are logits", name);
    else
        new->dustbin = DUSTBIN_GENERALIST;
    return PST_OK;
}

/* Copies the classes of a map that selects single classes. dustbin: whether its last class is a dustbin. A
 * row for all classes but one, with a dustbin, is as wide as a row for all classes; then the columns are
 * those of the map. */
static enum pst_status take_classes(const struct combine *self, struct specialist *new,
                                    const struct pst_class_map *map, bool dustbin, struct pst_error *error)
{
    size_t known = map->to - dustbin;
    bool of_all = new->width == self->classes && (new->dustbin != DUSTBIN_OWN || known == self->classes);
    new->classes = pst_allocate(known, sizeof *new->classes, error);
    new->columns = pst_allocate(known, sizeof *new->columns, error);
    new->inside = pst_allocate(self->classes, sizeof *new->inside, error);
    if (new->classes == NULL || new->columns == NULL || new->inside == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < self->classes; i++) {
        int32_t column = map->new_of[i];
        if (column < 0 || (size_t)column >= known)
            continue;
        new->inside[i] = true;
        new->classes[new->count] = (uint32_t)i;
        new->columns[new->count++] = of_all ? (uint32_t)i : (uint32_t)column;
    }
    return PST_OK;
}

/* The user's classes must be those of the lineage, if that has any for such a row. */
static enum pst_status check_map(const struct pst_class_map *map, const char *name, const json_t *maps,
                                 struct pst_error *error)
{
    char *note = pst_class_map_note(map, false);
    bool same = json_array_size(maps) == 0;
    if (note == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a map of classes");
    for (size_t i = 0; i < json_array_size(maps); i++)
        same = same || strcmp(note, json_string_value(json_array_get(maps, i))) == 0;
    enum pst_status status =
        same ? PST_OK
             : pst_fail(error, PST_BAD_DATA,
                        "--specialist %s: it would be the map %.100s, but the model learned %.100s", name,
                        note, json_string_value(json_array_get(maps, 0)));
    free(note);
    return status;
}

/* --specialist NAME=CLASSES. */
static enum pst_status bind_by_option(const struct combine *self, const struct pst_header *in,
                                      struct specialist *new, const char *given, const json_t *maps,
                                      struct pst_error *error)
{
    const char *name = in->tensors[new->at].name;
    struct pst_class_map set = { 0 }, whole = { 0 };
    enum pst_status status = pst_stream_classes(in, self->classes, given, "--specialist", NULL, &set, error);
    if (status == PST_OK && !set.plain)
        status = pst_fail(error, PST_USAGE,
                          "--specialist: '%.100s' merges classes, but a specialist tells "
                          "them apart",
                          given);
    if (status == PST_OK)
        status = settle_form(self, new, name, set.to, error);
    bool dustbin = status == PST_OK && set.to < self->classes && new->dustbin == DUSTBIN_OWN;
    if (dustbin)
        status = pst_stream_classes(in, self->classes, given, "--specialist", "\x01", &whole, error);
    if (status == PST_OK && (dustbin || new->width == set.to))
        status = check_map(dustbin ? &whole : &set, name, maps, error);
    if (status == PST_OK)
        status = take_classes(self, new, &set, false, error);
    pst_class_map_free(&set);
    pst_class_map_free(&whole);
    return status;
}

/* Reads "3;5;8;0-2,4 of 10": single classes, then all others as the dustbin. If a row of logits lacks that,
 * the generalist's logits take its place. Returns PST_END if the text is not of this form. The part before
 * the dustbin is read like a list on the command line. */
static enum pst_status bind_noted(const struct combine *self, struct specialist *new, const char *note,
                                  struct pst_error *error)
{
    const char *end = strrchr(note, ';');
    struct pst_class_map map = { 0 };
    size_t length = end == NULL ? 0 : (size_t)(end - note);
    if (length == 0 || strcspn(note, ",-:") < length)
        return PST_END;
    enum pst_status status = pst_class_map_parse(&map, &(struct pst_classes){ self->classes, NULL }, note,
                                                 length, "lineage", false, "other", NULL);
    if (status != PST_OK)
        return status == PST_TRY_AGAIN ? pst_fail(error, status, "out of memory") : PST_END;
    char *again = pst_class_map_note(&map, false);
    bool lacks =
        self->logits && map.to != new->width && (map.to == new->width + 1 || new->width == self->classes);
    bool same = again != NULL && strcmp(again, note) == 0 && (lacks || map.to == new->width);
    if (lacks)
        new->dustbin = DUSTBIN_GENERALIST;
    status = again == NULL ? pst_fail(error, PST_TRY_AGAIN, "out of memory") : same ? PST_OK : PST_END;
    free(again);
    if (status == PST_OK)
        status = take_classes(self, new, &map, true, error);
    pst_class_map_free(&map);
    return status;
}

/* Takes the classes from the lineage, which must have exactly one map. */
static enum pst_status bind_by_lineage(const struct combine *self, const struct pst_header *in,
                                       struct specialist *new, const json_t *maps, struct pst_error *error)
{
    const char *name = in->tensors[new->at].name;
    enum pst_status status = json_array_size(maps) == 1
                                 ? bind_noted(self, new, json_string_value(json_array_get(maps, 0)), error)
                                 : PST_END;
    if (status != PST_END)
        return status;
    return pst_fail(error, PST_BAD_DATA,
                    "which classes does '%s' know? Its lineage does not say; give --specialist %s=CLASSES",
                    name, strchr(name, '/') + 1);
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

static enum pst_status add_specialist(struct combine *self, const struct pst_header *in, size_t at,
                                      const char *given, struct pst_error *error)
{
    struct specialist *new = &self->specialists[self->count++];
    const struct pst_tensor_spec *spec = &in->tensors[at], *ours = &in->tensors[self->generalist];
    *new = (struct specialist){ .at = at };
    enum pst_status status = pst_spec_of_classes(spec, error);
    if (status == PST_OK)
        status = pst_target_asked(in, spec->name, &new->asked, error);
    if (status == PST_OK && spec->temperature != ours->temperature)
        status = pst_fail(error, PST_BAD_DATA, "'%s' is at temperature %g, but '%s' at %g: soften them alike",
                          spec->name, spec->temperature, ours->name, ours->temperature);
    if (status != PST_OK)
        return status;
    new->width = spec->shape[0];
    json_t *maps = pst_lineage_class_maps(in->lineage, spec->origin, true);
    status = given != NULL ? bind_by_option(self, in, new, given, maps, error)
                           : bind_by_lineage(self, in, new, maps, error);
    json_decref(maps);
    return status == PST_OK ? check_generalist(self, in, new, error) : status;
}

static enum pst_status add_chosen(struct combine *self, const struct pst_header *in,
                                  const struct chosen *chosen, struct pst_error *error)
{
    static const char *const none[] = { NULL };
    char name[PST_NAME_SIZE + 16];
    size_t at = PST_NONE;
    snprintf(name, sizeof name, "%s/%.*s", kind_of(self), (int)chosen->name, chosen->text);
    enum pst_status status = pst_target_find(in, name, "--specialist", none, &at, error);
    if (status == PST_OK && at == self->generalist)
        status = pst_fail(error, PST_USAGE, "--specialist: '%s' is the generalist", name);
    for (size_t i = 0; i < self->count && status == PST_OK; i++)
        if (self->specialists[i].at == at)
            status = pst_fail(error, PST_USAGE, "--specialist names '%s' twice", name);
    const char *given = chosen->text[chosen->name] == '=' ? chosen->text + chosen->name + 1 : NULL;
    return status == PST_OK ? add_specialist(self, in, at, given, error) : status;
}

static enum pst_status find_generalist(struct combine *self, const struct pst_header *in,
                                       struct pst_error *error)
{
    static const char *const none[] = { NULL };
    if (pst_compact_advice(in)[0] != 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no plain targets%s", pst_compact_advice(in));
    enum pst_status status =
        pst_target_find(in, self->generalist_name, "--generalist", none, &self->generalist, error);
    if (status != PST_OK)
        return status;
    const struct pst_tensor_spec *spec = &in->tensors[self->generalist];
    if (!pst_target_kind(spec->name, &self->logits))
        return pst_fail(error, PST_USAGE, "--generalist %s: only logits and soft targets are predictions",
                        spec->name);
    status = pst_target_whole(in, spec->name, error);
    if (status == PST_OK)
        status = pst_spec_of_classes(spec, error);
    self->classes = spec->shape[0];
    self->most = self->most < self->classes ? self->most : self->classes;
    return status;
}

enum pst_status find_tensors(struct combine *self, const struct pst_header *in, struct pst_error *error)
{
    enum pst_status status = find_generalist(self, in, error);
    if (status != PST_OK)
        return status;
    self->specialists = pst_allocate(in->tensor_count + 1, sizeof *self->specialists, error);
    size_t *found = pst_allocate(in->tensor_count + 1, sizeof *found, error);
    status = self->specialists == NULL || found == NULL ? PST_TRY_AGAIN : PST_OK;
    for (size_t i = 0; i < self->chosen_count && status == PST_OK; i++)
        status = add_chosen(self, in, &self->chosen[i], error);
    size_t count = found == NULL || self->chosen_count > 0
                       ? 0
                       : pst_header_find_all(in, kind_of(self), found, in->tensor_count);
    for (size_t i = 0; i < count && status == PST_OK; i++)
        if (found[i] != self->generalist)
            status = add_specialist(self, in, found[i], NULL, error);
    free(found);
    if (status == PST_OK && self->count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no specialists: no %s/NAME beside '%s'",
                        kind_of(self), in->tensors[self->generalist].name);
    return status;
}
