/* stream-join: a filter that adds recorded targets to the input's samples. The recording may have them in
 * any order; targets are added only to the inputs from which they were computed. */
#include "stages/stream-join/join.h"

#include "pipestill/compact.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static enum pst_status take_name(void *self, const char *value, struct pst_error *error)
{
    struct join *join = self;
    for (size_t i = 0; i < join->asked_count; i++) {
        if (strcmp(join->asked[i], value) == 0)
            return pst_fail(error, PST_USAGE, "it is taken already");
    }
    const char **grown = realloc(join->asked, (join->asked_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    join->asked = grown;
    join->asked[join->asked_count++] = value;
    return PST_OK;
}

static const struct pst_option options[] = {
    { 't', "take", PST_LIST, 0,
      "tensor to take; without it all soft, soft/NAME, logits, logits/NAME and hint/NAME that the input "
      "lacks",
      .take = take_name, .metavar = "NAME" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    struct join *join = run->self;
    if (strcmp(operands[0], "-") == 0)
        return pst_fail(error, PST_USAGE,
                        "standard input is for the samples; name the file with the targets");
    return recording_open(run, &join->recording, operands[0], error);
}

/* ---- whether the two belong together ---- */

/* The stream's inputs must have the origin of those from which the targets were computed. */
static enum pst_status check_origin(const struct pst_run *run, const struct pst_header *header,
                                    struct pst_error *error)
{
    const struct join *join = run->self;
    const struct recording *recording = &join->recording;
    size_t x = pst_header_find(&recording->header, "x");
    const char *ours = header->tensors[join->x].origin;
    const char *theirs = x == PST_NONE ? "" : recording->header.tensors[x].origin;
    if (ours[0] == '\0' || theirs[0] == '\0' || strcmp(ours, theirs) == 0)
        return PST_OK;
    char words[256];
    pst_lineage_difference(header->lineage, ours, recording->header.lineage, theirs, words, sizeof words);
    return pst_fail(error, PST_BAD_DATA, "%s was recorded from other inputs than those of %s: %s",
                    recording->path, pst_input_name(run), words);
}

static bool same_input(const struct pst_tensor_spec *a, const struct pst_tensor_spec *b)
{
    double scale_a = a->scale == 0 ? 1 : a->scale, scale_b = b->scale == 0 ? 1 : b->scale;
    return a->dtype == b->dtype && a->rank == b->rank &&
           memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0 && scale_a == scale_b &&
           a->offset == b->offset;
}

static enum pst_status fail_input(const struct pst_run *run, const struct pst_tensor_spec *there,
                                  const struct pst_tensor_spec *here, struct pst_error *error)
{
    char a[128], b[128];
    return pst_fail(error, PST_BAD_DATA, "'x' is %s · %g + %g in %s, but %s · %g + %g in %s",
                    pst_spec_text(there, a, sizeof a), there->scale == 0 ? 1 : there->scale, there->offset,
                    ((const struct join *)run->self)->recording.path, pst_spec_text(here, b, sizeof b),
                    here->scale == 0 ? 1 : here->scale, here->offset, pst_input_name(run));
}

/* Finds what identifies the samples of the input, and decides what their digests are over. */
static enum pst_status check_input(const struct pst_run *run, const struct pst_header *header,
                                   struct pst_error *error)
{
    struct join *join = run->self;
    struct recording *recording = &join->recording;
    join->x = pst_header_find(header, "x");
    join->y = pst_labels_are_mixed(header) ? PST_NONE : pst_header_find(header, "y");
    if (join->x == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "%s has no inputs 'x'%s", pst_input_name(run),
                        pst_compact_advice(header));
    enum pst_status status = pst_header_require(header, "id", PST_DTYPE_U64, 0, NULL, &join->id, error);
    if (status == PST_OK && join->y != PST_NONE)
        status = pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &join->y, error);
    if (status != PST_OK)
        return pst_fail_at(error, "%s", pst_input_name(run));
    if (recording->x != PST_NONE &&
        !same_input(&header->tensors[join->x], &recording->header.tensors[recording->x]))
        return fail_input(run, &recording->header.tensors[recording->x], &header->tensors[join->x], error);
    if (recording->x == PST_NONE && recording->y != PST_NONE && join->y == PST_NONE)
        return pst_fail(error, PST_BAD_DATA,
                        "the digests of %s are over labels, too, but %s has no labels 'y'", recording->path,
                        pst_input_name(run));
    recording->covers_labels = recording->y != PST_NONE && join->y != PST_NONE;
    if (header->classes != 0 && recording->header.classes != 0 &&
        header->classes != recording->header.classes)
        return pst_fail(error, PST_BAD_DATA, "%s has %" PRIu64 " classes, but %s has %" PRIu64,
                        recording->path, recording->header.classes, pst_input_name(run), header->classes);
    return check_origin(run, header, error);
}

/* ---- the tensors that are taken ---- */

/* Declares a tensor of the recording after those of the input. */
static enum pst_status declare_tensor(struct pst_run *run, struct pst_header *header, size_t from,
                                      struct pst_error *error)
{
    struct recording *recording = &((struct join *)run->self)->recording;
    const struct pst_tensor_spec *spec = &recording->header.tensors[from];
    bool logits;
    if (pst_target_kind(spec->name, &logits) && spec->rank == 1 && header->classes != 0 &&
        spec->shape[0] != header->classes)
        return pst_fail(error, PST_BAD_DATA, "'%s' of %s has %zu classes, but %s has %" PRIu64, spec->name,
                        recording->path, spec->shape[0], pst_input_name(run), header->classes);
    struct taken *taken = &recording->taken[recording->taken_count];
    *taken = (struct taken){ .from = from, .bytes = spec->sample_bytes };
    enum pst_status status = pst_header_add_tensor(header, spec, &taken->to, error);
    if (status != PST_OK)
        return pst_fail_at(error, "%s", recording->path);
    recording->taken_count++;
    pst_header_set_origin(header, taken->to, spec->origin);
    return spec->origin[0] != '\0' ? PST_OK : pst_made_from_unknown(run, taken->to, error);
}

static enum pst_status take_asked(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    const struct join *join = run->self;
    const struct recording *recording = &join->recording;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < join->asked_count && status == PST_OK; i++) {
        size_t from = pst_header_find(&recording->header, join->asked[i]);
        if (from == PST_NONE)
            return pst_fail(error, PST_BAD_DATA, "%s has no tensor '%s'", recording->path, join->asked[i]);
        status = declare_tensor(run, header, from, error);
    }
    return status;
}

static enum pst_status take_all(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    const struct recording *recording = &((struct join *)run->self)->recording;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < recording->header.tensor_count && status == PST_OK; i++) {
        const char *name = recording->header.tensors[i].name;
        bool logits;
        if ((pst_target_kind(name, &logits) || pst_target_is_hint(name)) &&
            pst_header_find(header, name) == PST_NONE)
            status = declare_tensor(run, header, i, error);
    }
    if (status == PST_OK && recording->taken_count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s has no targets that %s lacks", recording->path,
                        pst_input_name(run));
    return status;
}

/* Notes which tensors were taken, and how they were made. */
static enum pst_status note(struct pst_run *run, struct pst_error *error)
{
    const struct recording *recording = &((struct join *)run->self)->recording;
    json_t *names = json_array();
    for (size_t i = 0; i < recording->taken_count; i++)
        json_array_append_new(names, json_string(recording->header.tensors[recording->taken[i].from].name));
    enum pst_status status = pst_history_note(run, "take", names, error);
    return status == PST_OK
               ? pst_history_note(run, "recording", json_incref(recording->header.history), error)
               : status;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    struct join *join = run->self;
    struct recording *recording = &join->recording;
    enum pst_status status = check_input(run, in, error);
    if (status != PST_OK)
        return status;
    recording->taken = pst_allocate(recording->header.tensor_count, sizeof *recording->taken, error);
    if (recording->taken == NULL)
        return PST_TRY_AGAIN;
    status = join->asked_count > 0 ? take_asked(run, out, error) : take_all(run, out, error);
    if (status == PST_OK)
        status = pst_lineage_merge(out, recording->header.lineage, error);
    if (status == PST_OK)
        status = note(run, error);
    return status == PST_OK ? recording_read(recording, error) : status;
}

/* ---- batch by batch ---- */

/* The number in the recording of a sample of the input, or PST_NONE with an error. */
static size_t find_sample(const struct pst_run *run, const struct pst_batch *in, size_t row,
                          struct pst_error *error)
{
    const struct join *join = run->self;
    const struct recording *recording = &join->recording;
    uint64_t id = ((const uint64_t *)in->tensors[join->id].data)[row];
    const int32_t *labels = recording->covers_labels ? in->tensors[join->y].data : NULL;
    size_t bytes = in->tensors[join->x].bytes / in->n;
    const uint8_t *input = (const uint8_t *)in->tensors[join->x].data + row * bytes;
    size_t number = recording_find(recording, in->epoch, id);
    if (number == PST_NONE) {
        (void)pst_fail(error, PST_BAD_DATA,
                       "sample %" PRIu64 " of %s (row %zu, epoch %" PRIu64 ") is not in %s%s", id,
                       pst_input_name(run), row, in->epoch, recording->path,
                       recording->several_epochs ? " in that epoch" : "");
        return PST_NONE;
    }
    uint32_t digest = pst_compact_checksum(input, bytes, labels == NULL ? NULL : labels + row, id);
    if (recording_agrees(recording, number, digest))
        return number;
    (void)pst_fail(error, PST_BAD_DATA,
                   "sample %" PRIu64 " of %s (row %zu, epoch %" PRIu64
                   ") has another input%s than in %s: changed data, or augmented otherwise",
                   id, pst_input_name(run), row, in->epoch, recording->covers_labels ? " or label" : "",
                   recording->path);
    return PST_NONE;
}

static enum pst_status add_targets(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                                   struct pst_error *error)
{
    const struct recording *recording = &((const struct join *)run->self)->recording;
    for (size_t row = 0; row < in->n; row++) {
        size_t number = find_sample(run, in, row, error);
        if (number == PST_NONE)
            return PST_BAD_DATA;
        for (size_t i = 0; i < recording->taken_count; i++) {
            const struct taken *taken = &recording->taken[i];
            memcpy((char *)out->tensors[taken->to].data + row * taken->bytes,
                   (const char *)taken->rows.data + number * taken->bytes, taken->bytes);
        }
    }
    return PST_OK;
}

static void stop(struct pst_run *run)
{
    struct join *join = run->self;
    free(join->asked);
    recording_free(&join->recording);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "stream-join",
                        .purpose = "add recorded targets to the samples that come",
                        .operands = "TARGETS",
                        .least_operands = 1,
                        .most_operands = 1,
                        .operand_files = PST_FILE_READ | PST_FILE_ENDPOINT,
                        .description =
                            "Finds each sample in the recording TARGETS by its id, and by its epoch if the\n"
                            "recording has several, and adds its targets. A sample whose input is not the\n"
                            "recorded one, or that is not in the recording, is an error.",
                        .example = "loader mnist --epochs 9 | stream-join targets.pst | student-trainer -a "
                                   "784-800-10 -o s.safetensors",
                        .see_also = "loader(1), replay(1), compactor(1), student-trainer(1)",
                        .options = options,
                        .size = sizeof(struct join),
                        .traits = PST_READS | PST_WRITES | PST_PARALLEL,
                        .start = start,
                        .on_header = declare,
                        .on_batch = add_targets,
                        .stop = stop,
                    });
}
