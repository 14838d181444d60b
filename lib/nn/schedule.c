/* Learning rates and momentum over time. */
#include "pipestill/training.h"

#include <math.h>

/* How far the training is between the end of the warm-up and its own end, [0, 1]. */
static double progress(const struct pst_schedule *schedule, double epoch)
{
    double span = schedule->epochs - schedule->warm_up;
    if (epoch <= schedule->warm_up)
        return 0;
    return epoch >= schedule->epochs ? 1 : (epoch - schedule->warm_up) / span;
}

/* The rate without warm-up. */
static double planned_rate(const struct pst_schedule *schedule, double epoch)
{
    const double pi = 3.141592653589793;
    double past = progress(schedule, epoch), share;
    switch (schedule->kind) {
    case PST_STEP:
        /* The small addition is for quotients such as 0.3 / 0.1, which is slightly below a whole number. */
        return schedule->rate * pow(schedule->gamma, floor(epoch / schedule->step_epochs + 1e-9));
    case PST_LINEAR:
        return schedule->rate * (1 - past) + schedule->final_rate * past;
    case PST_COSINE:
        share = (1 + cos(pi * past)) / 2;
        return schedule->rate * share + schedule->final_rate * (1 - share);
    case PST_CONSTANT:
        break;
    }
    return schedule->rate;
}

double pst_schedule_rate(const struct pst_schedule *schedule, double epoch)
{
    double warmth = epoch < schedule->warm_up ? epoch / schedule->warm_up : 1;
    return warmth * planned_rate(schedule, epoch);
}

double pst_schedule_momentum(const struct pst_schedule *schedule, double momentum, double epoch)
{
    if (schedule->momentum_epochs <= 0)
        return momentum;
    double past = epoch < schedule->momentum_epochs ? epoch / schedule->momentum_epochs : 1;
    return momentum * (1 - past) + schedule->final_momentum * past;
}
