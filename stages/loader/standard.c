/* --standardise: mean and deviation of the training selection, also if another part of the set is loaded. */
#include "stages/loader/loader.h"

struct fitted {
    struct pst_standard inputs, targets; /* targets: of labels that are numbers */
};

/* Fits to the training samples of a set that is open. */
static enum pst_status fit(struct fitted *fitted, const struct pst_dataset *data,
                           const struct pst_selection_rules *chosen, struct pst_error *error)
{
    struct pst_selection_rules rules = *chosen;
    struct pst_selection selection;
    rules.split = PST_SPLIT_TRAIN;
    enum pst_status status = pst_select(data, &rules, &selection, error);
    if (status == PST_OK)
        status = pst_standard_fit(&fitted->inputs, data, &selection, error);
    if (status == PST_OK && data->label_kind == PST_LABELS_NUMBERS)
        status = pst_targets_fit(&fitted->targets, data, &selection, error);
    pst_selection_free(&selection);
    return status == PST_OK ? PST_OK : pst_fail_at(error, "--standardise");
}

/* Fits to the training part, and closes it before the test part is opened. */
static enum pst_status fit_other_part(struct fitted *fitted, const struct loader *loader,
                                      const struct pst_dataset_type *type,
                                      const struct pst_dataset_request *request, struct pst_error *error)
{
    struct pst_dataset training;
    struct pst_dataset_request other = *request;
    other.test = false;
    enum pst_status status = pst_dataset_open(&training, type, &other, error);
    if (status != PST_OK)
        return pst_fail_at(error, "--standardise");
    status = fit(fitted, &training, &loader->chosen.rules, error);
    pst_dataset_close(&training);
    return status;
}

enum pst_status open_standardised(struct loader *loader, const struct pst_dataset_type *type,
                                  const struct pst_dataset_request *request, struct pst_error *error)
{
    struct fitted fitted = { 0 };
    enum pst_status status = request->test ? fit_other_part(&fitted, loader, type, request, error) : PST_OK;
    if (status == PST_OK)
        status = pst_dataset_open(&loader->data, type, request, error);
    if (status == PST_OK && !request->test)
        status = fit(&fitted, &loader->data, &loader->chosen.rules, error);
    if (status != PST_OK) {
        pst_standard_free(&fitted.inputs);
        pst_standard_free(&fitted.targets);
        return status;
    }
    loader->data.standard = fitted.inputs;
    loader->data.targets = fitted.targets;
    return PST_OK;
}
