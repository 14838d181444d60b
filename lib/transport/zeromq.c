/* tcp:// and ipc:// endpoints: the ends of links; see link.h. */
#include "lib/transport/link.h"
#include "lib/transport/transport.h"

#define ZEROMQ_TRANSPORT(prefix)                                                                   \
    {                                                                                              \
        .scheme = (prefix), .open_input = pst_link_input_open, .open_output = pst_link_output_open \
    }

const struct pst_transport pst_zeromq_transports[4] = {
    ZEROMQ_TRANSPORT("tcp://"),
    ZEROMQ_TRANSPORT("ipc://"),
    ZEROMQ_TRANSPORT("listen:tcp://"),
    ZEROMQ_TRANSPORT("listen:ipc://"),
};
