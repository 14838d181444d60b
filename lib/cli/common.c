/* The options that every stage has, declared once. */
#include "lib/cli/cli.h"

struct pst_cli pst_cli = {
    .input = "-", .output = "-", .threads = 1, .max_message = PST_DEFAULT_MAX_MESSAGE
};

#define INPUT_OPTION                                                                                         \
    {                                                                                                        \
        .letter = 'i', .name = "input", .type = PST_STRING, .target = &pst_cli.input, .metavar = "ENDPOINT", \
        .help = "where to read: - or a file", .silent = true,                                                \
    }
#define OUTPUT_OPTION                                                                   \
    {                                                                                   \
        .letter = 'o', .name = "output", .type = PST_STRING, .target = &pst_cli.output, \
        .metavar = "ENDPOINT", .help = "where to write: - or a file", .silent = true,   \
    }
#define SHARED_OPTIONS                                                              \
    { .name = "max-message",                                                        \
      .type = PST_SIZE,                                                             \
      .target = &pst_cli.max_message,                                               \
      .metavar = "BYTES",                                                           \
      .least = 1024,                                                                \
      .most = 1099511627776.0,                                                      \
      .help = "refuse larger messages",                                             \
      .silent = true },                                                             \
        { .name = "log",                                                            \
          .type = PST_STRING,                                                       \
          .target = &pst_cli.log_path,                                              \
          .metavar = "FILE",                                                        \
          .help = "append events to this file as JSON lines",                       \
          .silent = true },                                                         \
    {                                                                               \
        .letter = 'q', .name = "quiet", .type = PST_FLAG, .target = &pst_cli.quiet, \
        .help = "draw no progress line", .silent = true,                            \
    }
#define THREADS_OPTION                                                                             \
    {                                                                                              \
        .name = "threads", .type = PST_SIZE, .target = &pst_cli.threads, .least = 1, .most = 1024, \
        .help = "threads of the matrix product", .silent = true,                                   \
    }

const struct pst_option *pst_common_options(enum pst_stage_kind kind, bool uses_blas)
{
    static const struct pst_option all[] = {
        THREADS_OPTION, INPUT_OPTION, OUTPUT_OPTION, SHARED_OPTIONS, { 0 }
    };
    static struct pst_option some[sizeof all / sizeof *all];
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        bool wanted = all[i].target == &pst_cli.input     ? kind != PST_SOURCE
                      : all[i].target == &pst_cli.output  ? kind != PST_SINK
                      : all[i].target == &pst_cli.threads ? uses_blas
                                                          : true;
        if (wanted)
            some[count++] = all[i];
    }
    return some;
}
