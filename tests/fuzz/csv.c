/* A table in text, plain or gzip, with the options that the first byte chooses; then again, with --like the
 * first one. */
#include "tests/fuzz/fuzz.h"

#include "lib/data/csv/csv.h"

/* Opens the set and reads its first and last row. */
static bool read_table(struct pst_dataset *set, const struct pst_dataset_request *request)
{
    struct pst_error error;
    const struct pst_dataset_type *type;
    const char *argument;
    if (pst_dataset_find("csv:", &type, &argument, &error) != PST_OK)
        abort();
    if (pst_dataset_open(set, type, request, &error) != PST_OK)
        return false;
    size_t elements = pst_dataset_elements(set);
    float *x = malloc(elements * sizeof *x), *raw = malloc(elements * sizeof *raw);
    if (x == NULL || raw == NULL)
        abort();
    (void)pst_dataset_read(set, 0, NULL, x, raw, &error);
    (void)pst_dataset_read(set, set->samples - 1, NULL, x, raw, &error);
    free(x);
    free(raw);
    return true;
}

static struct pst_csv_settings choose(uint8_t byte)
{
    struct pst_csv_settings settings = { .header = byte % 3,
                                         .mean = byte >> 2 & 1,
                                         .zeros = byte >> 3 & 1,
                                         .regression = byte >> 4 & 1,
                                         .id = byte & 32 ? "1" : NULL,
                                         .weight = byte & 64 ? "2" : NULL,
                                         .label = { byte >> 7, { "3,a" } } };
    if (byte & 4)
        settings.missing_values = (struct pst_csv_list){ 1, { "?,NA" } };
    return settings;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *path = fuzz_file(data + 1, size - 1);
    struct pst_csv_settings settings = choose(data[0]);
    struct pst_dataset_request request = {
        .settings = &settings, .count = 1, .arguments = &path, .max_memory = (size_t)16 << 20
    };
    struct pst_dataset set, again;
    (void)pst_csv_recognises(data + 1, size - 1 < PST_FILE_START ? size - 1 : PST_FILE_START);
    if (!read_table(&set, &request))
        return 0;
    struct pst_likeness like = { .name = "a",
                                 .columns = set.columns,
                                 .column = set.column,
                                 .classes = set.classes,
                                 .class_names = set.class_names,
                                 .outputs = set.label_kind > PST_LABELS_CLASS ? 1 : 0,
                                 .output_names = set.output_names };
    request.like = &like;
    if (read_table(&again, &request))
        pst_dataset_close(&again);
    pst_dataset_close(&set);
    return 0;
}
