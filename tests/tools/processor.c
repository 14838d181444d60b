/* processor: prints what decides the bits of a matrix product and of an exponential on this machine: the BLAS
 * with its version and kernel, and whether the processor has fused multiply-add, because the C library uses
 * that. */
#include <cblas.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    char version[64] = "";
    sscanf(openblas_get_config(), "%*s %63s", version);
#if defined(__x86_64__)
    const char *kind = __builtin_cpu_supports("fma") ? "x86-64 with FMA" : "x86-64 without FMA";
#else
    const char *kind = "not x86-64";
#endif
    return printf("OpenBLAS %s %s, %s\n", version, openblas_get_corename(), kind) < 0;
}
