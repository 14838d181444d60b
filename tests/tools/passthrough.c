#define PST_OLD_FRAME
/*
 * passthrough: the filter that does nothing; what remains is the frame, for tests and measurements of it.
 * With
 * --changed it computes all checksums anew, as a stage must for the tensors that it makes.
 */
#include "pipestill.h"

static bool changed;

static const struct pst_option options[] = {
    { .name = "changed",
      .type = PST_FLAG,
      .target = &changed,
      .silent = true,
      .help = "say of all tensors that they were changed" },
    { 0 },
};

static enum pst_status leave_alone(struct pst_batch *batch, const struct pst_header *header,
                                   struct pst_error *error)
{
    (void)error;
    for (size_t i = 0; changed && i < header->tensor_count; i++)
        pst_batch_changed(batch, i);
    return PST_OK;
}

int main(int argc, char **argv)
{
    return pst_filter_main(
        argc, argv,
        &(struct pst_filter){
            .stage = { .name = "passthrough", .purpose = "hand everything on", .options = options },
            .on_batch = leave_alone,
        });
}
