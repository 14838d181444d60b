/* read.h: what the files that read sound share. Private to lib/data/sound. */
#ifndef PIPESTILL_LIB_DATA_SOUND_READ_H
#define PIPESTILL_LIB_DATA_SOUND_READ_H

#include "lib/data/sound/sound.h"

#include <sndfile.h>

/* A file that libsndfile reads through our own functions: it would close descriptors that it does not own. */
struct pst_sound_input {
    int fd;
    uint64_t at, size; /* bytes */
    int failure;       /* errno of the first read that failed; 0: none did */
};

/* What libsndfile reads by; the user data are a struct pst_sound_input. */
extern const SF_VIRTUAL_IO pst_sound_io;

/* Reads bytes at a place. Returns how many there are, fewer than `size` at the end and after a failure. */
size_t pst_sound_read_at(struct pst_sound_input *input, uint64_t at, void *bytes, size_t size);

/*
 * Checks that a WAV or SPHERE file holds all samples that it announces. (A cut FLAC file is noticed when it
 * is read.) info: what libsndfile says of it.
 * Returns PST_OK or PST_BAD_DATA. The message lacks the file's name.
 */
PST_CHECKED enum pst_status pst_sound_check_whole(struct pst_sound_input *input, const SF_INFO *info,
                                                  struct pst_error *error);

/* Says that fewer samples are there than announced. Returns PST_BAD_DATA. */
enum pst_status pst_sound_is_cut(uint64_t announced, size_t samples, struct pst_error *error);

/*
 * Brings a wave to `ratio` times as many samples a second, with libsamplerate.
 * wave: [samples]. out: receives [count], about ratio · samples.
 * Returns PST_OK; PST_BAD_DATA if the ratio is not within 1/256 … 256; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_sound_resample(const float *wave, size_t samples, double ratio,
                                               struct pst_buffer *out, size_t *count,
                                               struct pst_error *error);

#endif
