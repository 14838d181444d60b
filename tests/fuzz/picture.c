/* A picture: PNG, JPEG, PPM or PGM; and changes of a picture that was read. */
#include "lib/data/pictures/picture.h"
#include "tests/fuzz/fuzz.h"

#define MOST_PIXELS ((size_t)1 << 20) /* larger ones would only take long */

/* Whether a file announces more pixels. It is refused for its size before any pixel is read. */
static bool is_large(const uint8_t *data, size_t size)
{
    struct pst_picture picture = { .only_width = SIZE_MAX, .only_height = SIZE_MAX };
    struct pst_error error = { 0 };
    unsigned long long width = 0, height = 0;
    if (pst_picture_decode(&picture, data, size, &error) == PST_OK) /* no picture has such a size */
        abort();
    return sscanf(error.message, "it has %llu by %llu", &width, &height) == 2 && width * height > MOST_PIXELS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_picture picture = { 0 };
    struct pst_resizing resizing = { 0 };
    struct pst_error error;
    static uint8_t planes[3 * 20 * 30];
    if (is_large(data, size))
        return 0;
    if (pst_picture_decode(&picture, data, size, &error) == PST_OK &&
        pst_picture_recolour(&picture, picture.channels ^ 2, &error) == PST_OK &&
        pst_picture_resize(&picture, &resizing, 30, 20, &error) == PST_OK)
        pst_picture_planes(&picture, planes);
    pst_picture_free(&picture);
    pst_resizing_free(&resizing);
    return 0;
}
