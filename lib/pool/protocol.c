/* Messages between a dispatcher and its workers; see protocol.h. */
#include "lib/pool/protocol.h"

#include <string.h>
#include <sys/uio.h>

enum pst_status pst_pool_send(struct pst_socket *socket, const uint8_t *peer,
                              const struct pst_pool_control *control, const void *bytes, size_t size,
                              struct pst_error *error)
{
    struct pst_pool_control whole = *control;
    memcpy(whole.magic, "PSTP", sizeof whole.magic);
    whole.version = PST_POOL_VERSION;
    struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
    struct pst_payload *payload = bytes == NULL ? NULL : pst_payload_new(&part, 1, error);
    if (bytes != NULL && payload == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_socket_send(socket, peer, &whole, sizeof whole, payload, error);
    pst_payload_free(payload);
    return status;
}

enum pst_status pst_pool_parse(const struct pst_message *message, struct pst_pool_control *control,
                               struct pst_error *error)
{
    if (message->control_size != sizeof *control || memcmp(message->control, "PSTP", 4) != 0)
        return pst_fail(error, PST_BAD_DATA, "a message that is not of dispatcher and worker");
    memcpy(control, message->control, sizeof *control);
    if (control->version != PST_POOL_VERSION)
        return pst_fail(error, PST_UNAVAILABLE, "it speaks version %u, this side version %d",
                        control->version, PST_POOL_VERSION);
    return PST_OK;
}

void pst_pool_text(const struct pst_message *message, char *text, size_t size)
{
    size_t length = message->payload_size < size - 1 ? message->payload_size : size - 1;
    if (length > 0)
        memcpy(text, message->payload, length);
    text[length] = '\0';
    pst_make_plain(text);
}
