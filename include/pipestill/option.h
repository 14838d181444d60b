/*
 * option.h: what an option is. Stages have tables of them. So have types of sets and augmentations; the
 * stages that use these offer their options, too.
 */
#ifndef PIPESTILL_OPTION_H
#define PIPESTILL_OPTION_H

#include "pipestill/base.h"

enum pst_option_type {
    PST_OPTION_END = 0,  /* the end of a table */
    PST_FLAG,            /* bool: takes no value */
    PST_POSITIVE_DOUBLE, /* double > 0 */
    PST_DOUBLE,          /* double in [least, most] */
    PST_SIZE,   /* size_t in [least, most]; suffixes k, M, G (powers of 1024) if the metavar is BYTES */
    PST_U64,    /* uint64_t in [least, most] */
    PST_STRING, /* const char *, borrowed from argv */
    PST_CHOICE, /* int: the place of the word in `choices` */
    PST_LIST,   /* the function `take` is called for each value, so the option may come several times */
};

/*
 * How the files are used that an option or an operand names: a sum of these; 0: it names none. So the frame
 * can refuse to write a file that is also read, or written twice.
 */
enum pst_file_use {
    PST_FILE_READ = 1,
    PST_FILE_REPLACED = 2, /* appears when it is whole, and is NAME.part before */
    PST_FILE_CHANGED = 4,  /* in place: appended to, made or repaired */
    PST_FILE_ENDPOINT = 8, /* may be "-" or a link instead */
    PST_FILE_LIST = 16     /* names separated by commas, also after a word and a colon: idx:IMAGES,LABELS */
};

/*
 * One option. If least and most are both 0, any value of the type is allowed (a size or double from 0 up).
 */
struct pst_option {
    int letter; /* 'T', or 0 for none */
    const char *name;
    enum pst_option_type type;
    size_t at;           /* place of the value in the stage's struct: offsetof(struct averager, geometric) */
    const char *help;    /* one line, lower case, no full stop */
    const char *metavar; /* "N", "FILE"; NULL: made from the type */
    double least,
        most; /* inclusive; values of a PST_U64 or PST_SIZE above 2^53 are not expressible as bounds */
    const char *const *choices; /* PST_CHOICE: words, ended by NULL */
    /* PST_LIST. place: that of `at`, which is the whole struct if it is not set. */
    enum pst_status (*take)(void *place, const char *value, struct pst_error *error);
    bool required;
    bool silent; /* left out of the stream's history: it does not change the stream (names of files, logs) */
    const char *tensor;     /* the only tensor that it changes, by name; NULL: it changes all */
    const char *in_origins; /* its name in origins; NULL: its own. A new one if the bits have changed */
    bool of_samples;        /* chooses or orders samples: it is in the history, but not in the origins */
    unsigned files;         /* how the files that it names are used: of enum pst_file_use */
    /*
     * It has no effect, and is refused, without one of the alternatives in "shuffle|limit|schedule=step". A
     * name: that option is given with a value other than 0. With a word: that option has this word, given or
     * by default. In parentheses, a stream: "(a stream to read)", "(a link)", "(a link to read from)", "(a
     * link that listens)", "(a link that connects)". NULL: it needs nothing.
     */
    const char *needs;
    const char *excludes; /* other options, "top|draws": none of them may be given with it */
};

#endif
