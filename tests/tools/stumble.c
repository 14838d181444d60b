#define PST_OLD_FRAME
/* stumble: a filter that hands everything on, but slowly, and fails or cheats where it is told to. */
#include "pipestill.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static size_t milliseconds;
static uint64_t poison = UINT64_MAX, hang = UINT64_MAX;
static const char *count_file, *allow_file, *claimed;
static bool cheat, add;
static size_t width = 1;
static size_t id_index, added;

static const struct pst_option options[] = {
    { .name = "sleep",
      .type = PST_SIZE,
      .target = &milliseconds,
      .help = "for each batch, milliseconds",
      .silent = true },
    { .name = "poison",
      .type = PST_U64,
      .target = &poison,
      .help = "fail on the batch with this sample",
      .silent = true },
    { .name = "hang",
      .type = PST_U64,
      .target = &hang,
      .help = "wait for ever at the batch with this sample",
      .silent = true },
    { .name = "count",
      .type = PST_STRING,
      .target = &count_file,
      .help = "append a line to this file for each batch",
      .silent = true },
    { .name = "allow",
      .type = PST_STRING,
      .target = &allow_file,
      .help = "wait while --count's file has as many lines as the number in this one says",
      .silent = true },
    { .name = "cheat",
      .type = PST_FLAG,
      .target = &cheat,
      .help = "change the first tensor",
      .silent = true },
    { .name = "claim",
      .type = PST_STRING,
      .target = &claimed,
      .help = "say that the stage before is of this version",
      .silent = true },
    { .name = "add", .type = PST_FLAG, .target = &add, .help = "add a tensor 'extra'", .silent = true },
    { .name = "width",
      .type = PST_SIZE,
      .target = &width,
      .help = "of that tensor, bytes a sample",
      .silent = true },
    { 0 },
};

static enum pst_status declare(struct pst_header *header, struct pst_error *error)
{
    id_index = pst_header_find(header, "id");
    json_t *before = json_array_get(header->history, json_array_size(header->history) - 1);
    if (claimed != NULL && json_object_set_new(before, "version", json_string(claimed)) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    struct pst_tensor_spec extra = { .name = "extra", .dtype = PST_DTYPE_U8, .rank = 1, .shape = { width } };
    return add ? pst_header_add_tensor(header, &extra, &added, error) : PST_OK;
}

static void pause_for(size_t some)
{
    nanosleep(&(struct timespec){ .tv_sec = (time_t)(some / 1000), .tv_nsec = (long)(some % 1000) * 1000000 },
              NULL);
}

static bool is_allowed(void)
{
    FILE *file = allow_file == NULL ? NULL : fopen(allow_file, "r");
    char text[32] = "";
    uint64_t most, lines = 0;
    if (file == NULL)
        return true;
    if (fscanf(file, "%31[0-9]", text) != 1 || !pst_parse_u64(text, 0, UINT32_MAX, &most))
        most = UINT32_MAX; /* just being written */
    fclose(file);
    file = fopen(count_file, "r");
    for (int c = 0; file != NULL && (c = fgetc(file)) != EOF;)
        lines += c == '\n';
    if (file != NULL)
        fclose(file);
    return lines < most;
}

static void count(void)
{
    FILE *file = count_file == NULL ? NULL : fopen(count_file, "a");
    if (file == NULL)
        return;
    fputs("batch\n", file);
    fclose(file);
}

static enum pst_status stumble(struct pst_batch *batch, const struct pst_header *header,
                               struct pst_error *error)
{
    (void)header;
    const uint64_t *ids = id_index == PST_NONE ? NULL : batch->tensors[id_index].data;
    for (size_t i = 0; ids != NULL && i < batch->n; i++) {
        if (ids[i] == poison)
            return pst_fail(error, PST_BAD_DATA, "sample %llu is poison", (unsigned long long)poison);
        while (ids[i] == hang)
            pause_for(1000);
    }
    pause_for(milliseconds);
    while (!is_allowed())
        pause_for(5);
    if (cheat) {
        *(uint8_t *)batch->tensors[0].data ^= 1;
        pst_batch_changed(batch, 0);
    }
    if (add)
        memset(batch->tensors[added].data, 0, batch->n * width);
    count();
    return PST_OK;
}

int main(int argc, char **argv)
{
    return pst_filter_main(
        argc, argv,
        &(struct pst_filter){
            .stage = { .name = "stumble", .purpose = "hand everything on, but slowly", .options = options },
            .on_header = declare,
            .on_batch = stumble,
        });
}
