/*
 * option.h: what an option is. Stages have tables of them, and so have types of sets and augmentations, whose
 * options the stages that use them offer.
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
 * What becomes of the files that an option or an operand names, to be added up; 0: it names none. By this the
 * frame refuses to write what is also read, or written twice.
 */
enum pst_file_use {
    PST_FILE_READ = 1,
    PST_FILE_REPLACED = 2, /* appears whole, and is NAME.part before */
    PST_FILE_CHANGED = 4,  /* in place: appended to, made or mended */
    PST_FILE_ENDPOINT = 8, /* may be "-" or a link instead */
    PST_FILE_LIST = 16     /* names with commas between, or behind a word and a colon: idx:IMAGES,LABELS */
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
    enum pst_status (*take)(void *place, const char *value, struct pst_error *error); /* PST_LIST: handed the
                                     place `at`, which is that of the whole struct if nothing is said */
    bool required;
    bool silent; /* left out of the stream's history: it does not change what flows (names of files, logs) */
    const char *tensor; /* the one that it decides about, by name; NULL: it decides about all */
    bool of_samples; /* says which samples come, and in which order: in the history, but not in the origins */
    unsigned files;  /* what becomes of the files that it names: of enum pst_file_use */
    /*
     * What it does nothing without, and is refused without: one of the alternatives in
     * "shuffle|limit|schedule=step". A name: the option is given, and not as 0. With a word: the option has
     * it, given or not. In parentheses, a stream: "(a stream to read)", "(a link)", "(a link to read from)",
     * "(a link that listens)", "(a link that connects)". NULL: it needs nothing.
     */
    const char *needs;
    const char *excludes; /* other options, "top|draws": none of them may be given beside it */
};

#endif
