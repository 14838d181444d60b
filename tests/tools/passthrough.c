/* passthrough: the filter that does nothing; what remains is the frame, for tests and measurements of it. */
#include "pipestill.h"

static enum pst_status leave_alone(struct pst_batch *batch, const struct pst_header *header,
                                   struct pst_error *error)
{
    (void)batch;
    (void)header;
    (void)error;
    return PST_OK;
}

int main(int argc, char **argv)
{
    return pst_filter_main(argc, argv,
                           &(struct pst_filter){
                               .stage = { .name = "passthrough", .purpose = "hand everything on" },
                               .on_batch = leave_alone,
                           });
}
