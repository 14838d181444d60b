/* class-map: a filter that selects, merges, reorders and renames classes of logits, soft targets and labels.
 */
#include "stages/class-map/class-map.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ------------------------------------------------------------------------------------------- */

static enum pst_status take_of(void *place, const char *value, struct pst_error *error)
{
    struct class_map *self = place;
    const char **grown = realloc((void *)self->only, (self->only_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    self->only = grown;
    self->only[self->only_count++] = value;
    return PST_OK;
}

/* The origins hold the map that the options make together, so they do not hold the options: .of_samples. */
static const struct pst_option options[] = {
    { 'm', "map", PST_STRING, offsetof(struct class_map, file),
      "file with a line for each new class: NEW = OLD, OLD", "FILE", .of_samples = true,
      .files = PST_FILE_READ, .excludes = "classes|like" },
    { 'c', "classes", PST_STRING, offsetof(struct class_map, list),
      "select these classes, in this order: numbers, ranges, names; or @FILE:SET, a line of a file of sets",
      "LIST", .of_samples = true, .excludes = "like" },
    { 'l', "like", PST_STRING, offsetof(struct class_map, like),
      "select the classes of this model, in its order", "MODEL", .of_samples = true, .files = PST_FILE_READ },
    { 'd', "dustbin", PST_STRING, offsetof(struct class_map, dustbin),
      "merge all classes that are not named into a last class of this name", "NAME", .of_samples = true },
    { 0, "inverse", PST_FLAG, offsetof(struct class_map, inverse),
      "apply the map backwards, from new classes to old ones", .needs = "old-classes" },
    { 0, "old-classes", PST_STRING, offsetof(struct class_map, old),
      "the old classes: how many, or a model that has their names", "N|MODEL", .of_samples = true },
    { 0, "drop-samples", PST_FLAG, offsetof(struct class_map, drop_samples),
      "leave out samples that lose their label or all their probability", .of_samples = true },
    { 0, "of", PST_LIST, 0, "map this tensor only, to the classes that the stream has", .take = take_of,
      .metavar = "TENSOR" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    struct class_map *self = run->self;
    enum pst_status status = PST_OK;
    if (self->file == NULL && self->list == NULL && self->like == NULL && self->only_count == 0)
        return pst_fail(error, PST_USAGE, "which classes? give --map, --classes or --like");
    if (self->old != NULL)
        status = read_classes(&self->old_names, self->old, "--old-classes", error);
    if (status == PST_OK && self->like != NULL)
        status = read_classes(&self->new_names, self->like, "--like", error);
    if (status == PST_OK && self->like != NULL && self->new_names.classes.names == NULL)
        status = pst_fail(error, PST_USAGE, "--like %s is not a model", self->like);
    if (self->only_count == 0 || status != PST_OK)
        return status;
    json_t *only = json_array();
    for (size_t i = 0; i < self->only_count; i++)
        json_array_append_new(only, json_string(self->only[i]));
    return pst_history_note(run, "of", only, error);
}

/* ---- what was left out --------------------------------------------------------------------------------- */

static void say_lost(struct pst_run *run, const char *name, const struct lost *lost)
{
    double mean = lost->rows == 0 ? 0 : (double)lost->sum / (double)lost->rows * 0x1p-32;
    pst_log(run, "dropped",
            json_pack("{s:s, s:I, s:f, s:f}", "tensor", name, "rows", (json_int_t)lost->rows, "mean", mean,
                      "largest", lost->largest));
    pst_say(run,
            "%s: classes that are left out had %.3g %% of the probability, and at most %.3g %% in a sample",
            name, 100 * mean, 100 * lost->largest);
}

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    (void)error;
    const struct class_map *self = run->self;
    for (size_t i = 0; i < self->tensor_count && !self->inverse && self->map.dropped > 0; i++)
        say_lost(run, pst_output_header(run)->tensors[self->tensors[i].at].name, &self->lost[i]);
    if (self->drop_samples) {
        pst_log(run, "left_out", json_pack("{s:I}", "samples", (json_int_t)*self->left_out));
        pst_say(run, "%llu samples were left out", (unsigned long long)*self->left_out);
    }
    return PST_OK;
}

static void stop(struct pst_run *run)
{
    struct class_map *self = run->self;
    free((void *)self->only);
    free_names(&self->old_names);
    free_names(&self->new_names);
    pst_class_map_free(&self->map);
    free(self->tensors);
    free(self->lost);
    free(self->left_out);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "class-map",
                        .purpose = "select, merge, reorder or rename classes",
                        .description =
                            "Maps logits/NAME, soft/NAME, logits, soft and y to other classes. In "
                            "a file or list give old\n"
                            "classes by number (7), range (0-4) or name; NEW = * takes all that no "
                            "line names. With\n"
                            "neither * nor --dustbin, classes that are not named are left out.",
                        .example = "replay imagenet.pst | class-map --map pets.map --dustbin other >pets.pst",
                        .see_also = "teacher-forward(1), stream-select(1), student-trainer(1)",
                        .options = options,
                        .size = sizeof(struct class_map),
                        .traits = PST_READS | PST_WRITES | PST_PARALLEL,
                        .start = start,
                        .on_header = declare,
                        .on_batch = map_batch,
                        .on_end = report,
                        .leave = leave,
                        .stop = stop,
                    });
}
