/*
 * loss_dump.c: a loss by the library, which tests/python/test_loss_oracle.py computes again with numpy.
 *
 *   loss_dump
 *       prints a line for each type of loss: its name, its kind of target, and its keys
 *   loss_dump TERM N M [logits]
 *       reads outputs, f32 [N, M], then targets: i32 [N] for labels, otherwise f32 [N, M]; with the word
 *       logits they are a teacher's logits;
 *       writes the sum of the losses, f64, then the gradient of their mean, f32 [N, M]
 *
 * TERM is written as for student-trainer --loss.
 */
#include "pipestill/losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
    [PST_TARGET_LABELS] = "labels", [PST_TARGET_DISTRIBUTION] = "distribution",
    [PST_TARGET_LOGITS] = "logits", [PST_TARGET_NUMBERS] = "numbers",
    [PST_TARGET_BITS] = "bits",     [PST_TARGET_HINT] = "hint"
};

static int list(void)
{
    for (size_t i = 0; pst_loss_types[i] != NULL; i++) {
        const struct pst_loss_type *type = pst_loss_types[i];
        printf("%s %s%s", type->name, kinds[type->target], type->has_temperature ? " T" : "");
        for (size_t k = 0; k < PST_MAX_LOSS_KEYS && type->keys[k].name != NULL; k++)
            printf(" %s", type->keys[k].name);
        printf("\n");
    }
    return 0;
}

static int fail(const char *what)
{
    fprintf(stderr, "loss_dump: %s\n", what);
    return PST_USAGE;
}

int main(int argc, char **argv)
{
    struct pst_loss loss = { 0 };
    struct pst_error error;
    uint64_t n, count;
    if (argc == 1)
        return list();
    bool from_logits = argc == 5 && strcmp(argv[4], "logits") == 0;
    if ((argc != 4 && !from_logits) || !pst_parse_u64(argv[2], 1, 1000, &n) ||
        !pst_parse_u64(argv[3], 1, 1000, &count))
        return fail("expected TERM N M [logits]");
    if (pst_loss_parse(&loss, argv[1], &error) != PST_OK)
        return fail(error.message);
    size_t values = n * count, targets = loss.terms[0].type->target == PST_TARGET_LABELS ? n : values;
    double *scratch = pst_allocate(2 * count, sizeof *scratch, &error);
    float *memory = pst_allocate(3 * values, sizeof *memory, &error);
    if (memory == NULL || scratch == NULL)
        return fail(error.message);
    float *outputs = memory, *gradient = memory + values, *target = memory + 2 * values;
    loss.terms[0].from_logits = from_logits;
    if (fread(outputs, sizeof *outputs, values, stdin) != values || /* both kinds of target have 4 bytes */
        fread(target, sizeof *target, targets, stdin) != targets)
        return fail("the input is too short");
    struct pst_loss_sums sums;
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { target }, .scratch = scratch }, outputs, n,
                     count, gradient, &sums);
    fwrite(&sums.total, sizeof sums.total, 1, stdout);
    fwrite(gradient, sizeof *gradient, values, stdout);
    free(memory);
    free(scratch);
    return 0;
}
