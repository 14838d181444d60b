/* Chooses the samples for a teacher, gathers their inputs, and puts its answers back. */
#include "stages/teacher-forward/when_top.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the set ------------------------------------------------------------------------------------------- */

/* Reads the set. The origin has its numbers, because a set's name may change. */
static enum pst_status read_set(struct pst_run *run, struct when_top *when, const struct pst_header *in,
                                struct pst_error *error)
{
    struct pst_class_map set = { 0 };
    enum pst_status status =
        pst_stream_classes(in, when->width, when->classes, "--when-top", NULL, &set, error);
    when->inside = status == PST_OK ? pst_allocate(when->width, sizeof *when->inside, error) : NULL;
    char *note = when->inside != NULL ? pst_class_map_note(&set, false) : NULL;
    if (status == PST_OK && note == NULL)
        status = pst_fail(error, PST_TRY_AGAIN, "out of memory for a set of classes");
    for (size_t c = 0; c < when->width && note != NULL; c++)
        when->inside[c] = set.new_of[c] >= 0;
    if (status == PST_OK)
        status = pst_origin_note(run, "asked_of", note, error);
    free(note);
    pst_class_map_free(&set);
    return status;
}

enum pst_status when_top_look(struct pst_run *run, struct when_top *when, const struct pst_header *in,
                              struct pst_error *error)
{
    static const char *const kinds[] = { "logits", "soft", NULL };
    if (when->classes == NULL)
        return PST_OK;
    enum pst_status status = pst_target_find(in, when->by, "--by", kinds, &when->at, error);
    if (status == PST_OK && when->at == PST_NONE)
        status = pst_fail(error, PST_BAD_DATA,
                          "--when-top: the stream has no logits and no soft targets by which to decide");
    if (status != PST_OK)
        return status;
    const struct pst_tensor_spec *spec = &in->tensors[when->at];
    if (!pst_target_kind(spec->name, &when->logits))
        return pst_fail(error, PST_USAGE, "--by %s: only logits and soft targets are predictions",
                        spec->name);
    status = pst_target_whole(in, spec->name, error);
    if (status == PST_OK)
        status = pst_spec_of_classes(spec, error);
    when->width = spec->shape[0];
    when->of_all = status == PST_OK ? pst_allocate(2, sizeof *when->of_all, error) : NULL;
    if (status == PST_OK && when->of_all == NULL)
        status = PST_TRY_AGAIN;
    return status == PST_OK ? read_set(run, when, in, error) : status;
}

enum pst_status when_top_declare(struct pst_run *run, struct when_top *when, struct pst_header *out,
                                 const char *teacher, struct pst_error *error)
{
    struct pst_tensor_spec spec = { .dtype = PST_DTYPE_U8 };
    if (when->classes == NULL)
        return PST_OK;
    snprintf(spec.name, sizeof spec.name, "asked/%s", teacher);
    enum pst_status status = pst_header_add_tensor(out, &spec, &when->asked, error);
    return status == PST_OK ? pst_made_from(run, when->asked, "asked", &when->at, 1, error) : status;
}

/* ---- batches ------------------------------------------------------------------------------------------- */

enum pst_status when_top_gather(const struct pst_run *run, struct when_top *when, const struct pst_batch *in,
                                struct pst_batch *out, float *inputs, size_t elements, size_t *count,
                                struct pst_error *error)
{
    const float *by = in->tensors[when->at].data;
    unsigned char *asked = out->tensors[when->asked].data;
    enum pst_status status = pst_rows_check(&pst_input_header(run)->tensors[when->at], by, in->n,
                                            when->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
    if (status == PST_OK)
        status = pst_buffer_reserve(&when->rows, in->n * sizeof(size_t), 0, error);
    if (status != PST_OK)
        return status;
    size_t *rows = when->rows.data;
    *count = 0;
    for (size_t i = 0; i < in->n; i++) {
        asked[i] = pst_class_is_likely(by + i * when->width, when->inside, when->width, when->most);
        if (asked[i] == 0)
            continue;
        if (*count != i)
            memcpy(inputs + *count * elements, inputs + i * elements, elements * sizeof *inputs);
        rows[(*count)++] = i;
    }
    when->own[0] += *count;
    when->own[1] += in->n;
    return PST_OK;
}

void when_top_scatter(const struct when_top *when, float *answers, size_t n, size_t outputs, size_t count)
{
    const size_t *rows = when->rows.data;
    for (size_t i = n; i-- > 0;) { /* from the end, so that no answer is overwritten before it was moved */
        if (count == 0 || rows[count - 1] != i)
            memset(answers + i * outputs, 0, outputs * sizeof *answers);
        else if (--count != i)
            memcpy(answers + i * outputs, answers + count * outputs, outputs * sizeof *answers);
    }
}

/* ---- the end ------------------------------------------------------------------------------------------- */

void when_top_leave(struct when_top *when)
{
    for (size_t i = 0; when->of_all != NULL && i < 2; i++)
        when->of_all[i] += when->own[i];
    pst_buffer_free(&when->rows);
}

void when_top_report(struct pst_run *run, const struct when_top *when)
{
    if (when->classes == NULL)
        return;
    pst_log(run, "asked",
            json_pack("{s:I, s:I}", "asked", (json_int_t)when->of_all[0], "samples",
                      (json_int_t)when->of_all[1]));
    pst_say(run, "asked about %llu of %llu samples", (unsigned long long)when->of_all[0],
            (unsigned long long)when->of_all[1]);
}

void when_top_free(struct when_top *when)
{
    free(when->inside);
    free(when->of_all);
}
