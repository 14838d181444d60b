/* OpenBLAS's own memory, and its kernels. */
#include "lib/nn/blas.h"

#include "pipestill/nn.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

/* Weak, because other libraries with cblas.h do not have it. */
extern char *openblas_get_corename(void) __attribute__((weak));

/* So wide that OpenBLAS does not use its way for small matrices, which needs no buffer. */
enum { WIDTH = 128 };

enum pst_status pst_blas_claim(struct pst_error *error)
{
    enum pst_status status = pst_check_blas_memory(1, error);
    float *zeros = status == PST_OK ? pst_allocate(2 * WIDTH * WIDTH, sizeof *zeros, error) : NULL;
    if (zeros == NULL)
        return PST_TRY_AGAIN;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, WIDTH, WIDTH, WIDTH, 1, zeros, WIDTH, zeros, WIDTH,
                0, zeros + WIDTH * WIDTH, WIDTH);
    free(zeros);
    return PST_OK;
}

/* OpenBLAS's kernels for x86-64 that do not use AVX2; and those that use it, but not AVX-512. */
static const char *const without_avx2[] = {
    "Prescott",   "Core2",       "Penryn", "Dunnington",   "Nehalem",     "Atom",
    "Nano",       "Opteron",     "Bobcat", "Opteron_SSE3", "Barcelona",   "Bulldozer",
    "Piledriver", "Steamroller", "Athlon", "Northwood",    "Sandybridge", NULL
};
static const char *const without_avx512[] = { "Haswell", "Zen", "Excavator", NULL };

static bool is_among(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

/* The parts of AVX-512 that OpenBLAS's kernels need; below, those of AVX2. A processor must have all. */
static bool has_avx512(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static bool has_avx2(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

const char *pst_blas_kernel(const char **unused)
{
    const char *name = openblas_get_corename == NULL ? NULL : openblas_get_corename();
    *unused = NULL;
    if (name == NULL)
        return NULL;
    bool old = is_among(name, without_avx2);
    if ((old || is_among(name, without_avx512)) && has_avx512())
        *unused = "AVX-512";
    else if (old && has_avx2())
        *unused = "AVX2";
    return name;
}
