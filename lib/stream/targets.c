/* Tensors of targets and predictions: which one to use, and whether its rows are valid. */
#include "pipestill/stream.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

bool pst_target_is_hint(const char *name)
{
    return strncmp(name, "hint/", 5) == 0;
}

bool pst_target_kind(const char *name, bool *logits)
{
    *logits = strcmp(name, "logits") == 0 || strncmp(name, "logits/", 7) == 0;
    return *logits || strcmp(name, "soft") == 0 || strncmp(name, "soft/", 5) == 0;
}

bool pst_labels_are_mixed(const struct pst_header *header)
{
    size_t y = pst_header_find(header, "y");
    return y != PST_NONE && header->tensors[y].dtype == PST_DTYPE_F32 && header->tensors[y].temperature > 0;
}

void pst_header_names(const struct pst_header *header, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < header->tensor_count; i++) {
        const char *name = header->tensors[i].name;
        if (used + strlen(name) + sizeof ", , …" > size) {
            snprintf(text + used, size - used, ", …");
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
    }
}

/* An error that lists the tensors that could have been named. */
static enum pst_status refuse_name(const struct pst_header *header, const char *named,
                                   struct pst_error *error)
{
    char list[256];
    pst_header_names(header, list, sizeof list);
    return pst_fail(error, PST_BAD_DATA, "the stream has no tensor '%.*s'; it has: %s", PST_NAME_SIZE, named,
                    list);
}

enum pst_status pst_target_find(const struct pst_header *header, const char *named, const char *option,
                                const char *const *kinds, size_t *index, struct pst_error *error)
{
    const char *const *kind;
    *index = named != NULL ? pst_header_find(header, named) : PST_NONE;
    if (named != NULL)
        return *index != PST_NONE ? PST_OK : refuse_name(header, named, error);
    for (kind = kinds; *kind != NULL && *index == PST_NONE; kind++)
        *index = pst_header_find(header, *kind);
    for (kind = kinds; *kind != NULL && *index == PST_NONE; kind++) {
        size_t first;
        size_t count = pst_header_find_all(header, *kind, &first, 1);
        if (count > 1)
            return pst_fail(error, PST_BAD_DATA, "the stream has several %s/NAME; %schoose with %s", *kind,
                            strcmp(*kind, "hint") == 0 ? "" : "average them first, or ", option);
        if (count == 1)
            *index = first;
    }
    return PST_OK;
}

/* Says what is wrong with a row: the first number that is not valid, otherwise the sum. */
static enum pst_status refuse_row(const struct pst_tensor_spec *spec, const float *row, size_t sample,
                                  enum pst_row_kind kind, double sum, struct pst_error *error)
{
    for (size_t j = 0; j < pst_spec_elements(spec); j++) {
        if (!isfinite(row[j]) || (kind == PST_ROW_DISTRIBUTION && row[j] < 0))
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: number %zu is %g, %s",
                            spec->name, sample, j, (double)row[j],
                            kind == PST_ROW_DISTRIBUTION ? "not a probability" : "not a finite number");
    }
    return pst_fail(error, PST_BAD_DATA,
                    "tensor '%s', sample %zu of the batch: its probabilities add up to %g, not to 1",
                    spec->name, sample, sum);
}

static bool is_good(const float *row, size_t count, enum pst_row_kind kind, double *sum)
{
    *sum = pst_sum(row, count);
    if (kind == PST_ROW_DISTRIBUTION)
        return fabs(*sum - 1) <= PST_DISTRIBUTION_TOLERANCE && pst_smallest_number(row, count) >= 0;
    return isfinite(*sum); /* no sum of finite floats is too large for a double */
}

enum pst_status pst_rows_check_asked(const struct pst_tensor_spec *spec, const float *rows,
                                     const unsigned char *asked, size_t n, enum pst_row_kind kind,
                                     struct pst_error *error)
{
    size_t count = pst_spec_elements(spec);
    double sum;
    for (size_t i = 0; i < n; i++)
        if ((asked == NULL || asked[i] != 0) && !is_good(rows + i * count, count, kind, &sum))
            return refuse_row(spec, rows + i * count, i, kind, sum, error);
    return PST_OK;
}

/* What the rounds of a check share. */
struct check {
    const float *rows;
    size_t n, count, rounds;
    enum pst_row_kind kind;
    _Atomic bool *bad;
};

static void check_some(const void *context, size_t i)
{
    const struct check *check = context;
    double sum;
    for (size_t row = i * check->n / check->rounds; row < (i + 1) * check->n / check->rounds; row++)
        if (!is_good(check->rows + row * check->count, check->count, check->kind, &sum))
            atomic_store(check->bad, true);
}

enum pst_status pst_rows_check_by(struct pst_team *team, const struct pst_tensor_spec *spec,
                                  const float *rows, size_t n, enum pst_row_kind kind,
                                  struct pst_error *error)
{
    size_t count = pst_spec_elements(spec);
    _Atomic bool bad = false;
    const struct check check = { rows, n, count, pst_team_rounds(team, n, n * count), kind, &bad };
    pst_parallel(team, check.rounds, check_some, &check);
    return atomic_load(&bad) ? pst_rows_check(spec, rows, n, kind, error) : PST_OK;
}

enum pst_status pst_rows_check(const struct pst_tensor_spec *spec, const float *rows, size_t n,
                               enum pst_row_kind kind, struct pst_error *error)
{
    return pst_rows_check_asked(spec, rows, NULL, n, kind, error);
}

/* ---- rows that do not count ------------------------------------------------------------------------------
 */

enum pst_status pst_target_asked(const struct pst_header *header, const char *name, size_t *index,
                                 struct pst_error *error)
{
    const char *slash = strchr(name, '/');
    char asked[PST_NAME_SIZE];
    *index = PST_NONE;
    if (slash == NULL)
        return PST_OK;
    snprintf(asked, sizeof asked, "asked%s", slash);
    if (pst_header_find(header, asked) == PST_NONE)
        return PST_OK;
    return pst_header_require(header, asked, PST_DTYPE_U8, 0, NULL, index, error);
}

enum pst_status pst_target_whole(const struct pst_header *header, const char *name, struct pst_error *error)
{
    size_t asked;
    enum pst_status status = pst_target_asked(header, name, &asked, error);
    if (status != PST_OK || asked == PST_NONE)
        return status;
    return pst_fail(error, PST_BAD_DATA,
                    "'%s' has rows for some samples only, as '%s' says; specialist-combine can use it", name,
                    header->tensors[asked].name);
}
