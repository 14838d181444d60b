/* munge: a source that makes unlabelled samples like those of a small table. */
#include "stages/munge/munge.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct munge defaults = {
    .probability = 0.5, .spread = 1, .times = 10, .batch = 128, .components = 50
};

static const struct pst_option options[] = {
    { 'm', "method", PST_CHOICE, offsetof(struct munge, method), "how samples are made",
      .choices = (const char *const[]){ "munge", "autogluon", "random", "nbe", NULL } },
    { 'n', "size", PST_SIZE, offsetof(struct munge, size), "make N samples; 0: as --times says", "N",
      .excludes = "times", .of_samples = true },
    { 'k', "times", PST_SIZE, offsetof(struct munge, times),
      "make K times as many samples as the table has rows", "K", .least = 1, .most = 1e12,
      .of_samples = true },
    { 'p', "probability", PST_DOUBLE, offsetof(struct munge, probability),
      "probability that a column changes", .most = 1, .needs = "method=munge|method=autogluon" },
    { 's', "spread", PST_POSITIVE_DOUBLE, offsetof(struct munge, spread),
      "deviation of new numbers: the distance of the two old ones divided by this",
      .needs = "method=munge|method=autogluon" },
    { 0, "components", PST_SIZE, offsetof(struct munge, components), "components of the mixture", "N",
      .least = 1, .most = 100000, .needs = "method=nbe" },
    { 0, "seed", PST_U64, offsetof(struct munge, seed), "seed of all that is drawn" },
    { 'b', "batch", PST_SIZE, offsetof(struct munge, batch), "samples in a batch", .least = 1, .most = 1e9,
      .of_samples = true },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct munge *self = run->self;
    const char *from = count > 0 ? operands[0] : "-";
    const char *name = strcmp(from, "-") == 0 ? "standard input" : from;
    enum pst_status status = pst_open_stream(run, from, &self->reader, &self->in, error);
    if (status != PST_OK)
        return status;
    status = read_table(self, name, error);
    if (status == PST_OK)
        status = begin_method(self, error);
    self->total = self->size;
    if (self->size == 0 && !pst_multiply(self->times, self->table.count, &self->total))
        return pst_fail(error, PST_USAGE, "--times %zu: too many samples", self->times);
    return status;
}

/* ---- the header ---------------------------------------------------------------------------------------- */

/* Copies to the header what the table's stream says of inputs and classes. */
static enum pst_status hand_on(const struct munge *self, struct pst_header *out, struct pst_error *error)
{
    static const char *const keys[] = { "inputs", "class_names", "output_names", "outputs" };
    if (out->other == NULL)
        out->other = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(self->in.other, keys[i]);
        if (value != NULL && json_object_set(out->other, keys[i], value) != 0)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    }
    out->classes = self->in.classes;
    out->samples = self->total;
    out->epochs = 1;
    out->batches = (self->total + self->batch - 1) / self->batch;
    return PST_OK;
}

/* The samples are made of the table's x and ids, and of no other tensor. */
static enum pst_status note_table(struct pst_run *run, struct pst_error *error)
{
    const struct munge *self = run->self;
    json_t *origins = json_array();
    const char *origin = self->in.tensors[pst_header_find(&self->in, "x")].origin;
    char digest[PST_DIGEST_TEXT];
    if (origin[0] != '\0')
        json_array_append_new(origins, json_string(origin));
    json_t *part = pst_lineage_part(self->in.lineage, &origin, 1);
    enum pst_status status = pst_learned_from(run, part, origins, error);
    json_decref(part);
    json_decref(origins);
    pst_digest(self->table.rows, self->table.count * self->table.width * sizeof(float), digest);
    return status == PST_OK ? pst_origin_note(run, "table", digest, error) : status;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    (void)in;
    struct munge *self = run->self;
    struct pst_tensor_spec x = { .name = "x",
                                 .dtype = PST_DTYPE_F32,
                                 .rank = 1,
                                 .shape = { self->table.width } },
                           id = { .name = "id", .dtype = PST_DTYPE_U64 };
    enum pst_status status = pst_header_add_tensor(out, &x, &self->x, error);
    if (status == PST_OK)
        status = pst_header_add_tensor(out, &id, &self->id, error);
    if (status == PST_OK)
        status = hand_on(self, out, error);
    return status == PST_OK ? note_table(run, error) : status;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

static bool is_of_table(const struct munge *self, const float *row, size_t i)
{
    size_t bytes = self->table.width * sizeof *row;
    return memcmp(row, self->table.rows + i * self->table.width, bytes) == 0;
}

static enum pst_status make(struct pst_run *run, const struct pst_batch *in, struct pst_batch *batch,
                            struct pst_error *error)
{
    (void)in;
    struct munge *self = run->self;
    size_t left = self->total - self->written, n = left < self->batch ? left : self->batch;
    size_t width = self->table.width;
    if (n == 0)
        return PST_END;
    enum pst_status status = pst_batch_resize(batch, pst_output_header(run), n, 0, error);
    if (status != PST_OK)
        return status;
    float *x = batch->tensors[self->x].data;
    uint64_t *id = batch->tensors[self->id].data;
    batch->epoch = 0;
    for (size_t i = 0; i < n; i++) {
        if (self->position == 0)
            make_pass(self);
        const float *row = self->made + self->position * width;
        memcpy(x + i * width, row, width * sizeof *x);
        self->unchanged += is_of_table(self, row, self->position);
        id[i] = self->written++;
        self->position = (self->position + 1) % self->table.count;
        self->pass += self->position == 0;
    }
    return PST_OK;
}

static enum pst_status report(struct pst_run *run, struct pst_error *error)
{
    (void)error;
    const struct munge *self = run->self;
    pst_log(run, "made",
            json_pack("{s:I, s:I, s:I}", "rows", (json_int_t)self->table.count, "samples",
                      (json_int_t)self->written, "unchanged", (json_int_t)self->unchanged));
    if (2 * self->unchanged > self->written)
        pst_say(run, "%llu of %zu samples are rows of the table as they were: its columns differ too little",
                (unsigned long long)self->unchanged, self->written);
    return PST_OK;
}

static void stop(struct pst_run *run)
{
    struct munge *self = run->self;
    pst_reader_free(self->reader);
    pst_header_free(&self->in);
    free_table(&self->table);
    pst_neighbours_free(&self->neighbours);
    free_mixture(&self->mixture);
    free(self->made);
    free(self->nearest);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "munge",
            .purpose = "invent unlabelled samples similar to those of a table",
            .operands = "[STREAM]",
            .most_operands = 1,
            .operand_files = PST_FILE_READ | PST_FILE_ENDPOINT,
            .description =
                "Reads the inputs x of a table from STREAM, or from standard input, and writes samples that "
                "are\n"
                "similar to its rows (Bucila, Caruana and Niculescu-Mizil 2006), without labels. The method\n"
                "munge changes each row and its nearest neighbour, autogluon the row alone; random draws\n"
                "each column from the table; nbe draws rows from a mixture of naive Bayes components.",
            .example =
                "loader csv:adult.csv --label income | munge --times 100 | teacher-forward t.safetensors",
            .see_also = "loader(1), teacher-forward(1), student-trainer(1)",
            .options = options,
            .size = sizeof(struct munge),
            .defaults = &defaults,
            .traits = PST_WRITES | PST_BLAS,
            .blas_kernel = pst_blas_kernel,
            .start = start,
            .on_header = declare,
            .on_batch = make,
            .on_end = report,
            .stop = stop,
        });
}
