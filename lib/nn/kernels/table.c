/* Kinds of kernels, and which arithmetic each of them has. */
#include "lib/nn/kernels/products.h"

#ifdef PST_WITHOUT_ONEDNN
static enum pst_status check_missing(const struct pst_arithmetic *arithmetic, struct pst_error *error)
{
    (void)arithmetic;
    return pst_fail(error, PST_UNAVAILABLE,
                    "--kernels onednn: this program was built without oneDNN (ONEDNN=0)");
}

const struct pst_kernel_type pst_kernels_onednn = { .name = "onednn", .check = check_missing };
#endif

static const struct pst_kernel_type *const types[] = { &pst_kernels_openblas, &pst_kernels_onednn };

const char *const pst_kernel_names[] = { "openblas", "onednn", NULL };
const char *const pst_precision_names[] = { "f32", "bf16", "auto", NULL };

enum pst_status pst_arithmetic_settle(struct pst_arithmetic *arithmetic, struct pst_error *error)
{
    const struct pst_kernel_type *type = types[arithmetic->kernels];
    if (arithmetic->precision == PST_PRECISION_AUTO)
        arithmetic->precision = type->bf16_is_faster != NULL && type->bf16_is_faster() ? PST_BF16 : PST_F32;
    return type->check(arithmetic, error);
}

const char *pst_arithmetic_name(const struct pst_arithmetic *arithmetic)
{
    static const char *const names[][2] = { { NULL, NULL }, { "onednn f32", "onednn bf16" } };
    return names[arithmetic->kernels][arithmetic->precision == PST_BF16];
}

enum pst_status pst_kernels_open(struct pst_kernels *kernels, const struct pst_arithmetic *arithmetic,
                                 struct pst_error *error)
{
    *kernels = (struct pst_kernels){ .type = types[arithmetic->kernels], .arithmetic = *arithmetic };
    /* A kind without `begin` starts threads in its own way, so the loops between products have one. */
    kernels->threads = kernels->type->begin != NULL && arithmetic->threads > 1 ? arithmetic->threads : 1;
    if (kernels->type->begin != NULL && arithmetic->threads == 0)
        pst_idle_start(&kernels->idle);
    kernels->waits = true;
    enum pst_status status = kernels->type->check(arithmetic, error);
    size_t most = arithmetic->threads > 0 ? arithmetic->threads : pst_processors();
    if (status == PST_OK && kernels->type->begin != NULL && most > 1 &&
        (kernels->team = pst_team_new(most, error)) == NULL)
        return PST_TRY_AGAIN;
    return status == PST_OK ? kernels->type->open(kernels, error) : status;
}

void pst_kernels_begin(struct pst_kernels *kernels)
{
    if (kernels->type->begin == NULL)
        return;
    if (kernels->arithmetic.threads == 0)
        kernels->threads = pst_idle_threads(&kernels->idle);
    /* A team's helper that has no processor most of the time delays nothing, so there may be one more. */
    if (kernels->arithmetic.threads == 0 && !kernels->waits && kernels->threads < kernels->idle.most)
        kernels->threads++;
    kernels->waits = false;
    if (kernels->team != NULL)
        pst_team_use(kernels->team, kernels->threads);
    kernels->type->begin(kernels);
}

void pst_kernels_close(struct pst_kernels *kernels)
{
    if (kernels->type != NULL && kernels->type->close != NULL)
        kernels->type->close(kernels);
    pst_team_free(kernels->team);
    *kernels = (struct pst_kernels){ 0 };
}
