/*
 * Whether matrices are multiplied as fast as the processor can. If not, someone asked for other kernels, or
 * OpenBLAS does not know the processor, which is newer; the remedy is the same.
 */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pst_multiplied_by(struct pst_run *run, const char *name)
{
    if (name == NULL)
        return;
    run->frame->other_kernels = true;
    pst_log(run, "kernels", json_pack("{s:s}", "kernels", name));
}

void pst_say_slow_blas(struct pst_frame *frame)
{
    const char *unused = NULL;
    const char *kernel = frame->stage->blas_kernel == NULL ? NULL : frame->stage->blas_kernel(&unused);
    if (kernel == NULL || unused == NULL || frame->other_kernels)
        return;
    const char *asked = getenv("OPENBLAS_CORETYPE");
    bool was_asked = asked != NULL && asked[0] != '\0';
    const char *faster = strcmp(unused, "AVX2") == 0 ? "Haswell" : "SkylakeX";
    pst_log(&frame->run, "slow_blas",
            json_pack("{s:s, s:s, s:b, s:s}", "kernel", kernel, "unused", unused, "by_openblas_coretype",
                      was_asked, "faster", faster));
    if (!frame->common.quiet && isatty(STDERR_FILENO))
        pst_say(&frame->run,
                "OpenBLAS multiplies with its %s kernels, which leave this processor's %s unused; set "
                "OPENBLAS_CORETYPE=%s if speed matters more than the same bits elsewhere",
                kernel, unused, faster);
}
