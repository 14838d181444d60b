/* Classes drawn from soft targets without bias, for many classes: over many rows, gradients are on average
 * the full ones. */
#include "lib/compact/codec.h"

#include <string.h>

void pst_draw_systematically(const float *row, size_t classes, double offset, size_t draws, uint16_t *drawn)
{
    double sum = 0, passed = 0;
    for (size_t c = 0; c < classes; c++)
        sum += (double)row[c];
    double scale = (double)draws / sum;
    size_t count = 0;
    uint16_t last = 0; /* class with a probability above 0 */
    for (size_t c = 0; c < classes && count < draws; c++) {
        if (!(row[c] > 0))
            continue;
        last = (uint16_t)c;
        passed += (double)row[c];
        double end = passed * scale;
        while (count < draws && offset + (double)count < end)
            drawn[count++] = last;
    }
    /* Rounding may leave the end of the last class just below the last point. */
    while (count < draws)
        drawn[count++] = last;
}

pst_fault pst_draws_restore(const struct pst_target *target, const uint16_t *drawn, float *row)
{
    memset(row, 0, target->classes * sizeof *row);
    for (size_t i = 0; i < target->kept; i++) {
        if (drawn[i] >= target->classes)
            return "a class that was drawn is not one of the classes";
        row[drawn[i]] -= 1;
    }
    /* A count is below 0 until it is made a share. */
    for (size_t i = 0; i < target->kept; i++) {
        if (row[drawn[i]] < 0)
            row[drawn[i]] = (float)(-(double)row[drawn[i]] / (double)target->kept);
    }
    return NULL;
}
