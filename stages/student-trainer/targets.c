/* The tensors that the terms of the loss are computed from: finds them, and checks their rows. */
#include "stages/student-trainer/trainer.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- which tensors ---------------------------------------------------------------------------------------
 */

/* Fails because the stream has no tensor for this term, and says which stage is missing. */
static enum pst_status miss(const struct pst_loss_term *term, const struct pst_header *header,
                            struct pst_error *error)
{
    const char *advice = pst_compact_advice(header);
    size_t first;
    switch (term->type->target) {
    case PST_TARGET_LABELS:
        return pst_fail(error, PST_BAD_DATA, "the stream has no labels 'y'%s",
                        *advice != '\0' ? advice : "; only a source that knows them can bring them");
    case PST_TARGET_DISTRIBUTION:
        if (*advice == '\0' && pst_header_find_all(header, "logits", &first, 1) > 0)
            return pst_fail(error, PST_BAD_DATA,
                            "the stream has no soft targets, but logits: put temperature-softmax before this "
                            "stage, or give the temperature, --loss %s,T=NUMBER",
                            term->type->name);
        return pst_fail(error, PST_BAD_DATA, "the stream has no soft targets%s",
                        *advice != '\0' ? advice : "; is temperature-softmax before this stage?");
    case PST_TARGET_LOGITS:
        return pst_fail(error, PST_BAD_DATA, "the stream has no logits%s",
                        *advice != '\0' ? advice : "; is teacher-forward before this stage?");
    case PST_TARGET_HINT:
        return pst_fail(
            error, PST_BAD_DATA,
            "the stream has no hints; 'teacher-forward MODEL --hint LAYER' before this stage adds "
            "them");
    default:
        return pst_fail(
            error, PST_BAD_DATA,
            "the stream has no tensor 'y'; name another one, --loss %s:TENSOR, or put a stage that "
            "brings it before this one",
            term->type->name);
    }
}

/* Finds the tensor of a term: the one that is named, or the one for its type. */
static enum pst_status find_tensor(const struct trainer *trainer, struct pst_loss_term *term,
                                   const struct pst_header *header, size_t *index, struct pst_error *error)
{
    static const char *const kinds[PST_TARGET_HINT + 1][2] = { [PST_TARGET_DISTRIBUTION] = { "soft" },
                                                               [PST_TARGET_LOGITS] = { "logits" },
                                                               [PST_TARGET_HINT] = { "hint" } };
    enum pst_loss_target kind = term->type->target;
    char option[64];
    snprintf(option, sizeof option, "--loss %s:TENSOR", term->type->name);
    enum pst_status status = PST_OK;
    if (term->tensor[0] == '\0' && kinds[kind][0] == NULL)
        *index = pst_header_find(header, "y");
    else
        status = pst_target_find(header, term->tensor[0] == '\0' ? NULL : term->tensor,
                                 trainer->shorthand ? "--soft-targets" : option, kinds[kind], index, error);
    bool softened = kind == PST_TARGET_DISTRIBUTION && term->temperature > 0; /* here, not by a stage */
    if (status == PST_OK && *index == PST_NONE && softened)
        status = pst_target_find(header, NULL, option, kinds[PST_TARGET_LOGITS], index, error);
    if (status == PST_OK && *index == PST_NONE)
        return miss(term, header, error);
    if (status != PST_OK)
        return status;
    strcpy(term->tensor, header->tensors[*index].name);
    if (kind == PST_TARGET_DISTRIBUTION)
        (void)pst_target_kind(term->tensor, &term->from_logits);
    return pst_target_whole(header, term->tensor, error);
}

enum pst_status use_tensor(struct target *target, enum pst_loss_target kind, const struct pst_header *header,
                           size_t index, size_t outputs, struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &header->tensors[index];
    target->index = index;
    target->spec = *spec;
    if (kind == PST_TARGET_LABELS) {
        if (spec->dtype == PST_DTYPE_I32 && spec->rank == 0)
            return PST_OK;
        if (strcmp(spec->name, "y") == 0 && pst_labels_are_mixed(header))
            return pst_fail(error, PST_BAD_DATA,
                            "tensor 'y' holds shares of classes, for samples were mixed; learn from them "
                            "with --loss cross-entropy:y");
        return pst_fail(error, PST_BAD_DATA,
                        "tensor '%s' is %s of rank %zu a sample, and labels are i32 of rank 0; numbers are "
                        "learned with --loss mse, bits with --loss bce",
                        spec->name, pst_dtype_name(spec->dtype), spec->rank);
    }
    bool rows = kind == PST_TARGET_NUMBERS || kind == PST_TARGET_BITS;
    bool good = spec->dtype == PST_DTYPE_F32 ||
                (rows && (spec->dtype == PST_DTYPE_F16 || spec->dtype == PST_DTYPE_U8));
    if (good && pst_spec_elements(spec) == outputs && (rows || spec->rank == 1))
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "tensor '%s' is %s with %zu elements a sample, and the network needs %s with %zu",
                    spec->name, pst_dtype_name(spec->dtype), pst_spec_elements(spec),
                    rows ? "f32, f16 or u8" : "f32", outputs);
}

/* Checks that a tensor is a hint, and makes the term compare its layer with it. */
static enum pst_status use_hint(struct trainer *trainer, size_t k, const struct pst_header *header,
                                size_t index, struct pst_error *error)
{
    const struct pst_loss_term *term = &trainer->training.loss.terms[k];
    struct target *target = &trainer->stream.targets[k];
    const struct pst_tensor_spec *spec = &header->tensors[index];
    struct pst_shape shape = { .rank = spec->rank };
    target->index = index;
    target->spec = *spec;
    if (term->layer[0] == '\0')
        return pst_fail(
            error, PST_USAGE,
            "--loss %s needs layer=, the number of the student's layer that is compared with '%s', as "
            "stream-inspect --arch shows it",
            term->type->name, spec->name);
    bool numbers =
        spec->dtype == PST_DTYPE_F32 || spec->dtype == PST_DTYPE_F16 || spec->dtype == PST_DTYPE_U8;
    if (!numbers || spec->rank == 0 || spec->rank > PST_SHAPE_RANK)
        return pst_fail(
            error, PST_BAD_DATA,
            "tensor '%s' is %s of rank %zu a sample, and a hint is f32, f16 or u8 of rank 1 to %d",
            spec->name, pst_dtype_name(spec->dtype), spec->rank, PST_SHAPE_RANK);
    for (size_t i = 0; i < spec->rank; i++)
        shape.size[i] = spec->shape[i];
    return pst_training_match(&trainer->training, k, &shape, trainer->settings.seed, error);
}

/* T is the tensor's, or the user's if the tensor has none. */
static enum pst_status settle_temperature(struct pst_loss_term *term, double said, struct pst_error *error)
{
    if (!term->type->has_temperature)
        return PST_OK;
    if (said > 0 && term->temperature > 0 && fabs(said - term->temperature) > 1e-9 * said)
        return pst_fail(error, PST_BAD_DATA, "T=%g: tensor '%s' says that it is at temperature %g",
                        term->temperature, term->tensor, said);
    if (said > 0)
        term->temperature = said;
    if (term->temperature > PST_MOST_TEMPERATURE && term->from_logits)
        return pst_fail(
            error, PST_USAGE,
            "T=%g: the highest temperature is %g; --loss logits is the limit at high temperatures",
            term->temperature, PST_MOST_TEMPERATURE);
    if (term->temperature > PST_MOST_TEMPERATURE)
        return pst_fail(
            error, said > 0 ? PST_BAD_DATA : PST_USAGE,
            "tensor '%s' is at temperature %g, and above %g probabilities in f32 cannot carry the "
            "differences between logits; learn from the teacher's logits with --loss logits",
            term->tensor, term->temperature, PST_MOST_TEMPERATURE);
    if (term->temperature > 0)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "tensor '%s' does not say at which temperature it is; --loss %s,T=NUMBER says it",
                    term->tensor, term->type->name);
}

static enum pst_status settle_term(struct trainer *trainer, size_t k, const struct pst_header *header,
                                   struct pst_error *error)
{
    struct pst_loss *loss = &trainer->training.loss;
    struct pst_loss_term *term = &loss->terms[k];
    struct target *target = &trainer->stream.targets[k];
    size_t index;
    enum pst_status status = find_tensor(trainer, term, header, &index, error);
    if (status == PST_OK && term->type->target == PST_TARGET_HINT)
        status = use_hint(trainer, k, header, index, error);
    else if (status == PST_OK)
        status = use_tensor(target, term->type->target, header, index, trainer_classes(trainer), error);
    if (status == PST_OK)
        status = settle_temperature(term, target->spec.temperature, error);
    for (size_t i = 0; i < k && status == PST_OK; i++)
        if (loss->terms[i].type == term->type && trainer->stream.targets[i].index == index &&
            strcmp(loss->terms[i].layer, term->layer) == 0)
            return pst_fail(error, PST_USAGE, "the loss has the term %s of '%s' twice", term->type->name,
                            term->tensor);
    return status;
}

/* Checks that there are as many outputs as the stream has classes. of_classes: receives whether the outputs
 * are of classes. */
static enum pst_status check_classes(const struct trainer *trainer, const struct pst_header *header,
                                     bool *of_classes, struct pst_error *error)
{
    const struct pst_loss *loss = &trainer->training.loss;
    size_t outputs = pst_network_outputs(&trainer->training.network);
    *of_classes = false;
    for (size_t k = 0; k < loss->count; k++)
        *of_classes |= loss->terms[k].type->target <= PST_TARGET_LOGITS;
    if (!*of_classes && trainer->settings.dustbin != NULL)
        return pst_fail(error, PST_USAGE, "--dustbin is for classes, and the loss has none");
    if (!*of_classes || header->classes == 0 || header->classes == trainer_classes(trainer))
        return PST_OK;
    if (trainer->settings.dustbin != NULL)
        return pst_fail(error, PST_BAD_DATA,
                        "the loss is about %zu outputs and the dustbin, but the stream has %" PRIu64
                        " classes",
                        trainer_classes(trainer) - 1, header->classes);
    return pst_fail(error, PST_BAD_DATA,
                    "the network has %zu outputs, but the stream has %" PRIu64 " classes", outputs,
                    header->classes);
}

/* Notes the terms in the words of --loss: two runs with the same words learn from the same terms. */
static enum pst_status note_terms(struct pst_run *run, struct pst_error *error)
{
    const struct trainer *trainer = run->self;
    const struct pst_loss *loss = &trainer->training.loss;
    json_t *list = json_array();
    for (size_t k = 0; k < loss->count; k++) {
        const struct pst_loss_term *term = &loss->terms[k];
        char text[PST_TARGET_NAME + PST_LAYER_NUMBER + 128];
        int used =
            pst_print_plain(text, sizeof text, "%s:%s:%.15g", term->type->name, term->tensor, term->weight);
        if (term->type->has_temperature)
            used += pst_print_plain(text + used, sizeof text - (size_t)used, ",T=%.15g", term->temperature);
        if (term->layer[0] != '\0')
            used += pst_print_plain(text + used, sizeof text - (size_t)used, ",layer=%s", term->layer);
        for (size_t i = 0; i < PST_MAX_LOSS_KEYS && term->type->keys[i].name != NULL; i++)
            used += pst_print_plain(text + used, sizeof text - (size_t)used, ",%s=%.15g",
                                    term->type->keys[i].name, term->values[i]);
        json_array_append_new(list, json_string(text));
    }
    return pst_history_note(run, "terms", list, error);
}

enum pst_status settle_targets(struct pst_run *run, const struct pst_header *header, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct pst_loss *loss = &trainer->training.loss;
    struct stream *stream = &trainer->stream;
    double weight = 0;
    bool of_classes;
    enum pst_status status = check_classes(trainer, header, &of_classes, error);
    for (size_t k = 0; k < loss->count && status == PST_OK; k++) {
        status = settle_term(trainer, k, header, error);
        weight += loss->terms[k].weight;
    }
    if (status == PST_OK && weight == 0)
        return pst_fail(error, PST_USAGE, "the weights of the targets are 0: there is nothing to learn from");
    size_t y = pst_header_find(header, "y");
    if (of_classes && y != PST_NONE && header->tensors[y].dtype == PST_DTYPE_I32 &&
        header->tensors[y].rank == 0)
        stream->labels_index = y;
    for (size_t k = loss->count; k-- > 0;)
        if (loss->terms[k].type->target == PST_TARGET_LABELS)
            stream->labels_index = stream->targets[k].index;
    return status == PST_OK ? note_terms(run, error) : status;
}

enum pst_status settle_dustbin(struct trainer *trainer, const struct pst_header *header,
                               struct pst_error *error)
{
    static const char *const kinds[] = { NULL };
    struct stream *stream = &trainer->stream;
    const char *name = trainer->settings.dustbin;
    struct target target = { 0 };
    bool logits = false;
    if (name == NULL)
        return PST_OK;
    enum pst_status status = pst_target_find(header, name, "--dustbin", kinds, &stream->dustbin_index, error);
    if (status == PST_OK && (!pst_target_kind(name, &logits) || !logits))
        return pst_fail(error, PST_USAGE, "--dustbin %s: only logits have the dustbin's", name);
    if (status == PST_OK)
        status = pst_target_whole(header, name, error);
    if (status == PST_OK)
        status = use_tensor(&target, PST_TARGET_LOGITS, header, stream->dustbin_index,
                            trainer_classes(trainer), error);
    stream->dustbin = target.spec;
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------------------
 */

/* The threads that learn; NULL before the first batch, when rows for validation are read. */
static struct pst_team *team_of(const struct trainer *trainer)
{
    const struct pst_workspace *workspace = trainer->training.workspace;
    return workspace == NULL ? NULL : pst_workspace_team(workspace);
}

static enum pst_status check_labels(const int32_t *labels, size_t n, size_t classes, struct pst_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= classes)
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %" PRId32 " is not one of %zu classes", i,
                            labels[i], classes);
    }
    return PST_OK;
}

static enum pst_status check_bits(const char *name, const float *bits, size_t n, size_t outputs,
                                  struct pst_error *error)
{
    for (size_t i = 0; i < n * outputs; i++) {
        if (!(bits[i] >= 0 && bits[i] <= 1))
            return pst_fail(
                error, PST_BAD_DATA,
                "tensor '%s', sample %zu of the batch: number %zu is %g, and a bit is from 0 to 1", name,
                i / outputs, i % outputs, (double)bits[i]);
    }
    return PST_OK;
}

enum pst_status read_target(const struct trainer *trainer, struct target *target, enum pst_loss_target kind,
                            const struct pst_tensor *tensor, size_t n, const void **data,
                            struct pst_error *error)
{
    size_t outputs = trainer_classes(trainer);
    struct pst_team *team = team_of(trainer);
    *data = tensor->data;
    if (kind == PST_TARGET_LABELS)
        return check_labels(tensor->data, n, outputs, error);
    if (kind == PST_TARGET_DISTRIBUTION)
        return pst_rows_check_by(team, &target->spec, tensor->data, n, PST_ROW_DISTRIBUTION, error);
    if (kind == PST_TARGET_LOGITS || (kind == PST_TARGET_HINT && target->spec.dtype == PST_DTYPE_F32))
        return pst_rows_check_by(team, &target->spec, tensor->data, n, PST_ROW_LOGITS, error);
    size_t numbers = n * pst_spec_elements(&target->spec); /* unless hints, the outputs */
    enum pst_status status = pst_buffer_reserve(&target->numbers, numbers * sizeof(float), 0, error);
    *data = target->numbers.data;
    if (status == PST_OK)
        status = pst_tensor_to_f32(&target->spec, tensor, n, target->numbers.data, error);
    if (status == PST_OK && kind == PST_TARGET_BITS)
        status = check_bits(target->spec.name, target->numbers.data, n, outputs, error);
    if (status == PST_OK && kind == PST_TARGET_NUMBERS)
        standardise_targets(trainer, n, target->numbers.data);
    return status;
}

/* What a term's tensor holds. */
static enum pst_loss_target kind_of(const struct pst_loss_term *term)
{
    return term->from_logits ? PST_TARGET_LOGITS : term->type->target;
}

enum pst_status read_targets(struct trainer *trainer, const struct pst_batch *batch,
                             struct pst_loss_targets *targets, struct pst_error *error)
{
    const struct pst_loss *loss = &trainer->training.loss;
    struct stream *stream = &trainer->stream;
    size_t outputs = trainer_classes(trainer);
    enum pst_status status = PST_OK;
    *targets = (struct pst_loss_targets){ 0 };
    if (stream->labels_index != PST_NONE) {
        targets->labels = batch->tensors[stream->labels_index].data;
        status = check_labels(targets->labels, batch->n, outputs, error);
    }
    for (size_t k = 0; k < loss->count && status == PST_OK; k++)
        status = read_target(trainer, &stream->targets[k], kind_of(&loss->terms[k]),
                             &batch->tensors[stream->targets[k].index], batch->n, &targets->terms[k], error);
    if (status == PST_OK && stream->dustbin_index != PST_NONE) {
        targets->given = batch->tensors[stream->dustbin_index].data;
        status = pst_rows_check_by(team_of(trainer), &stream->dustbin, targets->given, batch->n,
                                   PST_ROW_LOGITS, error);
    }
    if (stream->weight_index != PST_NONE)
        targets->weight = batch->tensors[stream->weight_index].data;
    return status == PST_OK ? check_sample_weights(trainer, targets, batch->n, error) : status;
}
