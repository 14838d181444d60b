/* What stream-check found, for people and for programs. */
#include "stages/stream-check/check.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void write_text(FILE *out)
{
    double checked = (double)check.checked;
    for (size_t t = 0; t < check.teacher_count; t++)
        fprintf(out, "teacher %s: %s, %s\n", check.teachers[t].name, check.teachers[t].path,
                check.teachers[t].in_history ? "the model that the history names"
                                             : "a model that the history does not name");
    fprintf(out, "%-22s %12s %12s %12s %12s\n", "tensor", "largest", "mean", "largest KL", "mean KL");
    for (size_t i = 0; i < check.comparison_count; i++) {
        const struct comparison *found = &check.comparisons[i];
        fprintf(out, "%-22s %12.4g %12.4g %12.4g %12.4g\n", check.header.tensors[found->tensor].name,
                found->largest, found->total / checked, found->largest_kl, found->total_kl / checked);
    }
    for (size_t i = 0; i < check.reason_count; i++)
        fprintf(out, "not compared: %s\n", check.reasons[i].text);
    fprintf(out,
            "%s: whole, %" PRIu64 " batches, %" PRIu64 " samples, %" PRIu64
            " of them checked, none off by more than %g\n",
            pst_input_name(), check.batches, check.samples, check.checked, check.tolerance);
}

enum pst_status report_text(struct pst_error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    write_text(out);
    bool good = fclose(out) == 0;
    enum pst_status status =
        good ? pst_print(text, error) : pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    free(text);
    return status;
}

static json_t *teachers_to_json(void)
{
    json_t *all = json_array();
    for (size_t t = 0; t < check.teacher_count; t++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:b}", "name", check.teachers[t].name, "model",
                                             check.teachers[t].digest, "in_history",
                                             check.teachers[t].in_history));
    return all;
}

static json_t *comparisons_to_json(void)
{
    double checked = (double)check.checked;
    json_t *all = json_array();
    for (size_t i = 0; i < check.comparison_count; i++) {
        const struct comparison *found = &check.comparisons[i];
        json_array_append_new(all, json_pack("{s:s, s:f, s:f, s:f, s:f}", "name",
                                             check.header.tensors[found->tensor].name, "largest",
                                             found->largest, "mean", found->total / checked, "largest_kl",
                                             found->largest_kl, "mean_kl", found->total_kl / checked));
    }
    return all;
}

static json_t *reasons_to_json(void)
{
    json_t *all = json_array();
    for (size_t i = 0; i < check.reason_count; i++)
        json_array_append_new(all, json_string(check.reasons[i].text));
    return all;
}

enum pst_status report_json(struct pst_error *error)
{
    json_t *object =
        json_pack("{s:b, s:I, s:I, s:I, s:f, s:o, s:o, s:o}", "whole", true, "batches",
                  (json_int_t)check.batches, "samples", (json_int_t)check.samples, "checked",
                  (json_int_t)check.checked, "tolerance", check.tolerance, "teachers", teachers_to_json(),
                  "tensors", comparisons_to_json(), "not_compared", reasons_to_json());
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    enum pst_status status = pst_print(text, error);
    free(text);
    return status == PST_OK ? pst_print("\n", error) : status;
}
