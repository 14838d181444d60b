/* Figures of each tensor's numbers. */
#include "stages/stream-inspect/inspect.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum pst_status statistics_begin(struct statistics *statistics, const struct pst_header *header,
                                 struct pst_error *error)
{
    statistics->header = header;
    statistics->figures = pst_allocate(header->tensor_count, sizeof *statistics->figures, error);
    if (statistics->figures == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < header->tensor_count; i++)
        statistics->figures[i] = (struct figures){ .least = INFINITY, .most = -INFINITY };
    return PST_OK;
}

static void add_tensor(struct figures *found, const struct pst_tensor_spec *spec,
                       const struct pst_tensor *tensor)
{
    size_t count = tensor->bytes / pst_dtype_size(spec->dtype);
    for (size_t i = 0; i < count; i++) {
        double number = element(spec, tensor->data, i);
        if (!isfinite(number)) {
            found->not_finite++;
            continue;
        }
        found->least = fmin(found->least, number);
        found->most = fmax(found->most, number);
        found->sum += number;
        found->squares += number * number;
    }
    found->count += count;
}

void statistics_add(struct statistics *statistics, const struct pst_batch *batch)
{
    for (size_t i = 0; i < statistics->header->tensor_count; i++)
        add_tensor(&statistics->figures[i], &statistics->header->tensors[i], &batch->tensors[i]);
}

void write_statistics(FILE *out, const void *what)
{
    const struct statistics *statistics = what;
    fprintf(out, "%-22s %12s %12s %12s %12s %12s\n", "tensor", "least", "mean", "most", "deviation",
            "not finite");
    for (size_t i = 0; i < statistics->header->tensor_count; i++) {
        const struct figures *found = &statistics->figures[i];
        double n = (double)(found->count - found->not_finite), mean = found->sum / n;
        if (!(n > 0))
            continue;
        pst_write_plain(out, 22, statistics->header->tensors[i].name);
        fprintf(out, " %12.6g %12.6g %12.6g %12.6g %12" PRIu64 "\n", found->least, mean, found->most,
                sqrt(fmax(found->squares / n - mean * mean, 0)), found->not_finite);
    }
}

json_t *statistics_to_json(const struct statistics *statistics)
{
    json_t *all = json_object();
    for (size_t i = 0; i < statistics->header->tensor_count; i++) {
        const struct figures *found = &statistics->figures[i];
        double n = (double)(found->count - found->not_finite);
        if (n > 0)
            json_object_set_new(all, statistics->header->tensors[i].name,
                                json_pack("{s:f, s:f, s:f, s:I}", "least", found->least, "mean",
                                          found->sum / n, "most", found->most, "not_finite",
                                          (json_int_t)found->not_finite));
    }
    return all;
}

void statistics_free(struct statistics *statistics)
{
    free(statistics->figures);
}
