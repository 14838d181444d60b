/* Making a stream smaller: what its header becomes. */
#include "lib/compact/compactor.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

void pst_compactor_free(struct pst_compactor *compactor)
{
    if (compactor == NULL)
        return;
    pst_description_free(&compactor->description);
    pst_header_free(&compactor->original);
    pst_header_free(&compactor->compact);
    free(compactor);
}

const char *pst_compactor_target(const struct pst_compactor *compactor)
{
    return compactor->description.targets[0].dense.name;
}

size_t pst_compactor_parts(const struct pst_compactor *compactor, const size_t **places, size_t *from)
{
    const struct pst_target *target = &compactor->description.targets[0];
    *places = target->part_at;
    *from = target->at;
    return target->part_count;
}

/* ---- which targets ---- */

static enum pst_status find_target(const struct pst_header *header, const char *name, size_t *index,
                                   struct pst_error *error)
{
    static const char *const kinds[] = { "soft", "logits", NULL };
    enum pst_status status = pst_target_find(header, name, "--of", kinds, index, error);
    if (status == PST_OK && *index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream has neither soft targets nor logits; is temperature-softmax before this "
                        "stage?");
    return status;
}

/* Checks that the form fits the target, and settles how many classes it keeps. */
static enum pst_status settle_form(struct pst_target *target, const struct pst_compact_options *options,
                                   struct pst_error *error)
{
    const char *form = pst_compact_form_name(target->form), *name = target->dense.name;
    if (target->form != PST_COMPACT_TOP_K && target->form != PST_COMPACT_SAMPLED)
        return PST_OK;
    if (target->logits)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' holds logits, and %s is a form of soft targets; is temperature-softmax before "
                        "this stage?",
                        name, form);
    if (target->classes > PST_COMPACT_MOST_CLASSES)
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, but %s can name %d only", name,
                        target->classes, form, PST_COMPACT_MOST_CLASSES);
    target->kept = target->form == PST_COMPACT_TOP_K ? options->top : options->draws;
    if (target->form == PST_COMPACT_TOP_K && target->kept >= target->classes)
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, so the top %zu would be all of them",
                        name, target->classes, target->kept);
    return target->kept > 0 ? PST_OK : pst_fail(error, PST_USAGE, "%s wants a number of classes", form);
}

static enum pst_status choose_target(struct pst_compactor *compactor,
                                     const struct pst_compact_options *options, struct pst_error *error)
{
    struct pst_target *target = pst_allocate(1, sizeof *target, error);
    if (target == NULL)
        return PST_TRY_AGAIN;
    compactor->description.targets = target;
    compactor->description.target_count = 1;
    enum pst_status status = find_target(&compactor->original, options->target, &target->at, error);
    if (status != PST_OK)
        return status;
    target->dense = compactor->original.tensors[target->at];
    target->form = options->form;
    target->seed = options->seed;
    if (!pst_target_kind(target->dense.name, &target->logits))
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' holds neither soft targets nor logits, by its name: soft, soft/NAME, logits or "
                        "logits/NAME",
                        target->dense.name);
    if (pst_spec_of_classes(&target->dense, error) != PST_OK)
        return PST_BAD_DATA;
    target->classes = target->dense.shape[0];
    status = settle_form(target, options, error);
    return status == PST_OK ? pst_target_parts(target, error) : status;
}

/* ---- which inputs ---- */

static enum pst_status settle_inputs(struct pst_compactor *compactor, struct pst_error *error)
{
    const struct pst_header *header = &compactor->original;
    bool digest = compactor->description.digest;
    compactor->x = pst_header_find(header, "x");
    compactor->y = pst_header_find(header, "y");
    compactor->id = pst_header_find(header, "id");
    if (pst_labels_are_mixed(header))
        compactor->y = PST_NONE; /* a digest covers labels, not shares of classes */
    if (digest && (compactor->x == PST_NONE || compactor->id == PST_NONE))
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor '%s', which --inputs digest wants",
                        compactor->x == PST_NONE ? "x" : "id");
    if (digest && compactor->y != PST_NONE) {
        enum pst_status status =
            pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &compactor->y, error);
        if (status != PST_OK)
            return status;
    }
    if (compactor->description.targets[0].form == PST_COMPACT_SAMPLED && compactor->id == PST_NONE)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream has no tensor 'id', on which a sample's draws depend");
    return PST_OK;
}

/* ---- the header ---- */

enum tensor_action { STAYS, HALVED, REPLACED, LEFT_OUT, LOST };

static enum tensor_action action_of(const struct pst_compactor *compactor, size_t index)
{
    const struct pst_target *target = &compactor->description.targets[0];
    const struct pst_tensor_spec *spec = &compactor->original.tensors[index];
    bool logits;
    if (index == target->at)
        return REPLACED;
    if (pst_target_kind(spec->name, &logits))
        return LOST;
    if (compactor->half && pst_target_is_hint(spec->name) && spec->dtype == PST_DTYPE_F32)
        return HALVED;
    return compactor->description.digest && index == compactor->x ? LEFT_OUT : STAYS;
}

/* Declares a tensor that stays, as it is or with numbers of half the size. */
static enum pst_status declare_stays(struct pst_compactor *compactor, size_t index, bool halved,
                                     struct pst_error *error)
{
    struct pst_tensor_spec spec = compactor->original.tensors[index];
    if (!halved)
        return pst_header_pass_tensor(&compactor->compact, &spec, index, NULL, error);
    spec.dtype = PST_DTYPE_F16;
    spec.origin[0] = '\0';
    return pst_header_add_tensor(&compactor->compact, &spec, NULL, error);
}

/* Declares what stays, and lists what does not. lost: receives names. */
static enum pst_status sort_tensors(struct pst_compactor *compactor, json_t *lost, struct pst_error *error)
{
    struct pst_description *description = &compactor->description;
    const struct pst_header *original = &compactor->original;
    size_t place = 0;
    for (size_t i = 0; i < original->tensor_count; i++) {
        const struct pst_tensor_spec *spec = &original->tensors[i];
        enum tensor_action action = action_of(compactor, i);
        if (action == LOST) {
            if (json_array_append_new(lost, json_string(spec->name)) != 0)
                return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
            continue;
        }
        if (action == STAYS || action == HALVED) {
            enum pst_status status = declare_stays(compactor, i, action == HALVED, error);
            if (status != PST_OK)
                return status;
        } else {
            description->absent[description->absent_count++] =
                (struct pst_absent){ .spec = *spec, .place = place };
        }
        place++;
    }
    return PST_OK;
}

static enum pst_status declare_parts(struct pst_compactor *compactor, struct pst_error *error)
{
    struct pst_target *target = &compactor->description.targets[0];
    struct pst_header *compact = &compactor->compact;
    for (size_t i = 0; i < target->part_count; i++) {
        enum pst_status status =
            pst_header_add_tensor(compact, &target->parts[i], &target->part_at[i], error);
        if (status != PST_OK)
            return status;
        target->parts[i] = compact->tensors[target->part_at[i]];
    }
    compactor->digest = PST_NONE;
    if (!compactor->description.digest)
        return PST_OK;
    struct pst_tensor_spec digest = {
        .name = PST_COMPACT_DIGEST, .dtype = PST_DTYPE_U8, .rank = 1, .shape = { PST_COMPACT_DIGEST_SIZE }
    };
    return pst_header_add_tensor(compact, &digest, &compactor->digest, error);
}

/* Writes the key `compact`. */
static enum pst_status describe(struct pst_compactor *compactor, const json_t *lost, struct pst_error *error)
{
    struct pst_header *compact = &compactor->compact;
    if (compact->other == NULL)
        compact->other = json_object();
    json_t *key = pst_description_to_json(&compactor->description, lost);
    if (json_object_set_new(compact->other, PST_COMPACT_KEY, key) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    return PST_OK;
}

static enum pst_status make_header(struct pst_compactor *compactor, struct pst_error *error)
{
    size_t count = compactor->original.tensor_count;
    compactor->description.absent = pst_allocate(count, sizeof *compactor->description.absent, error);
    json_t *lost = json_array();
    enum pst_status status = pst_header_copy(&compactor->compact, &compactor->original, error);
    compactor->compact.tensor_count = 0;
    if (compactor->description.absent == NULL || lost == NULL) {
        json_decref(lost);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a compactor");
    }
    if (status == PST_OK)
        status = sort_tensors(compactor, lost, error);
    if (status == PST_OK)
        status = declare_parts(compactor, error);
    if (status == PST_OK)
        status = describe(compactor, lost, error);
    json_decref(lost);
    return status;
}

enum pst_status pst_compactor_new(struct pst_compactor **made, const struct pst_header *original,
                                  const struct pst_compact_options *options, struct pst_header *compact,
                                  struct pst_error *error)
{
    *made = NULL;
    *compact = (struct pst_header){ 0 };
    if (pst_compact_is(original))
        return pst_fail(error, PST_BAD_DATA, "the stream is compact already");
    struct pst_compactor *compactor = pst_allocate(1, sizeof *compactor, error);
    if (compactor == NULL)
        return PST_TRY_AGAIN;
    compactor->description.digest = options->digest;
    compactor->half = options->half;
    enum pst_status status = pst_header_copy(&compactor->original, original, error);
    if (status == PST_OK)
        status = choose_target(compactor, options, error);
    if (status == PST_OK)
        status = settle_inputs(compactor, error);
    if (status == PST_OK)
        status = make_header(compactor, error);
    if (status == PST_OK)
        status = pst_header_copy(compact, &compactor->compact, error);
    if (status != PST_OK) {
        pst_compactor_free(compactor);
        return status;
    }
    *made = compactor;
    return PST_OK;
}
