/* stream-repair: gives a recording that was cut short its true end. */
#include "pipestill.h"

#include <inttypes.h>
#include <stdio.h>

struct repair {
    size_t max_message;
    bool only_next;
    const char *path;
};

static const struct repair defaults = { .max_message = PST_DEFAULT_MAX_MESSAGE };

static const struct pst_option options[] = {
    { 'n', "next", PST_FLAG, offsetof(struct repair, only_next),
      "repair, and print only the number of the next batch, for loader --start" },
    { 0, "max-message", PST_SIZE, offsetof(struct repair, max_message), "refuse larger messages",
      .metavar = "BYTES", .least = 1024, .most = 1099511627776.0 },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)error;
    ((struct repair *)run->self)->path = operands[0];
    return PST_OK;
}

static enum pst_status mend(struct pst_run *run, struct pst_streams *streams, struct pst_error *error)
{
    (void)streams;
    const struct repair *asked = run->self;
    struct pst_repair repair;
    enum pst_status status = pst_recording_repair(asked->path, asked->max_message, &repair, error);
    if (repair.unlocked)
        pst_say_unlocked(run, asked->path);
    if (status != PST_OK)
        return status;
    char line[sizeof repair.path + 256], cut[80] = "";
    if (repair.cut > 0)
        snprintf(cut, sizeof cut, "; %" PRIu64 " bytes of a broken one were cut off", repair.cut);
    if (asked->only_next)
        snprintf(line, sizeof line, "%" PRIu64, repair.next);
    else if (repair.was_whole)
        snprintf(line, sizeof line, "%s: was whole, %" PRIu64 " batches, %" PRIu64 " samples", repair.path,
                 repair.trailer.batches, repair.trailer.samples);
    else
        snprintf(line, sizeof line,
                 "%s: whole now, %" PRIu64 " batches, %" PRIu64
                 " samples%s; to go on: loader --start %" PRIu64,
                 repair.path, repair.trailer.batches, repair.trailer.samples, cut, repair.next);
    return pst_print_line(run, line, error);
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "stream-repair",
                        .purpose = "repair a recording that was cut short",
                        .operands = "RECORDING",
                        .least_operands = 1,
                        .most_operands = 1,
                        .operand_files = PST_FILE_READ | PST_FILE_CHANGED,
                        .description =
                            "Cuts the file off after its last whole batch, writes a trailer and an index, "
                            "and renames\nNAME.part to NAME. A recording that is damaged in its middle "
                            "is left as it is.\n"
                            "loader --start makes the rest, and replay writes both as one recording.",
                        .example = "stream-repair transfer.pst.part",
                        .see_also = "replay(1), loader(1), stream-inspect(1)",
                        .options = options,
                        .size = sizeof(struct repair),
                        .defaults = &defaults,
                        .start = start,
                        .run_all = mend,
                    });
}
