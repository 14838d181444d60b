/* The options of all types of sets and of all augmentations as options of one stage. Each has settings of its
 * own in the stage's struct; types that have an option of the same name share it. */
#include "stages/loader/loader.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A row of one of the tables, and the place of its settings among those of the loader. */
struct owner {
    const struct pst_settings *settings;
    const struct pst_dataset_type *type; /* NULL: it is an augmentation */
    size_t at;
};

/* The owner of a number; settings is NULL after the last. */
static struct owner owner_at(size_t number)
{
    struct owner owner = { 0 };
    size_t types = 0;
    while (pst_dataset_types[types] != NULL)
        types++;
    for (size_t i = 0;; i++) {
        const struct pst_augmentation *augmentation = i < types ? NULL : pst_augmentations[i - types];
        owner.type = i < types ? pst_dataset_types[i] : NULL;
        owner.settings = i < types              ? &owner.type->settings
                         : augmentation != NULL ? &augmentation->settings
                                                : NULL;
        if (i == number || owner.settings == NULL)
            return owner;
        size_t align = _Alignof(max_align_t);
        owner.at += (owner.settings->size + align - 1) / align * align;
    }
}

static size_t count_options(const struct pst_option *options)
{
    size_t count = 0;
    while (options != NULL && options[count].type != PST_OPTION_END)
        count++;
    return count;
}

static const struct pst_option *find_option(const struct pst_option *options, const char *name)
{
    for (size_t i = 0; i < count_options(options); i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

/* Appends options whose settings are at a place in the loader. tensor: the one that they affect. */
static void append(struct pst_option *options, const struct pst_option *more, size_t at, const char *tensor)
{
    for (size_t i = 0; i < count_options(more); i++) {
        size_t count = count_options(options);
        if (find_option(options, more[i].name) != NULL)
            continue;
        assert(count + 1 < MOST_OPTIONS);
        options[count] = more[i];
        options[count].at += at;
        if (tensor != NULL)
            options[count].tensor = tensor;
    }
}

void list_options(const struct pst_option *own, struct pst_option options[MOST_OPTIONS],
                  struct loader *defaults)
{
    const size_t settings = offsetof(struct loader, settings);
    memset(options, 0, MOST_OPTIONS * sizeof *options);
    append(options, pst_view_options.options, offsetof(struct loader, chosen), NULL);
    memcpy(&defaults->chosen, pst_view_options.defaults, pst_view_options.size);
    append(options, own, 0, NULL);
    for (size_t i = 0; owner_at(i).settings != NULL; i++) {
        struct owner owner = owner_at(i);
        assert(owner.at + owner.settings->size <= SETTINGS_BYTES);
        append(options, owner.settings->options, settings + owner.at, owner.type == NULL ? "x" : NULL);
        if (owner.settings->defaults != NULL)
            memcpy(defaults->settings + owner.at, owner.settings->defaults, owner.settings->size);
    }
}

/* Bytes of an option's value. */
static size_t value_size(const struct pst_option *option)
{
    static const size_t sizes[] = { [PST_FLAG] = sizeof(bool),     [PST_POSITIVE_DOUBLE] = sizeof(double),
                                    [PST_DOUBLE] = sizeof(double), [PST_SIZE] = sizeof(size_t),
                                    [PST_U64] = sizeof(uint64_t),  [PST_STRING] = sizeof(const char *),
                                    [PST_CHOICE] = sizeof(int),    [PST_LIST] = 0 };
    return sizes[option->type];
}

/* Copies the values of options that an earlier owner has under the same name. */
static void take_shared(struct loader *loader, const struct owner *own, const struct owner *before)
{
    for (size_t i = 0; i < count_options(own->settings->options); i++) {
        const struct pst_option *option = &own->settings->options[i];
        const struct pst_option *first = find_option(before->settings->options, option->name);
        if (first != NULL)
            memcpy(loader->settings + own->at + option->at, loader->settings + before->at + first->at,
                   value_size(option));
    }
}

/* Refuses the options of one type that were given for another, which does not have them. */
static enum pst_status refuse_options(struct pst_run *run, const struct pst_dataset_type *other,
                                      const struct pst_dataset_type *type, struct pst_error *error)
{
    const struct pst_option *options = other->settings.options;
    for (size_t i = 0; i < count_options(options); i++) {
        if (find_option(type->settings.options, options[i].name) == NULL &&
            pst_options_given(run, (const char *const[]){ options[i].name, NULL }) != NULL)
            return pst_fail(error, PST_USAGE, "--%s is for %s, and not for %s", options[i].name, other->name,
                            type->name);
    }
    return PST_OK;
}

enum pst_status find_settings(struct pst_run *run, const struct pst_dataset_type *type, const void **settings,
                              struct pst_error *error)
{
    struct loader *loader = run->self;
    size_t number = 0;
    while (owner_at(number).type != type)
        number++;
    struct owner own = owner_at(number);
    for (size_t i = number; i-- > 0;) { /* the first owner has the value, so it is copied last */
        struct owner before = owner_at(i);
        take_shared(loader, &own, &before);
    }
    *settings = loader->settings + own.at;
    enum pst_status status = PST_OK;
    for (size_t i = 0; pst_dataset_types[i] != NULL && status == PST_OK; i++)
        status = refuse_options(run, pst_dataset_types[i], type, error);
    return status;
}

void find_augmentations(struct loader *loader, const void *settings[PST_MAX_AUGMENTATIONS])
{
    size_t count = 0;
    for (size_t i = 0; owner_at(i).settings != NULL; i++)
        if (owner_at(i).type == NULL)
            settings[count++] = loader->settings + owner_at(i).at;
}

void describe_sets(FILE *text)
{
    for (size_t i = 0; pst_dataset_types[i] != NULL; i++) {
        const struct pst_dataset_type *type = pst_dataset_types[i];
        char usage[64];
        snprintf(usage, sizeof usage, "%s%s%s%s", type->name, type->arguments != NULL ? "[:" : "",
                 type->arguments != NULL ? type->arguments : "", type->arguments != NULL ? "]" : "");
        fprintf(text, "\n  %-22s %s", usage, type->help);
    }
    fputs("\n\nImages and sound are changed by:\n", text);
    for (size_t i = 0; pst_augmentations[i] != NULL; i++)
        fprintf(text, "\n  %-22s %s", pst_augmentations[i]->name, pst_augmentations[i]->help);
}
