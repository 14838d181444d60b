/* The options that stages have in common, declared once. */
#include "lib/cli/frame.h"

#include <assert.h>
#include <string.h>

#define LINKS (PST_READS | PST_WRITES | PST_LINKS)
#define READERS (PST_READS | PST_LINKS)
/* A trait for this table alone: the stage reads a stream, be it only a recording that an operand names. */
#define READS_STREAMS (1U << 31)
#define PLACE(member) .at = offsetof(struct pst_common, member)

const struct pst_common pst_usual = {
    .input = "-",
    .output = "-",
    .link = { .max_message = PST_DEFAULT_MAX_MESSAGE,
              .peer_timeout = 30,
              .window_messages = 64,
              .window_bytes = (size_t)64 << 20 },
};

/* All of them. A stage has an option if it has one of these traits; 0: every stage has it. */
static const struct {
    unsigned traits;
    struct pst_option option;
} all[] = {
    { PST_BLAS,
      { .name = "threads",
        .type = PST_SIZE,
        PLACE(threads),
        .least = 1,
        .most = 1024,
        .help = "threads of the matrix product; without it OpenBLAS has 1",
        .silent = true } },
    { PST_PARALLEL,
      { .name = "jobs",
        .type = PST_SIZE,
        PLACE(jobs),
        .least = 1,
        .most = 64,
        .help = "batches that are worked on at once; otherwise as many as find an idle processor; the output "
                "is the same",
        .silent = true } },
    { PST_READS,
      { .letter = 'i',
        .name = "input",
        .type = PST_STRING,
        PLACE(input),
        .metavar = "ENDPOINT",
        .files = PST_FILE_READ | PST_FILE_ENDPOINT,
        .help = "where to read: -, a file, [listen:]tcp://host:port or [listen:]ipc://path",
        .silent = true } },
    { PST_WRITES,
      { .letter = 'o',
        .name = "output",
        .type = PST_STRING,
        PLACE(output),
        .metavar = "ENDPOINT",
        .files = PST_FILE_REPLACED | PST_FILE_ENDPOINT,
        .help = "where to write: -, a file, [listen:]tcp://host:port or [listen:]ipc://path",
        .silent = true } },
    { PST_WRITES,
      { .name = "force",
        .type = PST_FLAG,
        PLACE(force),
        .help = "replace the file of --output if there is one already",
        .needs = "output",
        .silent = true } },
    { PST_WRITES,
      { .letter = 'z',
        .name = "zstd",
        .type = PST_U64,
        PLACE(zstd),
        .metavar = "LEVEL",
        .most = 19,
        .help = "compress the output, 1 fast to 19 small; 0: no",
        .silent = true } },
    { READS_STREAMS,
      { .name = "max-message",
        .type = PST_SIZE,
        PLACE(link.max_message),
        .metavar = "BYTES",
        .least = 1024,
        .most = 1099511627776.0,
        .help = "refuse larger messages",
        .silent = true } },
    { LINKS,
      { .name = "peer-timeout",
        .type = PST_DOUBLE,
        PLACE(link.peer_timeout),
        .metavar = "SECONDS",
        .least = 0.5,
        .most = 86400,
        .help = "the other side of a link is lost if nothing comes for this long",
        .needs = "(a link)|follow",
        .silent = true } },
    { READERS,
      { .name = "window",
        .type = PST_SIZE,
        PLACE(link.window_messages),
        .metavar = "BATCHES",
        .least = 1,
        .most = 4096,
        .help = "batches that a link's reader lets its writer send ahead, or that a pool holds",
        .needs = "(a link to read from)",
        .silent = true } },
    { READERS,
      { .name = "window-bytes",
        .type = PST_SIZE,
        PLACE(link.window_bytes),
        .metavar = "BYTES",
        .least = 1,
        .most = 1099511627776.0,
        .help = "the same in bytes; one batch is always allowed",
        .needs = "(a link to read from)",
        .silent = true } },
    { LINKS,
      { .name = "key",
        .type = PST_STRING,
        PLACE(link.key),
        .metavar = "FILE",
        .help = "encrypt links: this side's key file, made by keygen, HOST.key",
        .files = PST_FILE_READ,
        .needs = "(a link)",
        .silent = true } },
    { LINKS,
      { .name = "server-key",
        .type = PST_STRING,
        PLACE(link.server_key),
        .metavar = "KEY",
        .help = "if this side connects: the listener's public key, HOST.public or keygen's line",
        .files = PST_FILE_READ,
        .needs = "(a link that connects)",
        .silent = true } },
    { LINKS,
      { .name = "allow",
        .type = PST_STRING,
        PLACE(link.allow),
        .metavar = "FILE",
        .help = "if this side listens: a file of the public keys that may connect, one a line",
        .files = PST_FILE_READ,
        .needs = "(a link that listens)",
        .silent = true } },
    { LINKS,
      { .name = "insecure",
        .type = PST_FLAG,
        PLACE(link.insecure),
        .help = "listen beyond this machine without keys",
        .needs = "(a link that listens)",
        .silent = true } },
    { 0,
      { .name = "log",
        .type = PST_STRING,
        PLACE(log_path),
        .metavar = "FILE",
        .help = "append events to this file as JSON lines",
        .files = PST_FILE_CHANGED,
        .silent = true } },
    { 0,
      { .letter = 'q',
        .name = "quiet",
        .type = PST_FLAG,
        PLACE(quiet),
        .help = "show no progress line and no advice on speed",
        .silent = true } },
};

static void add_option(struct pst_frame *frame, const struct pst_option *option)
{
    assert(frame->option_count < MOST_OPTIONS); /* their number is fixed in the program's source */
    frame->options[frame->option_count++] = option;
}

static unsigned traits_of(const struct pst_stage *stage)
{
    bool recording =
        (stage->operand_files & PST_FILE_READ) != 0 && (stage->operand_files & PST_FILE_LIST) == 0;
    return stage->traits | ((stage->traits & READERS) != 0 || recording ? READS_STREAMS : 0);
}

void pst_list_options(struct pst_frame *frame)
{
    unsigned traits = traits_of(frame->stage);
    const struct pst_option *own = frame->stage->options;
    for (; own != NULL && own->type != PST_OPTION_END; own++)
        add_option(frame, own);
    frame->own_count = frame->option_count;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].traits == 0 || (all[i].traits & traits) != 0)
            add_option(frame, &all[i].option);
    }
}

const struct pst_link_settings *pst_link_options(const struct pst_run *run)
{
    return &run->frame->common.link;
}

const char *pst_input_name(const struct pst_run *run)
{
    const char *input = run->frame->common.input;
    return strcmp(input, "-") == 0 ? "standard input" : input;
}

void pst_read_from(struct pst_run *run, const char *endpoint)
{
    run->frame->common.input = endpoint;
}
