/* Sound of another rate, by libsamplerate. */
#include "lib/data/sound/read.h"

#include <limits.h>
#include <math.h>
#include <samplerate.h>

/* Sound below 0.9 times half the lower rate stays, and what the rate cannot hold is 121 dB down. */
#define QUALITY SRC_SINC_MEDIUM_QUALITY

enum pst_status pst_sound_resample(const float *wave, size_t samples, double ratio, struct pst_buffer *out,
                                   size_t *count, struct pst_error *error)
{
    double wanted = ceil((double)samples * ratio) + 1;
    if (src_is_valid_ratio(ratio) == 0 || samples > LONG_MAX || !(wanted < (double)(LONG_MAX / 8)))
        return pst_fail(error, PST_BAD_DATA, "the rate of %zu samples cannot be made %g times as high",
                        samples, ratio);
    enum pst_status status = pst_buffer_reserve(out, (size_t)wanted * sizeof(float), 0, error);
    if (status != PST_OK)
        return status;
    SRC_DATA data = { .data_in = wave,
                      .data_out = out->data,
                      .input_frames = (long)samples,
                      .output_frames = (long)wanted,
                      .src_ratio = ratio };
    int code = src_simple(&data, QUALITY, 1);
    *count = (size_t)data.output_frames_gen;
    /* The arguments are valid, so only a shortage of memory can be the cause. */
    return code == 0 ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "libsamplerate: %s", src_strerror(code));
}
