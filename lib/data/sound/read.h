/* read.h: what the files that read sound share. Private to lib/data/sound. */
#ifndef PIPESTILL_LIB_DATA_SOUND_READ_H
#define PIPESTILL_LIB_DATA_SOUND_READ_H

#include "lib/data/sound/sound.h"

#include <sndfile.h>

/*
 * Checks that a WAV or SPHERE file that libsndfile has opened holds all samples that it announces. (Of FLAC
 * this is seen when it is read.)
 * Returns PST_OK; PST_BAD_DATA; PST_IO_ERROR. The message lacks the file's name.
 */
PST_CHECKED enum pst_status pst_sound_check_whole(int fd, const SF_INFO *info, struct pst_error *error);

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
