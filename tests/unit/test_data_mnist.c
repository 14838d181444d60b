/* MNIST is found, and is MNIST. The tests that need its files are skipped if MNIST_DIR is not set. */
#include "data_fixture.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_label_counts(const struct pst_dataset *set, const size_t counts[10])
{
    size_t found[10] = { 0 };
    for (size_t i = 0; i < set->samples; i++)
        found[class_of(set, i)]++;
    assert_memory_equal(found, counts, sizeof found);
}

static void open_mnist(struct pst_dataset *set, bool test, size_t samples)
{
    *set = open_good("mnist", test, NULL);
    assert_string_equal(set->name, "mnist");
    assert_int_equal(set->samples, samples);
    assert_int_equal(set->classes, 10);
    assert_int_equal(set->rank, 2);
    assert_int_equal(set->shape[0], 28);
    assert_int_equal(set->shape[1], 28);
}

static bool there_is_no_mnist(void)
{
    const char *folder = getenv("MNIST_DIR");
    return folder == NULL || *folder == '\0';
}

static void the_training_set_is_whole(void **state)
{
    (void)state;
    if (there_is_no_mnist())
        skip();
    static const size_t counts[10] = { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 };
    struct pst_dataset set;
    open_mnist(&set, false, 60000);
    assert_label_counts(&set, counts);
    assert_int_equal(class_of(&set, 0), 5);
    pst_dataset_close(&set);
}

static void the_test_set_is_whole(void **state)
{
    (void)state;
    if (there_is_no_mnist())
        skip();
    static const size_t counts[10] = { 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 };
    struct pst_dataset set;
    open_mnist(&set, true, 10000);
    assert_label_counts(&set, counts);
    assert_int_equal(class_of(&set, 0), 7);
    pst_dataset_close(&set);
}

static void where_there_is_no_mnist_the_message_says_what_to_set(void **state)
{
    (void)state;
    const char *before = getenv("MNIST_DIR");
    char *kept = before != NULL ? strdup(before) : NULL;
    struct pst_dataset set;
    struct pst_error error;
    setenv("MNIST_DIR", "/nowhere", 1);
    assert_int_equal(open_set(&set, "mnist", false, NULL, &error), PST_NO_INPUT);
    assert_non_null(strstr(error.message, "MNIST_DIR=/nowhere"));
    assert_non_null(strstr(error.message, "train-images-idx3-ubyte"));
    if (kept != NULL)
        setenv("MNIST_DIR", kept, 1);
    else
        unsetenv("MNIST_DIR");
    free(kept);
}

/* Writes a set of one white pixel of class 4 under MNIST's names. */
static void write_pixel(const char *folder, const char *images, const char *labels)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, images);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite((const uint8_t[]){ 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 255 }, 1, 17, file);
    fclose(file);
    snprintf(path, sizeof path, "%s/%s", folder, labels);
    file = fopen(path, "wb");
    assert_non_null(file);
    fwrite((const uint8_t[]){ 0, 0, 8, 1, 0, 0, 0, 1, 4 }, 1, 9, file);
    fclose(file);
}

/* With a dot in the names, as some archives have it; and in folders below, as torchvision puts them. */
static void the_usual_spellings_and_folders_are_found(void **state)
{
    (void)state;
    static const char *const below[] = { "", "/MNIST", "/MNIST/raw" };
    char folder[] = "/tmp/pipestill-mnist-XXXXXX", place[64], command[64];
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 3; i++) {
        snprintf(place, sizeof place, "%s%s", folder, below[i]);
        if (i > 0)
            assert_int_equal(mkdir(place, 0700), 0);
    }
    write_pixel(folder, "t10k-images.idx3-ubyte", "t10k-labels-idx1-ubyte");
    write_pixel(place, "train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    char text[64];
    snprintf(text, sizeof text, "mnist:%s", folder);
    for (int test = 0; test < 2; test++) {
        struct pst_dataset set = open_good(text, test, NULL);
        assert_int_equal(set.samples, 1);
        assert_int_equal(class_of(&set, 0), 4);
        pst_dataset_close(&set);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_training_set_is_whole),
        cmocka_unit_test(the_test_set_is_whole),
        cmocka_unit_test(where_there_is_no_mnist_the_message_says_what_to_set),
        cmocka_unit_test(the_usual_spellings_and_folders_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
