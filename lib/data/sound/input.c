/* The bytes of a file, for libsndfile. */
#include "lib/data/sound/read.h"

#include <errno.h>
#include <unistd.h>

size_t pst_sound_read_at(struct pst_sound_input *input, uint64_t at, void *bytes, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t some = pread(input->fd, (char *)bytes + got, size - got, (off_t)(at + got));
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0 && input->failure == 0)
            input->failure = errno;
        if (some <= 0)
            break;
        got += (size_t)some;
    }
    return got;
}

static sf_count_t file_size(void *user)
{
    const struct pst_sound_input *input = user;
    return (sf_count_t)input->size;
}

static sf_count_t seek(sf_count_t offset, int whence, void *user)
{
    struct pst_sound_input *input = user;
    uint64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? input->at : input->size, to;
    if (__builtin_add_overflow(from, offset, &to) || to > INT64_MAX)
        return -1;
    input->at = to;
    return (sf_count_t)to;
}

static sf_count_t read_on(void *bytes, sf_count_t size, void *user)
{
    struct pst_sound_input *input = user;
    size_t got = size > 0 ? pst_sound_read_at(input, input->at, bytes, (size_t)size) : 0;
    input->at += got;
    return (sf_count_t)got;
}

static sf_count_t tell(void *user)
{
    const struct pst_sound_input *input = user;
    return (sf_count_t)input->at;
}

const SF_VIRTUAL_IO pst_sound_io = { .get_filelen = file_size, .seek = seek, .read = read_on, .tell = tell };
