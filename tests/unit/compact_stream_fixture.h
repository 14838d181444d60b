/* compact_stream_fixture.h: a stream as a pipeline makes it, and its way into a compact form and back. */
#ifndef PIPESTILL_TESTS_COMPACT_STREAM_FIXTURE_H
#define PIPESTILL_TESTS_COMPACT_STREAM_FIXTURE_H

#include "tests/unit/compact_fixture.h"
#include "tests/unit/stream_fixture.h"

#define CLASSES 5

/* A header as a loader and a chain of filters make it: x, y, id, logits/t, soft/t, soft, extra. */
static inline void make_original(struct pst_header *header)
{
    make_header(header);
    header->tensor_count = 3;
    header->classes = CLASSES;
    add_tensor(header, "logits/t", PST_DTYPE_F32, CLASSES);
    add_tensor(header, "soft/t", PST_DTYPE_F32, CLASSES);
    add_tensor(header, "soft", PST_DTYPE_F32, CLASSES);
    add_tensor(header, "extra", PST_DTYPE_F32, 2);
    header->tensors[4].temperature = header->tensors[5].temperature = 20;
    json_array_clear(header->history);
    assert_int_equal(pst_header_append_history(
                         header, "loader", json_pack("{s:s, s:s}", "data", "mnist", "digest", "abc"), NULL),
                     PST_OK);
    assert_int_equal(pst_header_append_history(header, "averager", NULL, NULL), PST_OK);
    header->other = json_pack("{s:i}", "later", 1);
}

static inline void make_targets(struct pst_batch *batch, const struct pst_header *header, uint64_t seq,
                                size_t n)
{
    make_batch(batch, header, seq, seq / 2, n);
    for (size_t t = 0; t < header->tensor_count; t++) {
        bool logits;
        const char *name = header->tensors[t].name;
        logits = strncmp(name, "logits", 6) == 0;
        if (!logits && strncmp(name, "soft", 4) != 0)
            continue;
        for (size_t i = 0; i < n; i++)
            make_row((float *)batch->tensors[t].data + i * CLASSES, CLASSES, 1, seq * n + i);
    }
}

static const struct pst_compact_options every[] = {
    { .form = PST_COMPACT_F32 },
    { .form = PST_COMPACT_F32, .digest = true },
    { .form = PST_COMPACT_U8 },
    { .form = PST_COMPACT_TOP_K, .top = 3 },
    { .form = PST_COMPACT_SAMPLED, .draws = 4, .seed = 3 },
    { .form = PST_COMPACT_U8, .digest = true },
};
#define EVERY (sizeof every / sizeof *every)

/* A plan there and back, over several batches of different sizes. */
struct journey {
    struct pst_header original, compact, restored;
    struct pst_compactor *compactor;
    struct pst_restorer *restorer;
    struct pst_batch from, between, to;
    struct pst_buffer scratch;
};

static inline void begin(struct journey *journey, const struct pst_compact_options *options)
{
    *journey = (struct journey){ 0 };
    make_original(&journey->original);
    assert_int_equal(
        pst_compactor_new(&journey->compactor, &journey->original, options, &journey->compact, NULL), PST_OK);
    assert_int_equal(
        pst_restorer_new(&journey->restorer, &journey->compact, 1 << 20, &journey->restored, NULL), PST_OK);
}

static inline enum pst_status step(struct journey *journey, uint64_t seq, size_t n, struct pst_error *error)
{
    make_targets(&journey->from, &journey->original, seq, n);
    journey->from.tensors[6].crc = 77; /* of `extra`, and wrong: it must be handed on unchanged */
    journey->from.tensors[6].crc_known = true;
    enum pst_status status =
        pst_compactor_pack(journey->compactor, &journey->from, &journey->between, &journey->scratch, error);
    return status == PST_OK ? pst_restorer_batch(journey->restorer, &journey->between, &journey->to,
                                                 &journey->scratch, error)
                            : status;
}

static inline void end(struct journey *journey)
{
    pst_compactor_free(journey->compactor);
    pst_restorer_free(journey->restorer);
    pst_header_free(&journey->original);
    pst_header_free(&journey->compact);
    pst_header_free(&journey->restored);
    pst_batch_free(&journey->from);
    pst_batch_free(&journey->between);
    pst_batch_free(&journey->to);
    pst_buffer_free(&journey->scratch);
}

#endif
