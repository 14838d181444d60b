/* data_fixture.h: what the tests of data sets share: sets and settings by the names of their options. */
#ifndef PIPESTILL_TESTS_DATA_FIXTURE_H
#define PIPESTILL_TESTS_DATA_FIXTURE_H

#include "pipestill/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST_SETTINGS 1024

/* Settings as a program's options would set them: pairs of names and values. */
struct settings {
    _Alignas(16) unsigned char bytes[MOST_SETTINGS];
};

static inline void set_option(const struct pst_settings *of, struct settings *settings, const char *name,
                              const char *value)
{
    const struct pst_option *option = of->options;
    while (option->type != PST_OPTION_END && strcmp(option->name, name) != 0)
        option++;
    unsigned char *place = settings->bytes + option->at;
    size_t size = strtoull(value != NULL ? value : "", NULL, 10);
    double number = strtod(value != NULL ? value : "", NULL);
    if (option->type == PST_STRING)
        memcpy(place, &value, sizeof value);
    else if (option->type == PST_SIZE || option->type == PST_U64)
        memcpy(place, &size, sizeof size);
    else if (option->type == PST_DOUBLE)
        memcpy(place, &number, sizeof number);
    else if (option->type == PST_FLAG)
        *place = 1;
    else
        fail_msg("there is no option '%s' that the fixture can set", name);
}

/* options: name, value, name, value, …, NULL. */
static inline struct settings make_settings(const struct pst_settings *of, const char *const *options)
{
    struct settings settings = { 0 };
    assert_in_range(of->size, 0, MOST_SETTINGS);
    if (of->defaults != NULL)
        memcpy(settings.bytes, of->defaults, of->size);
    for (; options != NULL && options[0] != NULL; options += 2)
        set_option(of, &settings, options[0], options[1]);
    return settings;
}

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Opens the set that a text names, as loader would. */
static inline enum pst_status open_set(struct pst_dataset *set, const char *text, bool test,
                                       const char *const *options, struct pst_error *error)
{
    const struct pst_dataset_type *type;
    const char *argument;
    *set = (struct pst_dataset){ 0 };
    enum pst_status status = pst_dataset_find(text, &type, &argument, error);
    if (status != PST_OK)
        return status;
    struct settings settings = make_settings(&type->settings, options);
    struct pst_dataset_request request = {
        .settings = settings.bytes, .count = argument != NULL, .arguments = &argument, .test = test
    };
    return pst_dataset_open(set, type, &request, error);
}

static inline struct pst_dataset open_good(const char *text, bool test, const char *const *options)
{
    struct pst_dataset set;
    struct pst_error error = { 0 };
    if (open_set(&set, text, test, options, &error) != PST_OK)
        fail_msg("%s", error.message);
    return set;
}

/* The class of a sample. */
static inline int32_t class_of(const struct pst_dataset *set, size_t index)
{
    assert_int_equal(set->label_kind, PST_LABELS_CLASS);
    return ((const int32_t *)set->labels)[index];
}

/* A sample as the set has it. */
static inline void get_good(const struct pst_dataset *set, size_t index, void *elements)
{
    assert_int_equal(set->type->get(set, index, elements, NULL), PST_OK);
}

/* The augmentation of that name. */
static inline const struct pst_augmentation *augmentation_of(const char *name)
{
    size_t i = 0;
    while (pst_augmentations[i] != NULL && strcmp(pst_augmentations[i]->name, name) != 0)
        i++;
    assert_non_null(pst_augmentations[i]);
    return pst_augmentations[i];
}

#endif
