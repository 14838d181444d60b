/* The forms by name, the tensors that each consists of, and a row's way into its form and back. */
#include "lib/compact/codec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *pst_compact_form_name(enum pst_compact_form form)
{
    static const char *const names[PST_COMPACT_FORMS] = { "f32", "f16", "u8", "top-k", "sampled" };
    return names[form];
}

const char *pst_compact_inputs_name(enum pst_compact_inputs inputs)
{
    static const char *const names[PST_COMPACT_INPUTS] = { "keep", "digest", "reference" };
    return names[inputs];
}

/* ---- parts ---- */

/* Adds a part PREFIX + the tensor's name + SUFFIX, with so many elements a sample; 0: one without a shape. */
static bool add_part(struct pst_target *target, const char *prefix, const char *suffix, enum pst_dtype dtype,
                     size_t elements)
{
    struct pst_tensor_spec *part = &target->parts[target->part_count++];
    char name[PST_NAME_SIZE + 16];
    int length = snprintf(name, sizeof name, "%s%s%s", prefix, target->dense.name, suffix);
    *part = (struct pst_tensor_spec){ .dtype = dtype, .rank = elements != 0, .shape = { elements } };
    if ((size_t)length >= sizeof part->name)
        return false;
    memcpy(part->name, name, (size_t)length + 1);
    return true;
}

enum pst_status pst_target_parts(struct pst_target *target, struct pst_error *error)
{
    bool good = true;
    target->part_count = 0;
    switch (target->form) {
    case PST_COMPACT_F32:
        good = add_part(target, "", "", PST_DTYPE_F32, target->classes);
        break;
    case PST_COMPACT_F16:
        good = add_part(target, "", "", PST_DTYPE_F16, target->classes);
        break;
    case PST_COMPACT_U8:
        good = add_part(target, "u8/", "", PST_DTYPE_U8, target->classes) &&
               add_part(target, "u8/", "/step", PST_DTYPE_F16, 0) &&
               (!target->logits || add_part(target, "u8/", "/max", PST_DTYPE_F16, 0));
        break;
    case PST_COMPACT_TOP_K:
        good = add_part(target, "top/", "", PST_DTYPE_U16, target->kept) &&
               add_part(target, "top/", "/log", PST_DTYPE_F16, target->kept) &&
               add_part(target, "top/", "/tail", PST_DTYPE_F16, 0);
        break;
    case PST_COMPACT_SAMPLED:
        good = add_part(target, "sampled/", "", PST_DTYPE_U16, target->kept);
        break;
    case PST_COMPACT_FORMS:
        break;
    }
    target->parts[0].temperature = target->dense.temperature;
    return good ? PST_OK
                : pst_fail(error, PST_BAD_DATA, "tensor '%s': its name is too long for the form %s",
                           target->dense.name, pst_compact_form_name(target->form));
}

/* ---- rows ---- */

/* What rounding to halves adds: each probability by 2^-11 of itself, or where it is subnormal by 2^-25, and
 * all of them may round the same way. */
static double halves_tolerance(size_t classes)
{
    double given = PST_DISTRIBUTION_TOLERANCE;
    return given + ldexp(1 + given, -11) + ldexp((double)classes, -25);
}

static pst_fault pack_halves(const struct pst_target *target, const float *row, uint16_t *halves)
{
    pst_halves_from_f32(row, halves, target->classes);
    bool good = true, all_zero = true;
    for (size_t c = 0; c < target->classes; c++) {
        good = good && (halves[c] & 0x7FFFU) < 0x7C00U;
        all_zero = all_zero && (halves[c] & 0x7FFFU) == 0;
    }
    if (!target->logits && all_zero)
        return "its probabilities are all below the smallest f16";
    return good ? NULL : "a logit is beyond the largest f16, 65504";
}

/* Rounded probabilities add up to 1 only nearly, and a loss wants them to: they are divided by their sum. */
static pst_fault restore_halves(const struct pst_target *target, const uint16_t *halves, float *row)
{
    double sum = 0;
    bool finite = true, negative = false;
    pst_halves_to_f32(halves, row, target->classes);
    for (size_t c = 0; c < target->classes; c++) {
        finite = finite && isfinite(row[c]);
        negative = negative || row[c] < 0;
        sum += (double)row[c];
    }
    if (!finite)
        return "a number is NaN or infinite";
    if (target->logits)
        return NULL;
    if (negative || fabs(sum - 1) > halves_tolerance(target->classes))
        return negative ? "a probability is below 0" : "its probabilities do not add up to 1";
    for (size_t c = 0; c < target->classes; c++)
        row[c] = (float)((double)row[c] / sum);
    return NULL;
}

pst_fault pst_row_pack(const struct pst_target *target, const float *row, void *const parts[MOST_PARTS],
                       struct pst_random *random, double *scratch)
{
    switch (target->form) {
    case PST_COMPACT_F32:
        memcpy(parts[0], row, target->classes * sizeof *row);
        break;
    case PST_COMPACT_F16:
        return pack_halves(target, row, parts[0]);
    case PST_COMPACT_U8:
        return pst_u8_pack(target, row, parts[0], parts[1], parts[2], scratch);
    case PST_COMPACT_TOP_K:
        return pst_top_pack(target, row, parts[0], parts[1], parts[2]);
    case PST_COMPACT_SAMPLED:
        pst_draw_systematically(row, target->classes, pst_random_uniform(random), target->kept, parts[0]);
        break;
    case PST_COMPACT_FORMS:
        break;
    }
    return NULL;
}

pst_fault pst_row_restore(const struct pst_target *target, const void *const parts[MOST_PARTS], float *row,
                          double *scratch)
{
    switch (target->form) {
    case PST_COMPACT_F32:
        memcpy(row, parts[0], target->classes * sizeof *row);
        break;
    case PST_COMPACT_F16:
        return restore_halves(target, parts[0], row);
    case PST_COMPACT_U8:
        return pst_u8_restore(target, parts[0], *(const uint16_t *)parts[1],
                              target->logits ? *(const uint16_t *)parts[2] : 0, row, scratch);
    case PST_COMPACT_TOP_K:
        return pst_top_restore(target, parts[0], parts[1], *(const uint16_t *)parts[2], row, scratch);
    case PST_COMPACT_SAMPLED:
        return pst_draws_restore(target, parts[0], row);
    case PST_COMPACT_FORMS:
        break;
    }
    return NULL;
}
