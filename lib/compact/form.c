/* The forms: their names, the tensors of each, and a row packed into its form and restored. */
#include "lib/compact/codec.h"

#include <stdio.h>
#include <string.h>

const char *pst_compact_form_name(enum pst_compact_form form)
{
    static const char *const names[PST_COMPACT_FORMS] = { "f32", "u8", "top-k", "sampled" };
    return names[form];
}

/* ---- parts ---- */

/* Adds a part PREFIX + the tensor's name + SUFFIX, with so many elements a sample; 0: one, without a
 * shape. */
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

pst_fault pst_row_pack(const struct pst_target *target, const float *row, void *const parts[MOST_PARTS],
                       struct pst_random *random, double *scratch)
{
    switch (target->form) {
    case PST_COMPACT_F32:
        memcpy(parts[0], row, target->classes * sizeof *row);
        break;
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
