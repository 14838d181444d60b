/* Whether a file of sound is whole. libsndfile does not tell, because it reads a file that was cut short as a
 * shorter one. */
#include "lib/data/sound/read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Finds the chunk of samples. */
static enum pst_status check_wav(struct pst_sound_input *input, size_t samples, struct pst_error *error)
{
    struct {
        char name[4];
        uint32_t size;
    } chunk;
    bool big =
        pst_sound_read_at(input, 0, &chunk, sizeof chunk) == sizeof chunk && chunk.name[3] == 'X'; /* RIFX */
    for (uint64_t at = 12; pst_sound_read_at(input, at, &chunk, sizeof chunk) == sizeof chunk;) {
        uint32_t size = big ? __builtin_bswap32(chunk.size) : chunk.size;
        at += sizeof chunk;
        bool whole = size <= input->size - at && (size > 0 || samples == 0); /* 0: it was never closed */
        if (memcmp(chunk.name, "data", 4) == 0)
            return whole ? PST_OK
                         : pst_fail(error, PST_BAD_DATA,
                                    "it announces %" PRIu32 " bytes of samples, but %" PRIu64
                                    " follow: it was cut short, or written to a pipe",
                                    size, input->size - at);
        at += (uint64_t)size + (size & 1);
    }
    return pst_fail(error, PST_BAD_DATA, "it has no chunk of samples");
}

/* The header of NIST SPHERE is text: "sample_count -i 40000" stands on a line. */
static enum pst_status check_sphere(struct pst_sound_input *input, size_t samples, struct pst_error *error)
{
    char header[1024 + 1] = { 0 };
    header[pst_sound_read_at(input, 0, header, sizeof header - 1)] = '\0';
    const char *count = strstr(header, "sample_count -i ");
    uint64_t announced = count != NULL ? strtoull(count + strlen("sample_count -i "), NULL, 10) : 0;
    if (count == NULL)
        return pst_fail(error, PST_BAD_DATA, "its header does not say how many samples there are");
    return announced <= samples ? PST_OK : pst_sound_is_cut(announced, samples, error);
}

enum pst_status pst_sound_is_cut(uint64_t announced, size_t samples, struct pst_error *error)
{
    return pst_fail(error, PST_BAD_DATA,
                    "it announces %" PRIu64 " samples, but only %zu can be read: it is cut short or damaged",
                    announced, samples);
}

enum pst_status pst_sound_check_whole(struct pst_sound_input *input, const SF_INFO *info,
                                      struct pst_error *error)
{
    int kind = info->format & SF_FORMAT_TYPEMASK;
    if (kind == SF_FORMAT_NIST)
        return check_sphere(input, (size_t)info->frames, error);
    return kind == SF_FORMAT_FLAC ? PST_OK : check_wav(input, (size_t)info->frames, error);
}
