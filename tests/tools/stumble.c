/* stumble: a filter that hands everything on, but slowly, and fails or cheats if its options say so. */
#include "pipestill.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct stumble {
    size_t milliseconds, width;
    uint64_t poison, hang;
    const char *count_file, *allow_file;
    bool cheat, lie, add, uneven;
    size_t id, extra; /* places; id may be PST_NONE */
};

static const struct stumble defaults = { .width = 1, .poison = UINT64_MAX, .hang = UINT64_MAX };

#define PLACE(member) offsetof(struct stumble, member)

static const struct pst_option options[] = {
    { 0, "sleep", PST_SIZE, PLACE(milliseconds), "for each batch, milliseconds", .silent = true },
    { 0, "uneven", PST_FLAG, PLACE(uneven),
      "as long as that for one batch, up to four times as long for others", .silent = true },
    { 0, "poison", PST_U64, PLACE(poison), "fail on the batch with this sample", .silent = true },
    { 0, "hang", PST_U64, PLACE(hang), "wait for ever at the batch with this sample", .silent = true },
    { 0, "count", PST_STRING, PLACE(count_file), "append a line to this file for each batch",
      .silent = true },
    { 0, "allow", PST_STRING, PLACE(allow_file),
      "wait while --count's file has as many lines as the number in this one says", .silent = true },
    { 0, "cheat", PST_FLAG, PLACE(cheat), "change the first tensor", .silent = true },
    { 0, "lie", PST_FLAG, PLACE(lie), "change the last tensor", .silent = true },
    { 0, "add", PST_FLAG, PLACE(add), "add a tensor 'extra'", .silent = true },
    { 0, "width", PST_SIZE, PLACE(width), "of that tensor, bytes a sample", .silent = true },
    { 0 },
};

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    struct stumble *stumble = run->self;
    stumble->id = pst_header_find(in, "id");
    if (stumble->cheat)
        pst_header_replace(out, 0);
    if (stumble->lie)
        pst_header_replace(out, in->tensor_count - 1);
    struct pst_tensor_spec extra = {
        .name = "extra", .dtype = PST_DTYPE_U8, .rank = 1, .shape = { stumble->width }
    };
    return stumble->add ? pst_header_add_tensor(out, &extra, &stumble->extra, error) : PST_OK;
}

static void pause_for(size_t some)
{
    nanosleep(&(struct timespec){ .tv_sec = (time_t)(some / 1000), .tv_nsec = (long)(some % 1000) * 1000000 },
              NULL);
}

static bool is_allowed(const struct stumble *stumble)
{
    FILE *file = stumble->allow_file == NULL ? NULL : fopen(stumble->allow_file, "r");
    char text[32] = "";
    uint64_t most, lines = 0;
    if (file == NULL)
        return true;
    if (fscanf(file, "%31[0-9]", text) != 1 || !pst_parse_u64(text, 0, UINT32_MAX, &most))
        most = UINT32_MAX; /* the file is being written */
    fclose(file);
    file = fopen(stumble->count_file, "r");
    for (int c = 0; file != NULL && (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    if (file != NULL)
        fclose(file);
    return lines < most;
}

static void count(const struct stumble *stumble)
{
    FILE *file = stumble->count_file == NULL ? NULL : fopen(stumble->count_file, "a");
    if (file == NULL)
        return;
    fputs("batch\n", file);
    fclose(file);
}

/* Copies a tensor with one byte changed: of an f32 byte 2 holds the larger part of the fraction. */
static void change(const struct pst_tensor *from, const struct pst_tensor *to, size_t byte)
{
    memcpy(to->data, from->data, from->bytes);
    ((uint8_t *)to->data)[byte] ^= 0x41;
}

static enum pst_status hand_on(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                               struct pst_error *error)
{
    const struct stumble *stumble = run->self;
    const uint64_t *ids = stumble->id == PST_NONE ? NULL : in->tensors[stumble->id].data;
    for (size_t i = 0; ids != NULL && i < in->n; i++) {
        if (ids[i] == stumble->poison)
            return pst_fail(error, PST_BAD_DATA, "sample %llu is poison",
                            (unsigned long long)stumble->poison);
        while (ids[i] == stumble->hang)
            pause_for(1000);
    }
    pause_for(stumble->milliseconds * (stumble->uneven ? in->seq * 3 % 5 : 1));
    while (!is_allowed(stumble))
        pause_for(5);
    if (stumble->cheat)
        change(&in->tensors[0], &out->tensors[0], 0);
    if (stumble->lie)
        change(&in->tensors[in->tensor_count - 1], &out->tensors[in->tensor_count - 1], 2);
    if (stumble->add)
        memset(out->tensors[stumble->extra].data, 0, in->n * stumble->width);
    count(stumble);
    return PST_OK;
}

int main(int argc, char **argv)
{
    return pst_main(argc, argv,
                    &(struct pst_stage){ .name = "stumble",
                                         .purpose = "hand everything on, but slowly",
                                         .options = options,
                                         .size = sizeof(struct stumble),
                                         .defaults = &defaults,
                                         .traits = PST_READS | PST_WRITES | PST_PARALLEL,
                                         .on_header = declare,
                                         .on_batch = hand_on });
}
