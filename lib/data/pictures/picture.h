/* picture.h: pictures out of PNG, JPEG, PPM and PGM files, their colours, and other sizes. Private to
 * lib/data. */
#ifndef PIPESTILL_LIB_DATA_PICTURES_PICTURE_H
#define PIPESTILL_LIB_DATA_PICTURES_PICTURE_H

#include "pipestill/data.h"

#define PST_PICTURE_MOST_PIXELS ((size_t)1 << 26) /* of a picture, before and after a change of size */
#define PST_PICTURE_MOST_BYTES ((size_t)1 << 28)  /* of its file */

/* A picture; its memory is kept from one to the next. {0} is empty. */
struct pst_picture {
    size_t only_width, only_height; /* set by the caller: another size is refused before it is decoded; 0: any
                                       size will do */
    size_t width, height;
    size_t channels;          /* 1: grey; 3: red, green and blue */
    struct pst_buffer pixels; /* u8 [height, width, channels] */
};

/*
 * Decodes a picture, whose kind its first bytes say.
 * bytes: [size], the whole file. Returns PST_OK; PST_BAD_DATA for another kind, another size than is wanted,
 * a picture of more pixels than PST_PICTURE_MOST_PIXELS, or damage; PST_TRY_AGAIN. The caller adds the place.
 */
PST_CHECKED enum pst_status pst_picture_decode(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                                               struct pst_error *error);

/* Frees what a picture holds and makes it {0}. */
void pst_picture_free(struct pst_picture *picture);

/* What the decoders of the kinds share: checks the size that a file announces, and makes room for it. Returns
 * as pst_picture_decode. */
PST_CHECKED enum pst_status pst_picture_settle(struct pst_picture *picture, size_t width, size_t height,
                                               size_t channels, struct pst_error *error);

/* A kind of picture: whether a file begins as one, and what it holds; as pst_picture_decode. */
struct pst_picture_kind {
    bool (*begins)(const uint8_t *bytes, size_t size);
    enum pst_status (*decode)(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                              struct pst_error *error);
};

extern const struct pst_picture_kind pst_picture_png, pst_picture_jpeg, pst_picture_pnm;

/*
 * Gives a picture another number of channels, 1 or 3: grey is the ITU-R 601-2 luma, rounded, as Pillow has
 * it. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_picture_recolour(struct pst_picture *picture, size_t channels,
                                                 struct pst_error *error);

/* Writes a picture with its channels one behind another. planes: receives [channels, height, width]. */
void pst_picture_planes(const struct pst_picture *picture, uint8_t *planes);

/* What changing sizes needs; kept from picture to picture. {0} is empty. */
struct pst_resizing {
    struct pst_buffer half;     /* the picture after its width was changed */
    struct pst_buffer whole;    /* after its height was */
    struct pst_buffer first[2]; /* size_t: of each new column, and row, the first old one that counts */
    struct pst_buffer taps[2];  /* int32_t: how much each counts */
};

/*
 * Gives a picture another size: each new pixel is a mean of the old ones about its place. Their weights fall
 * off as a triangle, which is as wide as a new pixel if the picture shrinks (bilinear with antialiasing).
 * Weights are numbers of 22 binary places and sums are whole numbers, so the result is the same on every
 * machine; it is that of Pillow's resize with BILINEAR. width, height: 1 or more; their product is at most
 * PST_PICTURE_MOST_PIXELS. Returns PST_OK; PST_BAD_DATA if the new width and the old height multiply to more
 * than that; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_picture_resize(struct pst_picture *picture, struct pst_resizing *resizing,
                                               size_t width, size_t height, struct pst_error *error);

/* Frees what it holds and makes it {0}. */
void pst_resizing_free(struct pst_resizing *resizing);

#endif
