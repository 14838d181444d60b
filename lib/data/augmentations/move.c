/* Planes moved by whole pixels, for all augmentations that do so. */
#include "lib/data/augmentations/move.h"

#include <string.h>

static void fill_background(const struct pst_planes *planes, void *to, size_t elements)
{
    memset(to, 0, elements * (planes->numbers ? sizeof(float) : 1));
    for (size_t i = 0; planes->numbers && i < elements; i++)
        ((float *)to)[i] = planes->background;
}

/* Moves one plane down and right; what comes in is background. */
static void move(const struct pst_planes *planes, const unsigned char *from, unsigned char *to, int64_t down,
                 int64_t right)
{
    size_t bytes = planes->numbers ? sizeof(float) : 1, row = planes->width * bytes;
    size_t over = (size_t)(right < 0 ? -right : right); /* columns that leave the image */
    for (size_t i = 0; i < planes->height && over < planes->width; i++) {
        int64_t source = (int64_t)i - down;
        if (source < 0 || source >= (int64_t)planes->height)
            continue;
        memcpy(to + i * row + (right > 0 ? over : 0) * bytes,
               from + (size_t)source * row + (right < 0 ? over : 0) * bytes, (planes->width - over) * bytes);
    }
}

static void move_all(const struct pst_planes *planes, const void *from, void *to, int64_t down, int64_t right)
{
    size_t plane = planes->height * planes->width;
    fill_background(planes, to, planes->channels * plane);
    for (size_t channel = 0; channel < planes->channels; channel++) {
        size_t at = channel * plane * (planes->numbers ? sizeof(float) : 1);
        move(planes, (const unsigned char *)from + at, (unsigned char *)to + at, down, right);
    }
}

void pst_move_at_random(const struct pst_planes *planes, const void *from, void *to, size_t most, int use,
                        const struct pst_draw *draw)
{
    struct pst_random random;
    pst_random_start(&random, draw->seed, (uint32_t)use, draw->epoch, draw->id);
    uint64_t steps = 2 * (uint64_t)most + 1;
    int64_t down = (int64_t)pst_random_below(&random, steps) - (int64_t)most;
    int64_t right = (int64_t)pst_random_below(&random, steps) - (int64_t)most;
    move_all(planes, from, to, down, right);
}
