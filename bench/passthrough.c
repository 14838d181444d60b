/*
 * passthrough.c: a filter that only passes batches on: what codec, checks and pipe cost a stage that does
 * nothing else. With --changed it also computes each tensor's checksum anew, as the stage that made the
 * tensor had to.
 */
#include "pipestill.h"

static bool changed;

static const struct pst_option options[] = {
    { .name = "changed",
      .type = PST_FLAG,
      .target = &changed,
      .silent = true,
      .help = "say of all tensors that they were changed, so that their checksums are computed anew" },
    { 0 },
};

static enum pst_status pass(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
{
    (void)error;
    for (size_t i = 0; changed && i < header->tensor_count; i++)
        pst_batch_changed(batch, i);
    return PST_OK;
}

int main(int argc, char **argv)
{
    return pst_filter_main(argc, argv,
                           &(struct pst_filter){ .stage = { .name = "passthrough",
                                                            .purpose = "pass batches on as they are",
                                                            .options = options,
                                                            .example = "loader digits | passthrough | "
                                                                       "stream-inspect --check",
                                                            .see_also = "stream-inspect(1)" },
                                                 .on_batch = pass });
}
