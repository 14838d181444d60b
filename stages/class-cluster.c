/* class-cluster: a sink that finds sets of classes that are often predicted together, for specialists. */
#include "pipestill.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cluster {
    const char *of, *path; /* options; NULL if not given */
    double temperature;
    size_t most; /* classes in a set; 0: any number */
    bool fill;
    struct pst_k_means how;
    size_t target, classes;
    bool logits;
    struct pst_covariance covariance;
    size_t flat;                /* classes whose prediction never changes */
    struct pst_buffer softened; /* of a batch: f32 [n, classes] */
    json_t *about;              /* with names of classes, if there are any; owned */
    bool *sets;                 /* [how.clusters, classes]; owned */
    bool settled;               /* the last round of K-means changed nothing */
    struct pst_atomic_file file;
};

static const struct cluster defaults = { .temperature = 1, .how.rounds = 300 };

static const struct pst_option options[] = {
    { 'k', "sets", PST_SIZE, offsetof(struct cluster, how.clusters), "how many sets", "K", .least = 1,
      .most = PST_CLASS_SETS_MOST_CLASSES, .required = true },
    { 'n', "size", PST_SIZE, offsetof(struct cluster, most), "at most N classes in a set; 0: any number", "N",
      .most = PST_CLASS_SETS_MOST_CLASSES },
    { 0, "fill", PST_FLAG, offsetof(struct cluster, fill),
      "fill each set up to --size with the classes nearest to it, so that sets overlap", .needs = "size" },
    { 0, "lloyd", PST_FLAG, offsetof(struct cluster, how.lloyd),
      "Lloyd's K-means (assign all classes, then move the centres), not online K-means" },
    { 0, "rounds", PST_SIZE, offsetof(struct cluster, how.rounds), "at most N rounds of K-means", "N",
      .least = 1, .most = 1e9 },
    { 's', "seed", PST_U64, offsetof(struct cluster, how.seed),
      "seed of the first centres and of the order of classes" },
    { 0, "of", PST_STRING, offsetof(struct cluster, of),
      "tensor with the predictions: logits, logits/NAME, soft or soft/NAME", "TENSOR" },
    { 'T', "temperature", PST_POSITIVE_DOUBLE, offsetof(struct cluster, temperature),
      "temperature of the softmax of logits; soft targets do not change", .most = PST_MOST_TEMPERATURE },
    { 'o', "output", PST_STRING, offsetof(struct cluster, path),
      "the file to write; otherwise standard output", "FILE", .files = PST_FILE_REPLACED, .silent = true },
    { 0 },
};

static bool to_file(const struct cluster *self)
{
    return self->path != NULL && strcmp(self->path, "-") != 0;
}

/* ---- predictions --------------------------------------------------------------------------------------- */

static enum pst_status check_classes(const struct cluster *self, const char *name, struct pst_error *error)
{
    if (self->classes > PST_CLASS_SETS_MOST_CLASSES)
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, but a covariance can have at most %d",
                        name, self->classes, PST_CLASS_SETS_MOST_CLASSES);
    if (self->how.clusters > self->classes)
        return pst_fail(error, PST_BAD_DATA, "--sets %zu: '%s' has %zu classes only", self->how.clusters,
                        name, self->classes);
    if (self->most > 0 && self->how.clusters * self->most < self->classes)
        return pst_fail(error, PST_BAD_DATA,
                        "%zu sets of %zu classes hold %zu, but '%s' has %zu; give more --sets or more --size",
                        self->how.clusters, self->most, self->how.clusters * self->most, name, self->classes);
    return PST_OK;
}

static enum pst_status look(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                            struct pst_error *error)
{
    static const char *const kinds[] = { "soft", "logits", NULL };
    (void)out;
    struct cluster *self = run->self;
    enum pst_status status = pst_target_find(in, self->of, "--of", kinds, &self->target, error);
    if (status == PST_OK && self->target == PST_NONE)
        status = pst_fail(error, PST_BAD_DATA, "the stream has no soft targets and no logits%s",
                          pst_compact_advice(in));
    if (status != PST_OK)
        return status;
    const struct pst_tensor_spec *spec = &in->tensors[self->target];
    if (!pst_target_kind(spec->name, &self->logits))
        return pst_fail(error, PST_USAGE, "--of %s: only logits and soft targets are predictions",
                        spec->name);
    status = pst_target_whole(in, spec->name, error);
    if (status == PST_OK)
        status = pst_spec_of_classes(spec, error);
    self->classes = spec->shape[0];
    if (status == PST_OK)
        status = check_classes(self, spec->name, error);
    if (status == PST_OK)
        status = pst_header_about(in, &self->about, error);
    return status == PST_OK ? pst_covariance_start(&self->covariance, self->classes, error) : status;
}

static enum pst_status add(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                           struct pst_error *error)
{
    (void)out;
    struct cluster *self = run->self;
    const struct pst_tensor_spec *spec = &pst_input_header(run)->tensors[self->target];
    const float *rows = batch->tensors[self->target].data;
    enum pst_status status =
        pst_rows_check(spec, rows, batch->n, self->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
    if (status == PST_OK && self->logits)
        status = pst_buffer_reserve(&self->softened, batch->tensors[self->target].bytes, 0, error);
    if (status != PST_OK)
        return status;
    if (self->logits) {
        pst_softmax(rows, self->softened.data, batch->n, self->classes, self->temperature);
        rows = self->softened.data;
    }
    pst_covariance_add(&self->covariance, rows, batch->n);
    return PST_OK;
}

/* ---- sets ---------------------------------------------------------------------------------------------- */

static enum pst_status find_sets(struct cluster *self, struct pst_error *error)
{
    size_t clusters = self->how.clusters, classes = self->classes;
    double *columns = pst_covariance_finish(&self->covariance);
    if (columns == NULL)
        return pst_fail(error, PST_BAD_DATA, "the stream has %s; a covariance needs two samples or more",
                        self->covariance.rows == 0 ? "no sample" : "one sample only");
    self->flat = pst_make_unit(columns, classes, classes);
    if (self->flat == classes)
        return pst_fail(error, PST_BAD_DATA,
                        "all %llu samples have the same predictions, so no classes go together",
                        (unsigned long long)self->covariance.rows);
    double *centres = pst_allocate(clusters, classes * sizeof *centres, error);
    self->sets = pst_allocate(clusters, classes * sizeof *self->sets, error);
    enum pst_status status = centres == NULL || self->sets == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        status = pst_k_means(&self->how, columns, classes, classes, centres, &self->settled, error);
    if (status == PST_OK)
        status = pst_class_sets(columns, classes, classes, centres, clusters,
                                self->most > 0 && self->most < classes ? self->most : classes, self->fill,
                                self->sets, error);
    free(centres);
    return status;
}

/* "set-0 = 3, 5, 8  # cat, dog, ship" */
static void print_set(const struct cluster *self, size_t set, FILE *out)
{
    const bool *in = self->sets + set * self->classes;
    const json_t *names = json_object_get(self->about, "class_names");
    const char *between = " ";
    fprintf(out, "set-%zu =", set);
    for (size_t c = 0; c < self->classes; c++) {
        if (in[c])
            fprintf(out, "%s%zu", between, c);
        between = in[c] ? ", " : between;
    }
    between = "  # ";
    for (size_t c = 0; c < self->classes && json_array_size(names) == self->classes; c++) {
        if (!in[c])
            continue;
        fputs(between, out);
        pst_write_plain(out, 0, json_string_value(json_array_get(names, c)));
        between = ", ";
    }
    fputc('\n', out);
}

static char *make_text(const struct pst_run *run)
{
    const struct cluster *self = run->self;
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out == NULL)
        return pst_text_close(&text);
    fprintf(out,
            "# class-cluster: %zu sets of %zu classes that %s predicts together, by %s K-means, seed %llu\n",
            self->how.clusters, self->classes, pst_input_header(run)->tensors[self->target].name,
            self->how.lloyd ? "Lloyd's" : "online", (unsigned long long)self->how.seed);
    for (size_t k = 0; k < self->how.clusters; k++)
        print_set(self, k, out);
    return pst_text_close(&text);
}

static void say_sets(struct pst_run *run)
{
    const struct cluster *self = run->self;
    size_t least = self->classes, most = 0, sum = 0;
    for (size_t k = 0; k < self->how.clusters; k++) {
        size_t members = 0;
        for (size_t c = 0; c < self->classes; c++)
            members += self->sets[k * self->classes + c];
        least = members < least ? members : least;
        most = members > most ? members : most;
        sum += members;
    }
    pst_log(run, "sets",
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}", "sets", (json_int_t)self->how.clusters, "smallest",
                      (json_int_t)least, "largest", (json_int_t)most, "members", (json_int_t)sum,
                      "never_change", (json_int_t)self->flat, "settled", self->settled));
    if (!self->settled)
        pst_say(run,
                "K-means still changed in round %zu, the last of --rounds; the sets are those of that round",
                self->how.rounds);
    if (self->flat > 0)
        pst_say(run,
                "%zu of %zu classes are predicted alike in all samples, so where they belong is not known",
                self->flat, self->classes);
}

static enum pst_status write_text(struct pst_run *run, const char *text, struct pst_error *error)
{
    struct cluster *self = run->self;
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the sets");
    if (!to_file(self))
        return pst_print(run, text, error);
    enum pst_status status = pst_write_all(self->file.fd, text, strlen(text), self->path, error);
    return status == PST_OK ? pst_atomic_commit(&self->file, error) : status;
}

static enum pst_status finish(struct pst_run *run, struct pst_error *error)
{
    enum pst_status status = find_sets(run->self, error);
    char *text = status == PST_OK ? make_text(run) : NULL;
    if (status == PST_OK)
        status = write_text(run, text, error);
    if (status == PST_OK)
        say_sets(run);
    free(text);
    return status;
}

/* The file is opened first, so that a missing folder is an error before hours of reading, not after. */
static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    struct cluster *self = run->self;
    if (!to_file(self))
        return PST_OK;
    pst_stop_on_signals(); /* so that an incomplete file is removed */
    enum pst_status status = pst_atomic_open(&self->file, self->path, PST_LEFTOVER_REPLACE, error);
    if (status == PST_OK && self->file.unlocked)
        pst_say_unlocked(run, self->path);
    return status;
}

static void stop(struct pst_run *run)
{
    struct cluster *self = run->self;
    if (to_file(self))
        pst_atomic_abandon(&self->file, false);
    pst_covariance_free(&self->covariance);
    pst_buffer_free(&self->softened);
    json_decref(self->about);
    free(self->sets);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "class-cluster",
            .purpose = "find sets of classes that are often predicted together",
            .description =
                "K-means on the columns of the covariance of predictions, scaled to length 1. "
                "Writes a line\n"
                "for each set, such as \"set-0 = 3, 5, 8\", for class-map --classes @FILE:set-0 and\n"
                "teacher-forward --when-top @FILE:set-0. Every class is in a set.",
            .example = "replay soft.pst | class-cluster --sets 10 --size 15 --fill -o sets.txt",
            .see_also = "class-map(1), teacher-forward(1), specialist-combine(1)",
            .options = options,
            .size = sizeof(struct cluster),
            .defaults = &defaults,
            .traits = PST_READS,
            .start = start,
            .on_header = look,
            .on_batch = add,
            .on_end = finish,
            .stop = stop,
        });
}
