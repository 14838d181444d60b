/* --standardise: mean and deviation of the training selection, whichever part of the set is loaded. */
#include "stages/loader/loader.h"

/* Fits to the training samples of a set that is open. */
static enum pst_status fit(struct pst_standard *standard, const struct pst_dataset *data,
                           const struct pst_selection_rules *chosen, struct pst_error *error)
{
    struct pst_selection_rules rules = *chosen;
    struct pst_selection selection;
    rules.split = PST_SPLIT_TRAIN;
    enum pst_status status = pst_select(data, &rules, &selection, error);
    if (status != PST_OK)
        return status;
    status = pst_standard_fit(standard, data, &selection, error);
    pst_selection_free(&selection);
    return status;
}

enum pst_status fit_standard(struct loader *loader, const struct pst_dataset_type *type,
                             const struct pst_dataset_request *request, struct pst_error *error)
{
    const struct pst_selection_rules *rules = &loader->chosen.rules;
    struct pst_standard standard;
    struct pst_dataset training = { 0 };
    enum pst_status status;
    if (rules->split == PST_SPLIT_TEST) {
        struct pst_dataset_request other = *request;
        other.test = false;
        status = pst_dataset_open(&training, type, &other, error);
        if (status == PST_OK)
            status = fit(&standard, &training, rules, error);
        pst_dataset_close(&training);
    } else {
        status = fit(&standard, &loader->data, rules, error);
    }
    if (status == PST_OK)
        loader->data.standard = standard;
    return status == PST_OK ? PST_OK : pst_fail_at(error, "--standardise");
}
