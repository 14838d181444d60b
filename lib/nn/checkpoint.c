/* Checkpoints: a safetensors file with flat vectors, and the state of the program that trains as strings in
 * its metadata. */
#include "pipestill/training.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MOST_HEADER ((size_t)16 << 20) /* bytes; student-trainer's state takes some thousand */

#define CHECKPOINT_FORMAT "pipestill-checkpoint"

static struct pst_named_tensor vector(const char *name, const float *data, size_t count)
{
    struct pst_named_tensor tensor = {
        .dtype = "F32", .rank = 1, .shape = { count }, .data = data, .bytes = count * sizeof *data
    };
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    return tensor;
}

enum { MOST_VECTORS = 5 + 3 * PST_MAX_TERMS };

/* The vectors of projections, parameters and optimiser: "match.0.parameters" for the first term that
 * compares a layer. Returns how many vectors there are. */
static size_t match_vectors(const struct pst_training *training, struct pst_named_tensor *vectors)
{
    size_t count = 0;
    for (size_t m = 0; m < training->match_count; m++) {
        const struct pst_match *match = &training->matches[m];
        const float *const data[] = { match->projection.parameters, match->optimiser.first,
                                      match->optimiser.second };
        static const char *const names[] = { "parameters", "first", "second" };
        for (size_t i = 0; i < 3; i++) {
            char name[32];
            snprintf(name, sizeof name, "match.%zu.%s", m, names[i]);
            if (data[i] != NULL)
                vectors[count++] = vector(name, data[i], match->projection.parameter_count);
        }
    }
    return count;
}

enum pst_status pst_checkpoint_write(const char *path, const struct pst_training *training, const float *best,
                                     const json_t *state, struct pst_error *error)
{
    size_t count = training->network.parameter_count, tensors = 0;
    struct pst_named_tensor all[MOST_VECTORS];
    all[tensors++] = vector("parameters", training->network.parameters, count);
    all[tensors++] = vector("optimiser.first", training->optimiser.first, count);
    if (training->optimiser.second != NULL)
        all[tensors++] = vector("optimiser.second", training->optimiser.second, count);
    if (training->average != NULL)
        all[tensors++] = vector("average", training->average, count);
    if (best != NULL)
        all[tensors++] = vector("best", best, count);
    tensors += match_vectors(training, all + tensors);
    char step[24];
    snprintf(step, sizeof step, "%llu", (unsigned long long)training->optimiser.step);
    json_t *metadata = json_pack("{s:s, s:s, s:s}", "format", CHECKPOINT_FORMAT, "architecture",
                                 training->network.architecture, "step", step);
    enum pst_status status;
    if (metadata == NULL || json_object_update_missing(metadata, (json_t *)(uintptr_t)state) != 0)
        status = pst_fail(error, PST_TRY_AGAIN, "out of memory for a checkpoint");
    else
        status = pst_safetensors_write(path, metadata, all, tensors, error);
    json_decref(metadata);
    return status;
}

/* Whether the header of a safetensors file has the mark of a checkpoint. The same mark inside a string would
 * have backslashes before its quotes. */
static bool has_mark(FILE *file)
{
    unsigned char prefix[8];
    uint64_t length = 0;
    size_t got = fread(prefix, 1, sizeof prefix, file);
    for (size_t i = got; i-- > 0;)
        length = length << 8 | prefix[i];
    if (got < sizeof prefix || length > MOST_HEADER)
        return false;
    char *header = pst_allocate(length + 1, 1, NULL);
    if (header == NULL)
        pst_mark_shortage(); /* or the checkpoint would be taken for another file */
    bool marked = header != NULL && fread(header, 1, length, file) == length &&
                  strstr(header, "\"format\":\"" CHECKPOINT_FORMAT "\"") != NULL;
    free(header);
    return marked;
}

enum pst_checkpoint_place pst_checkpoint_look(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT ? PST_CHECKPOINT_NONE : PST_CHECKPOINT_OTHER;
    FILE *file = S_ISREG(status.st_mode) ? fopen(path, "rbe") : NULL;
    if (file == NULL) {
        if (pst_shortage_or(PST_OK) != PST_OK)
            pst_mark_shortage();
        return PST_CHECKPOINT_OTHER;
    }
    bool marked = has_mark(file);
    fclose(file);
    return marked ? PST_CHECKPOINT_THERE : PST_CHECKPOINT_OTHER;
}

/* Copies a vector of the file to its place. Returns whether it was there in the right size. */
static bool restore(const struct pst_safetensors *file, const char *name, float *to, size_t count)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct pst_named_tensor *tensor = &file->tensors[i];
        if (strcmp(tensor->name, name) == 0 && strcmp(tensor->dtype, "F32") == 0 &&
            tensor->bytes == count * sizeof *to) {
            memcpy(to, tensor->data, tensor->bytes);
            return true;
        }
    }
    return false;
}

/* Restores the projections, with the step of the network's optimiser. Returns whether all were there. */
static bool restore_matches(const struct pst_safetensors *file, const struct pst_training *training)
{
    struct pst_named_tensor vectors[MOST_VECTORS];
    bool whole = true;
    for (size_t i = 0, count = match_vectors(training, vectors); i < count; i++)
        whole =
            whole && restore(file, vectors[i].name, (float *)(uintptr_t)vectors[i].data, vectors[i].shape[0]);
    for (size_t m = 0; m < training->match_count; m++)
        if (training->matches[m].optimiser.first != NULL)
            training->matches[m].optimiser.step = training->optimiser.step;
    return whole;
}

static bool same_text(const struct pst_safetensors *file, const char *key, const char *text)
{
    const char *said = json_string_value(json_object_get(file->metadata, key));
    return said != NULL && strcmp(said, text) == 0;
}

enum pst_status pst_checkpoint_read(const char *path, struct pst_training *training, float *best,
                                    json_t **state, struct pst_error *error)
{
    struct pst_safetensors file;
    *state = NULL;
    enum pst_status status = pst_safetensors_read(path, &file, error);
    if (status != PST_OK)
        return status;
    size_t count = training->network.parameter_count;
    struct pst_optimiser *optimiser = &training->optimiser;
    const char *step = json_string_value(json_object_get(file.metadata, "step"));
    if (!same_text(&file, "format", CHECKPOINT_FORMAT))
        status = pst_fail(error, PST_BAD_DATA,
                          "%s: is not a checkpoint, but a model: start from it with --from", path);
    else if (!same_text(&file, "architecture", training->network.architecture))
        status = pst_fail(error, PST_BAD_DATA, "%s: is not a checkpoint of this network", path);
    else if (!restore(&file, "parameters", training->network.parameters, count) ||
             !restore(&file, "optimiser.first", optimiser->first, count) ||
             (optimiser->second != NULL && !restore(&file, "optimiser.second", optimiser->second, count)) ||
             (training->average != NULL && !restore(&file, "average", training->average, count)) ||
             !pst_parse_u64(step, 0, INT64_MAX, &optimiser->step) || !restore_matches(&file, training))
        status = pst_fail(error, PST_BAD_DATA, "%s: is not a checkpoint of this optimiser", path);
    if (status == PST_OK && best != NULL && !restore(&file, "best", best, count))
        memcpy(best, pst_training_result(training), count * sizeof *best);
    *state = same_text(&file, "format", CHECKPOINT_FORMAT) ? json_incref(file.metadata) : NULL;
    pst_safetensors_free(&file);
    return status;
}
