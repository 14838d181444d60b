/* keygen: makes a pair of CURVE keys for links between machines. */
#include "pipestill.h"

#include <stdio.h>

struct keygen {
    const char *path;
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)error;
    ((struct keygen *)run->self)->path = operands[0];
    return PST_OK;
}

static enum pst_status make_keys(struct pst_run *run, struct pst_streams *streams, struct pst_error *error)
{
    (void)streams;
    const struct keygen *keygen = run->self;
    char key[PST_KEY_TEXT], line[PST_KEY_TEXT + 16];
    enum pst_status status = pst_key_generate(keygen->path, key, error);
    if (status != PST_OK)
        return status;
    snprintf(line, sizeof line, "public %s\n", key);
    return pst_print(run, line, error);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "keygen",
            .purpose = "make a pair of keys for links between machines",
            .operands = "FILE",
            .least_operands = 1,
            .most_operands = 1,
            .operand_files = PST_FILE_CHANGED,
            .description =
                "Writes a new pair of CURVE keys to FILE, for --key, and the public one as a line to\n"
                "standard output, for the other side's --server-key or its list for --allow.\n"
                "FILE must not exist yet. Only its owner can read it. Keep it on this machine.",
            .example = "keygen head.key >head.public",
            .see_also = "pipestill(1)",
            .size = sizeof(struct keygen),
            .start = start,
            .run_all = make_keys,
        });
}
