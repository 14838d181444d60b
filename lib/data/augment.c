/* Augmentation by whole pixels. */
#include "pipestill/data.h"

#include <string.h>

void pst_augment_shift(const uint8_t *source, uint8_t *moved, size_t height, size_t width, unsigned most,
                       uint64_t seed, uint64_t epoch, uint64_t id)
{
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_SHIFT, epoch, id);
    uint64_t steps = 2 * (uint64_t)most + 1;
    int64_t down = (int64_t)pst_random_below(&random, steps) - most;
    int64_t right = (int64_t)pst_random_below(&random, steps) - most;
    size_t over = (size_t)(right < 0 ? -right : right); /* columns that leave the image */
    memset(moved, 0, height * width);
    if (over >= width)
        return;
    for (size_t i = 0; i < height; i++) {
        int64_t from = (int64_t)i - down;
        if (from < 0 || from >= (int64_t)height)
            continue;
        const uint8_t *row = source + (size_t)from * width + (right < 0 ? over : 0);
        memcpy(moved + i * width + (right > 0 ? over : 0), row, width - over);
    }
}
