/* The terms of the loss: those of --loss, or those of the shorthands, --targets and similar options. */
#include "stages/student-trainer/trainer.h"

#include <string.h>

const char *const soft_losses[] = { "kl", "cross-entropy", "logits", NULL };

enum pst_status take_loss(void *self, const char *value, struct pst_error *error)
{
    struct trainer *trainer = self;
    return pst_loss_parse(&trainer->training.loss, value, error);
}

static bool is_given(const struct pst_run *run, const char *name)
{
    return pst_options_given(run, (const char *const[]){ name, NULL }) != NULL;
}

/* Whether options say that there is this term. The default of a weight does not. */
static bool hard_is_wanted(const struct pst_run *run)
{
    const struct trainer *trainer = run->self;
    return is_given(run, "hard-weight") && trainer->settings.hard_weight > 0;
}

static bool soft_is_wanted(const struct pst_run *run)
{
    const struct trainer *trainer = run->self;
    return is_given(run, "soft-loss") || is_given(run, "soft-targets") ||
           (is_given(run, "soft-weight") && trainer->settings.soft_weight > 0);
}

enum pst_status check_loss_options(const struct pst_run *run, struct pst_error *error)
{
    static const char *const shorthands[] = { "targets",   "hard-weight",  "soft-weight",
                                              "soft-loss", "soft-targets", NULL };
    const struct trainer *trainer = run->self;
    const char *given = pst_options_given(run, shorthands);
    if (trainer->training.loss.count > 0 && given != NULL)
        return pst_fail(error, PST_USAGE, "--loss and --%s exclude each other; say all terms with --loss",
                        given);
    if (trainer->settings.targets == HARD && soft_is_wanted(run))
        return pst_fail(error, PST_USAGE,
                        "--targets hard learns from the labels alone; say --targets both, or leave out "
                        "--soft-weight, --soft-loss and --soft-targets");
    if (trainer->settings.targets == SOFT && hard_is_wanted(run))
        return pst_fail(error, PST_USAGE,
                        "--targets soft does not learn from the labels; say --targets both, or leave out "
                        "--hard-weight");
    return PST_OK;
}

/* The type of the term that learns from y; "labels" if there is no y. */
static const char *term_of_y(const struct pst_header *header)
{
    if (pst_labels_are_mixed(header))
        return "cross-entropy";
    size_t y = pst_header_find(header, "y");
    enum pst_dtype dtype = y == PST_NONE ? PST_DTYPE_I32 : header->tensors[y].dtype;
    return dtype == PST_DTYPE_U8                              ? "bce"
           : dtype == PST_DTYPE_F32 || dtype == PST_DTYPE_F16 ? "mse"
                                                              : "labels";
}

/* Whether y holds classes. */
static bool has_classes(const struct pst_header *header)
{
    return strcmp(term_of_y(header), "labels") == 0 || pst_labels_are_mixed(header);
}

/* Labels in the stream are used for figures in the log, even if nothing is learned from them. */
static bool has_labels(const struct pst_header *header)
{
    size_t y = pst_header_find(header, "y");
    return y != PST_NONE && header->tensors[y].dtype == PST_DTYPE_I32 && header->tensors[y].rank == 0;
}

static bool has_any(const struct pst_header *header, const char *kind)
{
    size_t first;
    return pst_header_find(header, kind) != PST_NONE || pst_header_find_all(header, kind, &first, 1) > 0;
}

/*
 * The term that learns from the teacher. If y holds numbers, the teacher's outputs are numbers, too; if it
 * holds bits, they are logits of bits, which must not go through a softmax.
 */
static const char *soft_term(const struct pst_run *run, const struct pst_header *header)
{
    const struct trainer *trainer = run->self;
    const char *hard = term_of_y(header);
    if (has_classes(header) || is_given(run, "soft-loss") || !has_any(header, "logits"))
        return soft_losses[trainer->settings.soft_loss];
    return strcmp(hard, "mse") == 0 ? "mse" : "logits";
}

/* --targets auto: soft targets if there are any, otherwise labels; and terms that options ask for. */
static enum pst_status choose(const struct pst_run *run, const struct pst_header *header, bool *hard,
                              bool *soft, struct pst_error *error)
{
    const struct settings *settings = &((const struct trainer *)run->self)->settings;
    bool classes = has_classes(header), logits = has_any(header, "logits");
    /* A compact stream has soft targets, too, although they are not restored. */
    *soft = soft_is_wanted(run) || has_any(header, "soft") || pst_compact_is(header) ||
            (!classes && logits && settings->soft_weight > 0);
    *hard = hard_is_wanted(run) || !*soft;
    if (!*soft && settings->soft_weight > 0 && logits && settings->dustbin == NULL)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream has logits, but no soft targets: put temperature-softmax before this "
                        "stage, or give the temperature, --loss kl,T=NUMBER, or choose --soft-loss logits, "
                        "or, to leave the teacher out, --targets hard");
    return PST_OK;
}

/* Names the tensor of the soft term: the user's, or, for mse, whose default is y, the teacher's. */
static enum pst_status name_soft(struct pst_loss_term *term, const char *name,
                                 const struct pst_header *header, struct pst_error *error)
{
    size_t index = PST_NONE;
    if (name != NULL && strlen(name) >= sizeof term->tensor)
        return pst_fail(error, PST_USAGE, "--soft-targets: a tensor's name has at most %zu bytes",
                        sizeof term->tensor - 1);
    if (name != NULL) {
        strcpy(term->tensor, name);
        return PST_OK;
    }
    if (term->type->target != PST_TARGET_NUMBERS)
        return PST_OK;
    enum pst_status status = pst_target_find(header, NULL, "--soft-targets",
                                             (const char *const[]){ "logits", NULL }, &index, error);
    if (status == PST_OK)
        strcpy(term->tensor, header->tensors[index].name);
    return status;
}

enum pst_status make_terms(struct pst_run *run, const struct pst_header *header, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct settings *settings = &trainer->settings;
    struct pst_loss *loss = &trainer->training.loss;
    if (loss->count > 0)
        return PST_OK;
    trainer->shorthand = true;
    bool hard = settings->targets != SOFT, soft = settings->targets != HARD;
    enum pst_status status = settings->targets == AUTO ? choose(run, header, &hard, &soft, error) : PST_OK;
    if (status != PST_OK)
        return status;
    struct pst_loss_term *term;
    if ((hard && settings->hard_weight > 0) || has_labels(header)) {
        term = pst_loss_add(loss, term_of_y(header));
        term->weight = hard ? settings->hard_weight : 0;
        strcpy(term->tensor, pst_labels_are_mixed(header) ? "y" : "");
    }
    if (!soft || settings->soft_weight == 0)
        return PST_OK;
    term = pst_loss_add(loss, soft_term(run, header));
    term->weight = settings->soft_weight;
    return name_soft(term, settings->soft_name, header, error);
}
