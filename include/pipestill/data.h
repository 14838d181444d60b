/*
 * data.h: where samples come from, and what a program sees of them. The types of data sets and the
 * augmentations are tables, one file a type (lib/data/sets, lib/data/augmentations); a view is which samples
 * of a set are taken, in which order, moved about how. Knows nothing of streams or networks.
 * docs/adding-a-data-set.md adds a type.
 */
#ifndef PIPESTILL_DATA_H
#define PIPESTILL_DATA_H

#include "pipestill/base.h"
#include "pipestill/option.h"

#define PST_MAX_SAMPLE_RANK 7
#define PST_MAX_CLASSES (1U << 24)

/* ---- elements ---------------------------------------------------------------------------------------- */

/* What the elements of a set's samples are. */
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

/* One of some elements as a number: exact, but for whole numbers beyond 2^53, of which it is the nearest. */
double pst_element_number(enum pst_element element, const void *elements, size_t index);

/*
 * Turns elements into numbers, scale · element + offset in double, rounded to f32.
 * numbers: receives [count]. Returns the place of the first that is not finite, or count.
 */
size_t pst_element_numbers(enum pst_element element, const void *elements, size_t count, double scale,
                           double offset, float *numbers);

/* ---- what samples are made of -------------------------------------------------------------------------- */

/* What the labels of a set are. */
enum pst_label_kind {
    PST_LABELS_NONE,
    PST_LABELS_CLASS,   /* int32_t, 0 … classes - 1 */
    PST_LABELS_NUMBERS, /* float */
    PST_LABELS_BITS     /* uint8_t, 0 or 1 */
};

/* A column of a table: one element of a sample, or one for each of its categories. */
struct pst_column {
    const char *name;
    size_t categories; /* 0: the column holds numbers */
    const char *const
        *category;  /* [categories]; the element of a row's own category is 1, the others are 0 */
    double missing; /* what stands for a number that is missing; NaN: it is refused */
};

/*
 * Mean and standard deviation of each channel's numbers. The channels of samples with one dimension are its
 * elements, of three and more dimensions the first dimension; all other samples have one. {0}: there is none.
 */
struct pst_standard {
    size_t channels;
    double *mean;      /* [channels]; owned, with the deviations in the same block */
    double *deviation; /* [channels], > 0 */
};

/* What samples and labels are like: what a model or a recording says of those that it was made from. */
struct pst_likeness {
    const char *name;                /* the file that says it, for messages */
    size_t columns;                  /* 0: samples are no rows of a table */
    const struct pst_column *column; /* [columns] */
    struct pst_standard standard;
    const char *made;                /* how numbers were made, as a data set says it; NULL: not known */
    const char *splice;              /* "20,5", as the settings of a view say it; NULL: not known */
    size_t classes;                  /* 0: not known, or labels are no classes */
    const char *const *class_names;  /* [classes]; NULL: not known */
    struct pst_standard targets;     /* of labels that are numbers; no channels: not known */
    size_t outputs;                  /* numbers or bits of a label; 0: not known */
    const char *const *output_names; /* [outputs]; NULL: not known */
};

/* ---- data sets --------------------------------------------------------------------------------------- */

struct pst_dataset_type;

/* Samples that follow each other, as the frames of an utterance do: those from first on. */
struct pst_sequence {
    size_t first, count; /* count ≥ 1 */
    uint32_t speaker;    /* a number; sequences of one speaker are held out together */
};

/*
 * A set of samples that is open. A sample's id is the same in every run, and no sample of a test part has the
 * id of one of the training part, unless the two are files or arrays of their own. {0} is closed.
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
    size_t label_width;              /* numbers or bits of one label; 0: one, which is no row */
    void *labels;                    /* [samples, label_width or 1], of the kind's type; NULL: none; owned */
    const char *const *class_names;  /* [classes], one block with the texts in it; NULL; owned */
    const char *const *output_names; /* [label_width or 1], of numbers or bits, likewise; NULL; owned */
    float *weights;                  /* [samples], ≥ 0: how much each counts; NULL; owned */
    size_t columns;                  /* of a table; 0: samples are no rows of one */
    const struct pst_column *column; /* [columns]; the type's, as long as the set is open */
    struct pst_standard standard;    /* of the numbers: a view of a set that does not hold bytes shows
                                        (number - mean) / deviation; owned */
    struct pst_standard targets;     /* of labels that are numbers, which stay as they are; owned */
    uint64_t first_id;               /* of sample 0; the others follow, unless the set has ids */
    uint64_t *ids;                   /* [samples]; NULL; owned */
    size_t sequences;                /* that the samples are made of, one behind another; 0: of none */
    struct pst_sequence *sequence;   /* [sequences]; owned */
    char digest[PST_DIGEST_TEXT];    /* SHA-256 that tells contents apart, whatever the files are called */
    char
        made[256]; /* how numbers were made from what is in files, with all settings; "": they are as there */
    char notice[256]; /* what the user should know of what the type decided by itself; "": nothing */
    void *own;        /* the type's */
};

/* Settings that a type of set or an augmentation has, and the options that set them. */
struct pst_settings {
    const struct pst_option *options; /* places are in the settings; NULL: it has none */
    size_t size;                      /* bytes of the settings */
    const void *defaults;             /* NULL: zeros */
};

/* Options that types of sets with labels in files share. place: of a size_t, a double, a bool and a text in
 * the settings. */
#define PST_CLASSES_OPTION(place)                                                                        \
    {                                                                                                    \
        .name = "classes", .type = PST_SIZE, .at = (place), .most = PST_MAX_CLASSES, .of_samples = true, \
        .help = "how many classes the labels in files are; 0: the largest plus one"                      \
    }
#define PST_FIRST_LABEL_OPTION(place)                                                                 \
    {                                                                                                 \
        .name = "first-label", .type = PST_DOUBLE, .at = (place), .metavar = "N", .least = INT32_MIN, \
        .most = INT32_MAX, .help = "what the first class is called in files"                          \
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

/* What a user wants of a type. */
struct pst_dataset_request {
    const void *settings;            /* the type's own */
    size_t count;                    /* of arguments: 0 … most_arguments of the type */
    const char *const *arguments;    /* files as a rule; borrowed during the call */
    bool test;                       /* the test part; only if has_test_part */
    const struct pst_likeness *like; /* what samples have to be like; NULL: whatever they are */
    size_t max_memory;               /* bytes that the files' contents may take in memory; 0: any number */
};

/* Which samples will be asked for next, and what is done to the sound that they are made of. */
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
 * open: fills all of dataset but type. After a failure, too, close is called.
 * get: writes sample number index, 0 … samples - 1, to elements: as many as its shape has. Allocates nothing
 *   from sample to sample. One thread calls it at a time. Its message says what is wrong; where, says place.
 *   With request->like a type that has columns, or finds out by itself what its classes are called, takes
 *   these from there; the library then compares, and takes over the standard.
 * near: the same for the sample that is offset places away from it in its sequence, or for the sequence's
 *   first or last, if it has no such sample. NULL: samples are in no sequence.
 * plan: says which samples will be asked for next, in which order, so that they can be made ready ahead; the
 *   plan is valid during the call. A sample that comes in another order is given all the same. NULL: the type
 *   has no use for it.
 * place: names a sample for messages, "x.idx, sample 7"; NULL: the set's name and the number will do.
 * close: frees what own leads to.
 */
struct pst_dataset_type {
    const char *name;
    const char *help;      /* what it is, and where it is looked for */
    const char *arguments; /* what may follow "NAME:" on a command line; NULL: nothing */
    size_t most_arguments;
    const char *named_by; /* the option that means this type if none is named; NULL: there is none */
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
 * Finds the type that a user means by "NAME", "NAME:ARGUMENT" or a file, which is recognised by its first
 * bytes, plain or gzip.
 * text: NULL if the user named nothing. argument: receives what follows the name, or the file; NULL if there
 * is neither. Returns PST_OK; PST_USAGE for a name that no type has, or a file that none recognises;
 * PST_NO_INPUT.
 */
PST_CHECKED enum pst_status pst_dataset_find(const char *text, const struct pst_dataset_type **type,
                                             const char **argument, struct pst_error *error);

/*
 * Opens a set. settings of the request: NULL for the type's defaults.
 * Returns PST_OK; PST_USAGE for a request that cannot be; PST_NO_INPUT; PST_BAD_DATA, with the file and the
 * place; PST_IO_ERROR; PST_TRY_AGAIN. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_dataset_open(struct pst_dataset *dataset, const struct pst_dataset_type *type,
                                             const struct pst_dataset_request *request,
                                             struct pst_error *error);

/* Frees what a data set holds and makes it {0}. */
void pst_dataset_close(struct pst_dataset *dataset);

/* Elements of one sample. */
size_t pst_dataset_elements(const struct pst_dataset *dataset);

/*
 * Reads a sample: bytes as they are, all others as f32 numbers.
 * index: 0 … samples - 1. standard: of the channels, by which numbers are standardised; NULL: they are not.
 * x: receives the elements. raw: room for a sample as the set has it.
 * Returns PST_OK; PST_BAD_DATA for numbers that are not finite; what the type's get returns. The message
 * names the sample.
 */
PST_CHECKED enum pst_status pst_dataset_read(const struct pst_dataset *dataset, size_t index,
                                             const struct pst_standard *standard, void *x, void *raw,
                                             struct pst_error *error);

/*
 * Reads a sample with its neighbours, one behind another: before + 1 + after samples. Beyond the ends of the
 * sequence its first or last is repeated. Otherwise as pst_dataset_read.
 * dataset: has sequences.
 */
PST_CHECKED enum pst_status pst_dataset_read_spliced(const struct pst_dataset *dataset, size_t index,
                                                     size_t before, size_t after,
                                                     const struct pst_standard *standard, void *x, void *raw,
                                                     struct pst_error *error);

uint64_t pst_dataset_id(const struct pst_dataset *dataset, size_t index);

/* Says which samples will be asked for next, as a type's plan. Returns PST_OK or what the type's plan
 * returns. */
PST_CHECKED enum pst_status pst_dataset_plan(const struct pst_dataset *dataset, const struct pst_plan *plan,
                                             struct pst_error *error);

/* Bytes of one label; 0 if there are none. */
size_t pst_dataset_label_bytes(const struct pst_dataset *dataset);

/*
 * For types: the class that a whole number stands for. first_label: the number of class 0. classes: how many
 * there are; 0: up to PST_MAX_CLASSES. Returns PST_OK, or PST_BAD_DATA if it is none; the caller says where.
 */
PST_CHECKED enum pst_status pst_class_of_number(double number, double first_label, size_t classes,
                                                int32_t *class, struct pst_error *error);

/* For types: calls the classes of a set by their numbers. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_dataset_name_classes(struct pst_dataset *dataset, double first_label,
                                                     struct pst_error *error);

/*
 * For types: copies names into one block, as class_names and output_names are.
 * names: [count], UTF-8. Returns it, to be freed; NULL, with an error, if memory is short.
 */
PST_CHECKED const char *const *pst_names_copy(const char *const *names, size_t count,
                                              struct pst_error *error);

/* ---- what sets are like -------------------------------------------------------------------------------- */

/* Channels of samples, as struct pst_standard counts them: how many there are. */
size_t pst_dataset_channels(const struct pst_dataset *dataset);

/*
 * Checks that a set is like what a model or a recording was made from, and takes over its standard. For
 * pst_dataset_open. Returns PST_OK; PST_BAD_DATA, which names the column or class that differs;
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_dataset_compare(struct pst_dataset *dataset, const struct pst_likeness *like,
                                                struct pst_error *error);

struct pst_selection;

/*
 * Fits mean and deviation of each channel to some samples of a set, one pass over them. The elements of
 * columns with categories keep mean 0 and deviation 1, and so does the deviation of a channel whose numbers
 * are all the same.
 * dataset: as yet without a standard. Returns PST_OK; what pst_dataset_read returns. On failure nothing is
 * owned.
 */
PST_CHECKED enum pst_status pst_standard_fit(struct pst_standard *standard, const struct pst_dataset *dataset,
                                             const struct pst_selection *selection, struct pst_error *error);

/* The same of labels that are numbers. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_targets_fit(struct pst_standard *standard, const struct pst_dataset *dataset,
                                            const struct pst_selection *selection, struct pst_error *error);

/* Standardises the numbers of one sample in place. elements: of it, a multiple of the channels. */
void pst_standard_apply(const struct pst_standard *standard, size_t elements, float *numbers);

/* Makes room for the numbers of so many channels. Returns PST_OK or PST_TRY_AGAIN. */
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

/* ---- selection and order ----------------------------------------------------------------------------- */

enum pst_split { PST_SPLIT_TRAIN, PST_SPLIT_VALIDATION, PST_SPLIT_TEST };

/* Which samples are taken. {0} takes all. */
struct pst_selection_rules {
    int split;                /* of enum pst_split; of a test part nothing is held out */
    size_t hold_out;          /* samples that are validation, stratified, by hold_out_seed */
    size_t hold_out_speakers; /* or all sequences of so many speakers, by hold_out_seed */
    uint64_t hold_out_seed;
    size_t utterances;       /* at most so many sequences, by seed; 0: all */
    const char *only, *omit; /* lists of classes, "7,8" or "0-4,9", to take or to leave out; NULL: all are
                                taken */
    double fraction; /* (0, 1]: this share of each class, by seed; 0 or 1: all. At least one of each class */
    size_t limit;    /* at most so many, shared out among the classes in proportion, by seed; 0: all */
    uint64_t seed;
};

/* What samples are chosen by. */
struct pst_labels {
    const char *name; /* of the set, for messages */
    uint64_t samples;
    size_t classes; /* ≥ 1 */
    /* The class of a sample, 0 … classes - 1; NULL if there are no labels: then all are of one class. */
    size_t (*class_of)(const void *labels, uint64_t sample);
    const void *labels; /* handed to class_of and is_out; borrowed */
    /* Whether a sample is left out before anything else; NULL: none is. */
    bool (*is_out)(const void *labels, uint64_t sample);
};

/* The samples taken out of a set: 9/64 bytes for each sample of the set. */
struct pst_chosen {
    uint64_t samples; /* of the set */
    uint64_t count;   /* taken */
    uint64_t *words;  /* a bit for each sample; owned */
    uint64_t *before; /* how many are taken before each 512 samples; owned */
};

/*
 * Chooses samples: first the split, then the classes, then fraction, then limit.
 * Returns PST_OK; PST_USAGE if the rules leave nothing, hold out everything, name a class that is not there,
 * or need labels that are not there; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_choose(const struct pst_labels *labels,
                                       const struct pst_selection_rules *rules, struct pst_chosen *chosen,
                                       struct pst_error *error);

/* The sample taken that has `number` others before it. number: 0 … count - 1. Takes logarithmic time. */
uint64_t pst_chosen_at(const struct pst_chosen *chosen, uint64_t number);

/* The first sample taken from `from` on; `samples` if there is none. */
uint64_t pst_chosen_next(const struct pst_chosen *chosen, uint64_t from);

/* To make one: all samples are taken; one that is taken is dropped; and when the last was dropped they are
 * counted, for pst_chosen_at. */
PST_CHECKED enum pst_status pst_chosen_all(struct pst_chosen *chosen, uint64_t samples,
                                           struct pst_error *error);
void pst_chosen_drop(struct pst_chosen *chosen, uint64_t sample);
void pst_chosen_count(struct pst_chosen *chosen);

/* Frees what it holds and makes it {0}. */
void pst_chosen_free(struct pst_chosen *chosen);

/* The same as a list, for sets that are shuffled by one. */
struct pst_selection {
    size_t count;
    size_t *indices; /* [count], ascending; owned */
};

/* Selects samples of a data set, as pst_choose. */
PST_CHECKED enum pst_status pst_select(const struct pst_dataset *dataset,
                                       const struct pst_selection_rules *rules,
                                       struct pst_selection *selection, struct pst_error *error);

/*
 * Marks the classes of a list such as "7,8" or "0-4,9".
 * mask: [classes]; receives `value` for the classes listed and keeps the others.
 * Returns PST_OK; PST_USAGE if the text is not such a list, or names a class that is not there.
 */
PST_CHECKED enum pst_status pst_mark_classes(const char *list, size_t classes, bool value, bool *mask,
                                             struct pst_error *error);

/* Frees what a selection holds and makes it {0}. */
void pst_selection_free(struct pst_selection *selection);

/*
 * The order of an epoch: a permutation of the selection that depends on seed and epoch only.
 * order: receives [count] indices.
 */
void pst_shuffle(const struct pst_selection *selection, uint64_t seed, uint64_t epoch, size_t *order);

/*
 * A permutation of 0 … count - 1 that is computed, not stored: for sets that are too large for a list.
 */
struct pst_permutation {
    uint64_t count;
    uint64_t rows, columns; /* rows · columns ≥ count */
    uint32_t key[2], epoch;
};

/* The permutation for a seed and an epoch. count: ≥ 1, < 2^62. */
void pst_permutation_start(struct pst_permutation *permutation, uint64_t count, uint64_t seed,
                           uint64_t epoch);

/*
 * Where the permutation sends a number: a Feistel network over rows and columns, walked until it comes back
 * below count (Black, Rogaway 2002, "Ciphers with arbitrary finite domains", generalised Feistel and cycle
 * walking). number: 0 … count - 1.
 */
uint64_t pst_permute(const struct pst_permutation *permutation, uint64_t number);

/* ---- augmentations ----------------------------------------------------------------------------------- */

/* What an augmentation sees of a sample, which need not be an image. */
struct pst_planes {
    size_t rank;                    /* of the sample: 2 for one plane, 3 for channels, height, width */
    size_t channels, height, width; /* of an image; 0 for other samples */
    bool numbers;                   /* elements are f32 numbers; otherwise bytes */
    bool sound;                     /* the sample is made of sound: of frames, if it has two dimensions */
    float background; /* the number that comes in from outside of an image; of bytes 0 comes in */
};

/* Sound: one channel. */
struct pst_wave {
    struct pst_buffer samples; /* float [count], as 16-bit samples have them; owned */
    size_t count;
};

/* What chance depends on. */
struct pst_draw {
    uint64_t seed, epoch, id;
};

/*
 * An augmentation: one file in lib/data/augmentations and one row in the table there, whose order is that in
 * which they are applied. All channels of an image are moved alike.
 *
 * is_on: whether the settings ask for it.
 * refuse: why it cannot be applied to such samples, or with such settings, as a clause; NULL: it can.
 * apply: moves a sample. from, to: the elements; they do not overlap. NULL: it changes sound.
 * change_sound: changes the sound of an utterance before samples are made of it; draw->id is the id of its
 *   first sample. Returns PST_OK or PST_TRY_AGAIN.
 */
struct pst_augmentation {
    const char *name;
    const char *help;
    struct pst_settings settings;
    const void *example; /* settings that tests try, which change nearly every image */
    bool (*is_on)(const void *settings);
    const char *(*refuse)(const void *settings, const struct pst_planes *planes);
    void (*apply)(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw);
    enum pst_status (*change_sound)(const void *settings, struct pst_wave *wave, const struct pst_draw *draw,
                                    struct pst_error *error);
};

#define PST_MAX_AUGMENTATIONS 16

/* The table; ended by NULL. */
extern const struct pst_augmentation *const pst_augmentations[];

/* What augmentations see of the samples of a set. */
struct pst_planes pst_dataset_planes(const struct pst_dataset *dataset);

/* ---- views ------------------------------------------------------------------------------------------- */

/* Which samples of a set are taken, and in which order. */
struct pst_view_settings {
    struct pst_selection_rules rules;
    bool shuffle, no_shuffle; /* a training split is shuffled if neither is said */
    const char *splice;       /* "20,5": so many neighbours before and behind each sample; NULL: none */
};

#define PST_MAX_SPLICE 1000

/* Parses "BEFORE,AFTER", two numbers up to PST_MAX_SPLICE. Returns whether it is that. */
PST_CHECKED bool pst_parse_splice(const char *text, size_t *before, size_t *after);

/* The options of a view. */
extern const struct pst_settings pst_view_options;

/*
 * What a program sees of a set: which samples, in which order, moved about how. Sample by sample it is a
 * function of (seed, epoch, id), never of what was read before.
 */
struct pst_view {
    const struct pst_dataset *dataset;
    uint64_t seed;
    bool shuffled;
    struct pst_selection selection;
    size_t *order; /* [selection.count], of the epoch; owned */
    uint64_t epoch;
    size_t label_bytes; /* of one */
    bool spliced;       /* samples come with their neighbours */
    size_t before, after;
    size_t rank; /* of x */
    size_t shape[PST_MAX_SAMPLE_RANK];
    size_t steps;   /* augmentations of samples that are on */
    size_t changes; /* augmentations of sound that are on */
    struct pst_planes planes;
    const void *settings[PST_MAX_AUGMENTATIONS]; /* of the augmentations that are on; NULL: it is off */
    unsigned char *scratch[3];                   /* a sample as the set has it, and two on their way; owned */
};

/*
 * Opens a view, in epoch 0.
 * dataset: must live as long as the view. augmentations: the settings of each, in the order of the table;
 * borrowed as long. NULL: nothing is moved.
 * Returns PST_OK; PST_USAGE if the settings contradict each other or the set; PST_TRY_AGAIN. On failure
 * nothing is owned.
 */
PST_CHECKED enum pst_status pst_view_open(struct pst_view *view, const struct pst_dataset *dataset,
                                          const struct pst_view_settings *settings,
                                          const void *const *augmentations, struct pst_error *error);

/*
 * Goes to an epoch, whose samples are going to be asked for from a position on, 0 … selection.count.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_view_begin(struct pst_view *view, uint64_t epoch, size_t position,
                                           struct pst_error *error);

/*
 * The sample at a position of the epoch, 0 … selection.count - 1.
 * x: receives its elements: bytes, or f32 numbers for sets of all other elements. y: receives its label; NULL
 * if it has none. id: receives its id.
 * Returns PST_OK or what pst_dataset_read returns.
 */
PST_CHECKED enum pst_status pst_view_get(struct pst_view *view, size_t position, void *x, void *y,
                                         uint64_t *id, struct pst_error *error);

/* Elements of x. */
size_t pst_view_elements(const struct pst_view *view);

/* Frees what a view holds and makes it {0}. */
void pst_view_close(struct pst_view *view);

#endif
