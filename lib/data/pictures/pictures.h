/* pictures.h: files of pictures in a folder, in a list or in a tar file: which there are, and the bytes of
 * each. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_PICTURES_PICTURES_H
#define PIPESTILL_LIB_DATA_PICTURES_PICTURES_H

#include "pipestill/data.h"

/* The part of a set that a picture belongs to. */
enum pst_picture_part { PST_PICTURE_TRAIN, PST_PICTURE_TEST, PST_PICTURE_OTHER };

/* The file of a picture. */
struct pst_picture_file {
    const char *path;  /* below the root; of a list as the list has it */
    const char *below; /* the same below the folder of its part */
    const char *label; /* the folder of its class, or what the list says; NULL: none */
    int part;          /* of enum pst_picture_part */
    const uint8_t *bytes;
    uint64_t at; /* where its bytes begin in a plain tar file */
    size_t size;
    char digest[PST_DIGEST_TEXT]; /* SHA-256 of the bytes; "": they were not read yet */
};

enum pst_picture_source { PST_PICTURES_FOLDER, PST_PICTURES_LIST, PST_PICTURES_TAR };

/* Memory that grows and is freed as a whole. */
struct pst_picture_block;

/* All pictures of a source. {0} is closed. */
struct pst_pictures {
    enum pst_picture_source source;
    char *path;    /* as the user named it; owned */
    char *root;    /* the folder that paths are below, or the tar file; owned */
    int fd;        /* of a plain tar file; -1: its bytes are in memory, or it is none */
    size_t memory; /* bytes that names and packed bytes may still take */
    size_t count, room;
    struct pst_picture_file *files; /* [count]; owned */
    struct pst_picture_block *blocks;
};

/*
 * Finds the pictures of a folder, of a list or of a tar file, whichever the path names. A file is taken if
 * its name has a known ending; hidden ones are left out. Those of a folder or a tar file are in the order of
 * part, class and path, however they were found. max_memory: bytes that names, and the bytes of a packed tar
 * file, may take; 0: any number. Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA, with the file; PST_STOPPED after
 * a signal; PST_IO_ERROR; PST_TRY_AGAIN. After a failure, too, it must be closed.
 */
PST_CHECKED enum pst_status pst_pictures_open(struct pst_pictures *pictures, const char *path,
                                              size_t max_memory, struct pst_error *error);

/*
 * The bytes of a picture. room: what they are read into, if they are not in memory. bytes, size: receive
 * them. Any number of threads may read at once. Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA for a file that
 * has changed or is too large; PST_IO_ERROR; PST_TRY_AGAIN. The caller adds the place.
 */
PST_CHECKED enum pst_status pst_pictures_read(const struct pst_pictures *pictures, size_t index,
                                              struct pst_buffer *room, const uint8_t **bytes, size_t *size,
                                              struct pst_error *error);

/* Names a picture for messages: "FOLDER/PATH" or "FILE.tar: PATH". */
void pst_pictures_place(const struct pst_pictures *pictures, size_t index, char *text, size_t size);

/* Frees what it holds and makes it {0}. */
void pst_pictures_close(struct pst_pictures *pictures);

/* ---- for the sources --------------------------------------------------------------------------------- */

/* Decides whether a file of a folder or a tar file is taken. taken: receives it. Returns PST_OK; PST_BAD_DATA
 * for a kind of picture that cannot be read. path: below the root, without "." and empty parts. */
PST_CHECKED enum pst_status pst_pictures_choose(const char *path, bool *taken, struct pst_error *error);

/* Adds a picture with a copy of its path. Returns PST_OK; PST_BAD_DATA if --max-memory leaves no room;
 * PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_pictures_add(struct pst_pictures *pictures, const char *path,
                                             struct pst_error *error);

/* Allocates memory that is freed with the pictures. memory: receives it. Returns as pst_pictures_add. */
PST_CHECKED enum pst_status pst_pictures_allocate(struct pst_pictures *pictures, size_t size, void **memory,
                                                  struct pst_error *error);

/* Find the pictures of one source, and settle the label, and for the first two the part, of each. Return as
 * pst_pictures_open. */
PST_CHECKED enum pst_status pst_pictures_of_folder(struct pst_pictures *pictures, struct pst_error *error);
PST_CHECKED enum pst_status pst_pictures_of_tar(struct pst_pictures *pictures, struct pst_error *error);
PST_CHECKED enum pst_status pst_pictures_of_list(struct pst_pictures *pictures, struct pst_error *error);

/* Settles part and label of each picture by its path, and sorts them. Returns PST_OK; PST_BAD_DATA if folders
 * contradict each other; as pst_pictures_add. */
PST_CHECKED enum pst_status pst_pictures_arrange(struct pst_pictures *pictures, struct pst_error *error);

#endif
