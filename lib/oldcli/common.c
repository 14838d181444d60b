/* The options that every stage has, declared once. */
#include "lib/oldcli/cli.h"

#include <string.h>

struct pst_cli pst_cli = {
    .input = "-",
    .output = "-",
    .threads = 1,
    .link = { .max_message = PST_DEFAULT_MAX_MESSAGE,
              .peer_timeout = 30,
              .window_messages = 64,
              .window_bytes = (size_t)64 << 20 },
};

/* All of them; which a stage has depends on its kind. */
static const struct pst_option all[] = {
    { .name = "threads",
      .type = PST_SIZE,
      .target = &pst_cli.threads,
      .least = 1,
      .most = 1024,
      .help = "threads of the matrix product",
      .silent = true },
    { .letter = 'i',
      .name = "input",
      .type = PST_STRING,
      .target = &pst_cli.input,
      .metavar = "ENDPOINT",
      .help = "where to read: -, a file, tcp://host:port, ipc://path, or listen: before these two",
      .silent = true },
    { .letter = 'o',
      .name = "output",
      .type = PST_STRING,
      .target = &pst_cli.output,
      .metavar = "ENDPOINT",
      .help = "where to write: -, a file, tcp://host:port, ipc://path, or listen: before these two",
      .silent = true },
    { .name = "max-message",
      .type = PST_SIZE,
      .target = &pst_cli.link.max_message,
      .metavar = "BYTES",
      .least = 1024,
      .most = 1099511627776.0,
      .help = "refuse larger messages",
      .silent = true },
    { .name = "peer-timeout",
      .type = PST_DOUBLE,
      .target = &pst_cli.link.peer_timeout,
      .metavar = "SECONDS",
      .least = 0.5,
      .most = 86400,
      .help = "a link's other side is lost after so long without a sign of life",
      .silent = true },
    { .name = "window",
      .type = PST_SIZE,
      .target = &pst_cli.link.window_messages,
      .metavar = "BATCHES",
      .least = 1,
      .most = 4096,
      .help = "batches that a link's reader lets its writer send ahead",
      .silent = true },
    { .name = "window-bytes",
      .type = PST_SIZE,
      .target = &pst_cli.link.window_bytes,
      .metavar = "BYTES",
      .least = 1,
      .most = 1099511627776.0,
      .help = "and bytes; one batch is always allowed",
      .silent = true },
    { .name = "key",
      .type = PST_STRING,
      .target = &pst_cli.link.key,
      .metavar = "FILE",
      .help = "encrypt links with this key of ours, made by keygen",
      .silent = true },
    { .name = "server-key",
      .type = PST_STRING,
      .target = &pst_cli.link.server_key,
      .metavar = "KEY",
      .help = "connecting: the listener's public key, or a file with it",
      .silent = true },
    { .name = "allow",
      .type = PST_STRING,
      .target = &pst_cli.link.allow,
      .metavar = "FILE",
      .help = "listening: the public keys that may connect, one a line",
      .silent = true },
    { .name = "insecure",
      .type = PST_FLAG,
      .target = &pst_cli.link.insecure,
      .help = "listen beyond this machine without keys",
      .silent = true },
    { .name = "log",
      .type = PST_STRING,
      .target = &pst_cli.log_path,
      .metavar = "FILE",
      .help = "append events to this file as JSON lines",
      .silent = true },
    { .letter = 'q',
      .name = "quiet",
      .type = PST_FLAG,
      .target = &pst_cli.quiet,
      .help = "draw no progress line",
      .silent = true },
    { 0 },
};

const struct pst_link_settings *pst_link_options(void)
{
    return &pst_cli.link;
}

const char *pst_input_name(void)
{
    return strcmp(pst_cli.input, "-") == 0 ? "standard input" : pst_cli.input;
}

static bool is_of_links(const struct pst_option *option)
{
    const char *target = option->target, *link = (const char *)&pst_cli.link;
    return target >= link && target < link + sizeof pst_cli.link;
}

static bool fits_kind(const struct pst_option *option, enum pst_stage_kind kind)
{
    if (option->target == &pst_cli.input)
        return kind == PST_FILTER || kind == PST_SINK;
    if (option->target == &pst_cli.output)
        return kind == PST_FILTER || kind == PST_SOURCE;
    return !is_of_links(option) || kind != PST_TOOL;
}

const struct pst_option *pst_common_options(enum pst_stage_kind kind, bool uses_blas)
{
    static struct pst_option some[sizeof all / sizeof *all];
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].target == &pst_cli.threads ? uses_blas : fits_kind(&all[i], kind))
            some[count++] = all[i];
    }
    return some;
}
