/* How good predicted numbers are: sums of errors and of the targets' spread, one sample after another. */
#include "pipestill/metrics.h"

#include <math.h>
#include <stdlib.h>

enum pst_status pst_regression_new(struct pst_regression *regression, size_t outputs, struct pst_error *error)
{
    *regression = (struct pst_regression){ .outputs = outputs };
    regression->each = pst_allocate(outputs, sizeof *regression->each, error);
    return regression->each != NULL ? PST_OK : PST_TRY_AGAIN;
}

void pst_regression_free(struct pst_regression *regression)
{
    free(regression->each);
    *regression = (struct pst_regression){ 0 };
}

void pst_regression_add(struct pst_regression *regression, const float *predictions, const float *targets)
{
    regression->samples++;
    for (size_t j = 0; j < regression->outputs; j++) {
        struct pst_regression_sums *sums = &regression->each[j];
        double target = (double)targets[j], error = (double)predictions[j] - target;
        double before = target - sums->mean;
        sums->absolute += fabs(error);
        sums->squares += error * error;
        sums->mean += before / (double)regression->samples;
        sums->spread += before * (target - sums->mean);
    }
}

struct pst_regression_scores pst_regression_score(const struct pst_regression *regression, size_t first,
                                                  size_t count)
{
    struct pst_regression_sums all = { 0 };
    for (size_t j = first; j < first + count; j++) {
        all.absolute += regression->each[j].absolute;
        all.squares += regression->each[j].squares;
        all.spread += regression->each[j].spread;
    }
    double numbers = (double)regression->samples * (double)count;
    return (struct pst_regression_scores){ .rmse = sqrt(all.squares / numbers),
                                           .mae = all.absolute / numbers,
                                           .r2 =
                                               all.spread > 0 ? 1 - all.squares / all.spread : (double)NAN };
}

static void add_scores(const struct pst_regression *regression, size_t first, size_t count,
                       struct pst_figures *figures)
{
    struct pst_regression_scores scores = pst_regression_score(regression, first, count);
    pst_figures_add(figures, "rmse", "RMSE", PST_FIGURE_QUANTITY, scores.rmse);
    pst_figures_add(figures, "mae", "MAE", PST_FIGURE_QUANTITY, scores.mae);
    pst_figures_add(figures, "r2", "R squared", PST_FIGURE_RATIO, scores.r2);
}

static void add_output(const void *scores, size_t output, struct pst_figures *figures)
{
    add_scores(scores, output, 1, figures);
}

static double output_badness(const void *scores, size_t output)
{
    return pst_regression_score(scores, output, 1).rmse;
}

/* The mean over the outputs for which it is defined. */
static double mean_r2(const struct pst_regression *regression)
{
    double sum = 0, count = 0;
    for (size_t j = 0; j < regression->outputs; j++) {
        double r2 = pst_regression_score(regression, j, 1).r2;
        sum += isnan(r2) ? 0 : r2;
        count += !isnan(r2);
    }
    return sum / count;
}

void pst_regression_report(const struct pst_regression *regression, struct pst_report *report)
{
    pst_figures_add(&report->whole, "samples", "samples", PST_FIGURE_COUNT, (double)regression->samples);
    add_scores(regression, 0, regression->outputs, &report->whole);
    if (regression->outputs > 1)
        pst_figures_add(&report->whole, "mean_r2", "mean R squared", PST_FIGURE_RATIO, mean_r2(regression));
    report->rows = (struct pst_rows){ .key = "per_output",
                                      .scope = "output",
                                      .numbered = true,
                                      .count = regression->outputs,
                                      .row = add_output,
                                      .badness = output_badness,
                                      .others = "those with a smaller RMSE",
                                      .scores = regression };
}
