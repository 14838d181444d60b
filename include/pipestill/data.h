/*
 * data.h: where samples come from. The types of data sets are a table, one file a type (lib/data/sets);
 * view.h has what a program sees of a set. Independent of streams and networks. docs/adding-a-data-set.md
 * adds a type.
 */
#ifndef PIPESTILL_DATA_H
#define PIPESTILL_DATA_H

#include "pipestill/base.h"
#include "pipestill/option.h"

#define PST_MAX_SAMPLE_RANK 7
#define PST_MAX_CLASSES (1U << 24)

/* ---- elements ---------------------------------------------------------------------------------------- */

/* The types of a set's elements. */
enum pst_element {
    PST_ELEMENT_U8,
    PST_ELEMENT_I8,
    PST_ELEMENT_U16,
    PST_ELEMENT_I16,
    PST_ELEMENT_U32,
    PST_ELEMENT_I32,
    PST_ELEMENT_U64,
    PST_ELEMENT_I64,
    PST_ELEMENT_F16,
    PST_ELEMENT_F32,
    PST_ELEMENT_F64
};

/* Bytes of one element. */
size_t pst_element_size(enum pst_element element);

/* Its name, as "f32". */
const char *pst_element_name(enum pst_element element);

/* One of several elements as a number: exact, or the nearest double for whole numbers beyond 2^53. */
double pst_element_number(enum pst_element element, const void *elements, size_t index);

/*
 * Turns elements into numbers, scale · element + offset in double, rounded to f32.
 * numbers: receives [count]. Returns the place of the first that is not finite, or count.
 */
size_t pst_element_numbers(enum pst_element element, const void *elements, size_t count, double scale,
                           double offset, float *numbers);

/* ---- what samples are made of -------------------------------------------------------------------------- */

/* The kinds of a set's labels. */
enum pst_label_kind {
    PST_LABELS_NONE,
    PST_LABELS_CLASS,   /* int32_t, 0 … classes - 1 */
    PST_LABELS_NUMBERS, /* float */
    PST_LABELS_BITS     /* uint8_t, 0 or 1 */
};

/* A column of a table: one element of a sample, or one for each of its categories. */
struct pst_column {
    const char *name;
    size_t categories;           /* 0: the column holds numbers */
    const char *const *category; /* [categories]; the element of a row's category is 1, the others are 0 */
    double missing;              /* replaces a missing number; NaN: missing numbers are refused */
};

/*
 * Mean and standard deviation of each channel's numbers. The channels of a sample with one dimension are its
 * elements; with three or more, its first dimension; other samples have one channel. {0}: there is none.
 */
struct pst_standard {
    size_t channels;
    double *mean;      /* [channels]; owned, with the deviations in the same block */
    double *deviation; /* [channels], > 0 */
};

/* The properties of samples and labels that a model or a recording was made from. */
struct pst_likeness {
    const char *name;                /* the file that has them, for messages */
    size_t columns;                  /* 0: samples are not rows of a table */
    const struct pst_column *column; /* [columns] */
    struct pst_standard standard;
    const char *made;                /* how numbers were made, as pst_dataset.made; NULL: not known */
    const char *splice;              /* "20,5", as in a view's settings; NULL: not known */
    size_t classes;                  /* 0: not known, or labels are not classes */
    const char *const *class_names;  /* [classes]; NULL: not known */
    struct pst_standard targets;     /* of labels that are numbers; no channels: not known */
    size_t outputs;                  /* numbers or bits of a label; 0: not known */
    const char *const *output_names; /* [outputs]; NULL: not known */
};

/* ---- data sets --------------------------------------------------------------------------------------- */

struct pst_dataset_type;

/* Samples in sequence, such as the frames of an utterance: `count` from `first` on. */
struct pst_sequence {
    size_t first, count; /* count ≥ 1 */
    uint32_t speaker;    /* its number; sequences of one speaker are held out together */
};

/*
 * A set of samples that is open. A sample's id is the same in every run, and no sample of a test part has
 * the id of one of the training part, unless the two parts are separate files or arrays. {0} is closed.
 */
struct pst_dataset {
    const struct pst_dataset_type *type;
    char name[64]; /* for people: what messages and histories call it */
    size_t samples;
    enum pst_element element;
    size_t rank; /* of one sample: 2 for an image of one plane, 3 for planes behind one another */
    size_t shape[PST_MAX_SAMPLE_RANK];
    double scale, offset; /* an element e stands for the number scale · e + offset */
    enum pst_label_kind label_kind;
    size_t classes;                  /* of labels that are a class */
    size_t label_width;              /* numbers or bits of one label; 0: a label is a single one, not a row */
    void *labels;                    /* [samples, label_width or 1], of the kind's type; NULL: none; owned */
    const char *const *class_names;  /* [classes], one block with the texts in it; NULL; owned */
    const char *const *output_names; /* [label_width or 1], of numbers or bits, likewise; NULL; owned */
    float *weights;                  /* [samples], ≥ 0: how much each counts; NULL; owned */
    size_t columns;                  /* of a table; 0: samples are not rows of a table */
    const struct pst_column *column; /* [columns]; owned by the type, valid while the set is open */
    struct pst_standard standard;    /* of the numbers: a view of a set that does not hold bytes shows
                                        (number - mean) / deviation; owned */
    struct pst_standard targets;     /* of labels that are numbers; these are not standardised; owned */
    uint64_t first_id;               /* of sample 0; the others count up from it, unless the set has ids */
    uint64_t *ids;                   /* [samples]; NULL; owned */
    size_t sequences;                /* how many the samples form, one after another; 0: none */
    struct pst_sequence *sequence;   /* [sequences]; owned */
    char digest[PST_DIGEST_TEXT];    /* SHA-256 of the contents, whatever the files' names */
    char made[512];   /* how numbers were made from the files' contents, with all settings; "": unchanged */
    char notice[256]; /* a choice of the type that the user should know; "": nothing */
    void *own;        /* the type's */
};

/* The settings of a type of set or an augmentation, and their options. */
struct pst_settings {
    const struct pst_option *options; /* their `at` is a place in the settings; NULL: it has none */
    size_t size;                      /* bytes of the settings */
    const void *defaults;             /* NULL: zeros */
};

/* Options that types of sets with labels in files share. place: in the settings, of a size_t, a double, a
 * bool and a text. */
#define PST_CLASSES_OPTION(place)                                                                        \
    {                                                                                                    \
        .name = "classes", .type = PST_SIZE, .at = (place), .most = PST_MAX_CLASSES, .of_samples = true, \
        .help = "number of classes; 0: the largest label plus one"                                       \
    }
#define PST_FIRST_LABEL_OPTION(place)                                                                 \
    {                                                                                                 \
        .name = "first-label", .type = PST_DOUBLE, .at = (place), .metavar = "N", .least = INT32_MIN, \
        .most = INT32_MAX, .help = "number of the first class in files"                               \
    }
#define PST_REGRESSION_OPTION(place)                           \
    {                                                          \
        .name = "regression", .type = PST_FLAG, .at = (place), \
        .help = "labels are numbers to predict, not classes"   \
    }
#define PST_WEIGHT_OPTION(place)                                                    \
    {                                                                               \
        .name = "weight", .type = PST_STRING, .at = (place), .metavar = "NAME",     \
        .help = "the column, or the array, of weights: how much each sample counts" \
    }

/* What a user specifies for a set. */
struct pst_dataset_request {
    const void *settings;            /* the type's own */
    size_t count;                    /* of arguments: 0 … most_arguments of the type */
    const char *const *arguments;    /* files as a rule; borrowed during the call */
    bool test;                       /* the test part; only if the type has one */
    const struct pst_likeness *like; /* what samples have to match; NULL: nothing */
    size_t max_memory;               /* bytes that the files' contents may take in memory; 0: any number */
};

/* Which samples will be read next, and how the sound that they are made of is changed. */
struct pst_plan {
    const size_t *samples; /* [count], in that order */
    size_t count;
    uint64_t seed, epoch;
    const void *const *changes; /* the settings of augmentations of sound, in the order of their table, and
                                   NULL for those that are off; NULL: all are off */
};

/*
 * A type of data set: one file in lib/data/sets and one row in the table there.
 *
 * open: fills all of dataset but type. close is called also after a failure.
 * get: writes sample number index, 0 … samples - 1, to elements: as many as its shape has. Allocates nothing
 *   from sample to sample. One thread calls it at a time. Its message says what is wrong; place gives the
 *   sample's place. With request->like, a type that has columns, or finds the names of its classes itself,
 *   takes these from there; the library then compares the rest, and takes over the standard.
 * near: the same for the sample that is `offset` places away in the same sequence, or for the sequence's
 *   first or last sample if there is no such sample. NULL: samples are in no sequence.
 * plan: receives which samples will be read next, in which order, so that they can be prepared; the plan is
 *   valid during the call. get must also work in any other order. NULL: the type does not use it.
 * place: names a sample for messages, "x.idx, sample 7"; NULL: messages use the set's name and the number.
 * close: frees what own leads to.
 */
struct pst_dataset_type {
    const char *name;
    const char *help;      /* what it is, and where its files are searched for */
    const char *arguments; /* what may follow "NAME:" on a command line; NULL: nothing */
    size_t most_arguments;
    const char *named_by; /* the option that selects this type if none is named; NULL: there is none */
    bool has_test_part;
    struct pst_settings settings;
    bool (*recognises)(const unsigned char *start, size_t size); /* a file by its first bytes; NULL: none */
    const char *endings; /* of files that are of this type, whatever is in them: " .csv .tsv "; NULL: none */
    bool takes_folders;  /* a folder that is named without a type is of this one */
    enum pst_status (*open)(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                            struct pst_error *error);
    enum pst_status (*get)(const struct pst_dataset *dataset, size_t index, void *elements,
                           struct pst_error *error);
    enum pst_status (*near)(const struct pst_dataset *dataset, size_t index, ptrdiff_t offset, void *elements,
                            struct pst_error *error);
    enum pst_status (*plan)(const struct pst_dataset *dataset, const struct pst_plan *plan,
                            struct pst_error *error);
    void (*place)(const struct pst_dataset *dataset, size_t index, char *text, size_t size);
    void (*close)(struct pst_dataset *dataset);
};

/* The table; ended by NULL. */
extern const struct pst_dataset_type *const pst_dataset_types[];

/*
 * Finds the type for "NAME", "NAME:ARGUMENT" or a file; a file is recognised by its first bytes, plain or
 * gzip.
 * text: NULL if the user named nothing. argument: receives what follows the name, or the file; NULL if there
 * is neither. Returns PST_OK; PST_USAGE for a name that no type has, or a file that no type recognises;
 * PST_NO_INPUT.
 */
PST_CHECKED enum pst_status pst_dataset_find(const char *text, const struct pst_dataset_type **type,
                                             const char **argument, struct pst_error *error);

/*
 * Opens a set. settings of the request: NULL for the type's defaults.
 * Returns PST_OK; PST_USAGE for a request that is not possible; PST_NO_INPUT; PST_BAD_DATA, with the file
 * and the place; PST_IO_ERROR; PST_TRY_AGAIN. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_dataset_open(struct pst_dataset *dataset, const struct pst_dataset_type *type,
                                             const struct pst_dataset_request *request,
                                             struct pst_error *error);

/* Frees what a data set holds and makes it {0}. */
void pst_dataset_close(struct pst_dataset *dataset);

/* Elements of one sample. */
size_t pst_dataset_elements(const struct pst_dataset *dataset);

/*
 * Reads a sample: bytes as they are, all other elements as f32.
 * index: 0 … samples - 1. standard: of the channels; numbers are standardised by it; NULL: they are not.
 * x: receives the elements. raw: room for a sample as the set has it.
 * Returns PST_OK; PST_BAD_DATA for numbers that are not finite; what the type's get returns. The message
 * names the sample.
 */
PST_CHECKED enum pst_status pst_dataset_read(const struct pst_dataset *dataset, size_t index,
                                             const struct pst_standard *standard, void *x, void *raw,
                                             struct pst_error *error);

/*
 * Reads a sample and its neighbours, one after another: before + 1 + after samples. Beyond the ends of the
 * sequence its first or last is repeated. Otherwise as pst_dataset_read.
 * dataset: has sequences.
 */
PST_CHECKED enum pst_status pst_dataset_read_spliced(const struct pst_dataset *dataset, size_t index,
                                                     size_t before, size_t after,
                                                     const struct pst_standard *standard, void *x, void *raw,
                                                     struct pst_error *error);

uint64_t pst_dataset_id(const struct pst_dataset *dataset, size_t index);

/* Announces which samples will be read next: see the type's plan. Returns PST_OK or what the type's plan
 * returns. */
PST_CHECKED enum pst_status pst_dataset_plan(const struct pst_dataset *dataset, const struct pst_plan *plan,
                                             struct pst_error *error);

/* Bytes of one label; 0 if there are none. */
size_t pst_dataset_label_bytes(const struct pst_dataset *dataset);

/*
 * For types: the class that a whole number stands for. first_label: the number of class 0. classes: how many
 * there are; 0: up to PST_MAX_CLASSES. Returns PST_OK, or PST_BAD_DATA if it is not a class; the caller adds
 * the place.
 */
PST_CHECKED enum pst_status pst_class_of_number(double number, double first_label, size_t classes,
                                                int32_t *class, struct pst_error *error);

/* For types: makes the classes' numbers their names. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_dataset_name_classes(struct pst_dataset *dataset, double first_label,
                                                     struct pst_error *error);

/*
 * For types: copies names into one block, as class_names and output_names are.
 * names: [count], UTF-8. Returns it, to be freed; NULL, with an error, if memory is short.
 */
PST_CHECKED const char *const *pst_names_copy(const char *const *names, size_t count,
                                              struct pst_error *error);

/* ---- what sets are like -------------------------------------------------------------------------------- */

/* The number of channels of samples, as struct pst_standard counts them. */
size_t pst_dataset_channels(const struct pst_dataset *dataset);

/*
 * Checks that a set is like the one that a model or a recording was made from, and takes over its standard.
 * For pst_dataset_open. Returns PST_OK; PST_BAD_DATA, which names the column or class that differs;
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_dataset_compare(struct pst_dataset *dataset, const struct pst_likeness *like,
                                                struct pst_error *error);

struct pst_selection;

/*
 * Fits mean and deviation of each channel to some samples of a set, one pass over them. The elements of
 * columns with categories keep mean 0 and deviation 1, and so does the deviation of a channel whose numbers
 * are all the same.
 * dataset: without a standard yet. Returns PST_OK; what pst_dataset_read returns. On failure nothing is
 * owned.
 */
PST_CHECKED enum pst_status pst_standard_fit(struct pst_standard *standard, const struct pst_dataset *dataset,
                                             const struct pst_selection *selection, struct pst_error *error);

/* The same of labels that are numbers. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_targets_fit(struct pst_standard *standard, const struct pst_dataset *dataset,
                                            const struct pst_selection *selection, struct pst_error *error);

/* Standardises the numbers of one sample in place. elements: of it, a multiple of the channels. */
void pst_standard_apply(const struct pst_standard *standard, size_t elements, float *numbers);

/* Allocates the numbers of so many channels. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_standard_new(struct pst_standard *standard, size_t channels,
                                             struct pst_error *error);

/* Frees what it holds and makes it {0}. */
void pst_standard_free(struct pst_standard *standard);

/*
 * Draws one synthetic digit: strokes with random affine and elastic deformation, thickness, blur and noise.
 * image: receives [28, 28], 0 is background.
 * Returns its class, 0 … 9.
 */
int pst_digit_draw(uint64_t seed, uint64_t id, uint8_t *image);

#endif
