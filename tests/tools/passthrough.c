/*
 * passthrough: a filter that does nothing, for tests and measurements of the frame. With --changed it
 * computes all checksums anew, as a stage must for the tensors that it makes.
 */
#include "pipestill.h"

struct passthrough {
    bool changed;
};

static const struct pst_option options[] = {
    { 0, "changed", PST_FLAG, offsetof(struct passthrough, changed),
      "say of all tensors that they were changed", .silent = true },
    { 0 },
};

static enum pst_status leave_alone(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                                   struct pst_error *error)
{
    (void)in, (void)error;
    const struct passthrough *passthrough = run->self;
    for (size_t i = 0; passthrough->changed && i < out->tensor_count; i++)
        out->tensors[i].crc_known = false;
    return PST_OK;
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){ .name = "passthrough",
                                         .purpose = "hand everything on",
                                         .options = options,
                                         .size = sizeof(struct passthrough),
                                         .traits = PST_READS | PST_WRITES | PST_PARALLEL,
                                         .on_batch = leave_alone });
}
