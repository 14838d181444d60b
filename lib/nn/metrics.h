/* metrics.h: what all printed forms of reports share. */
#ifndef PIPESTILL_NN_METRICS_H
#define PIPESTILL_NN_METRICS_H

#include "pipestill/metrics.h"

/* The figures of a row, which begin with its own number if rows are numbered. */
struct pst_figures pst_row_figures(const struct pst_rows *rows, size_t row);

/* The most frequent confusions as rows of a report that has a confusion. found: receives them; borrowed. */
struct pst_rows pst_confusion_rows(const struct pst_report *report,
                                   struct pst_confusion found[PST_MOST_CONFUSIONS]);

#endif
