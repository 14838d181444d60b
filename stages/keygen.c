/* keygen: makes a pair of CURVE keys for links between machines. */
#include "pipestill.h"

#include <stdio.h>

static const char *path;

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    (void)error;
    path = operands[0];
    return PST_OK;
}

static enum pst_status run(struct pst_error *error)
{
    char key[PST_KEY_TEXT], line[PST_KEY_TEXT + 16];
    enum pst_status status = pst_key_generate(path, key, error);
    if (status != PST_OK)
        return status;
    snprintf(line, sizeof line, "public %s\n", key);
    return pst_print(line, error);
}

int main(int argc, char **argv)
{
    return pst_tool_main(
        argc, argv,
        &(struct pst_tool){
            .stage = { .name = "keygen",
                       .purpose = "make a pair of keys for links between machines",
                       .operands = "FILE",
                       .least_operands = 1,
                       .most_operands = 1,
                       .description =
                           "Writes a new pair of CURVE keys to FILE, which only its owner can read, and the\n"
                           "public one to standard output as a line for an --allow list. FILE must not "
                           "exist.",
                       .example = "keygen trainer.key >>allowed",
                       .see_also = "pipestill(1)",
                       .start = start },
            .run = run });
}
