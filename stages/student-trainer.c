/*
 * student-trainer: a sink that trains a network from labels, soft targets, numbers or bits, batch by batch as
 * they come. What a step does is lib/nn's; student-trainer/ holds what is around it: terms of the loss,
 * validation, checkpoints, epochs.
 */
#include "stages/student-trainer/trainer.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct trainer defaults = {
    .settings = { .hard_weight = 1, .soft_weight = 1, .seed = 1 },
    .training = { .optimiser_settings = { .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8 },
                  .schedule = { .rate = 0.02, .step_epochs = 10, .gamma = 0.5 } },
    .stream = { .labels_index = PST_NONE, .weight_index = PST_NONE },
};

#define PLACE(member) .at = offsetof(struct trainer, member)

static const struct pst_option options[] = {
    { .letter = 'o',
      .name = "output",
      .type = PST_STRING,
      PLACE(settings.output_path),
      .metavar = "MODEL",
      .help = "the model file to write",
      .required = true,
      .silent = true },
    { .letter = 'a',
      .name = "arch",
      .type = PST_STRING,
      PLACE(settings.architecture),
      .metavar = "LAYERS",
      .help = "a new network: inputs and layers, such as 784-800-800-10 or 784-100-tanh-10" },
    { .name = "hidden",
      .type = PST_STRING,
      PLACE(settings.hidden),
      .metavar = "LAYERS",
      .silent = true, /* the history has the whole architecture */
      .help = "the same without inputs and outputs, which the stream tells: 800-800" },
    { .name = "from",
      .type = PST_STRING,
      PLACE(settings.from_path),
      .metavar = "MODEL",
      .silent = true,
      .help = "start from this model instead" },
    { .name = "activation",
      .type = PST_STRING,
      PLACE(settings.activation),
      .metavar = "NAME",
      .help = "with --from: what stands between the layers of a model that does not say it" },
    { .name = "loss",
      .type = PST_LIST,
      .take = take_loss,
      .metavar = "TERM",
      .help = "a term of the loss: TYPE[:TENSOR[:WEIGHT]][,KEY=NUMBER...]; types are above" },
    { .name = "class-weight",
      .type = PST_STRING,
      PLACE(settings.class_weights),
      .metavar = "LIST",
      .help = "how much samples count by their label: 0=1,7=5, or balanced" },
    { .name = "targets",
      .type = PST_CHOICE,
      PLACE(settings.targets),
      .choices = (const char *const[]){ "auto", "hard", "soft", "both", NULL },
      .help = "short for --loss: what to learn from; auto: soft if the stream has soft targets, else hard" },
    { .name = "hard-weight",
      .type = PST_DOUBLE,
      PLACE(settings.hard_weight),
      .help = "weight of the loss on labels" },
    { .name = "soft-weight",
      .type = PST_DOUBLE,
      PLACE(settings.soft_weight),
      .help = "weight of the loss on soft targets" },
    { .name = "soft-loss",
      .type = PST_CHOICE,
      PLACE(settings.soft_loss),
      .choices = soft_losses,
      .help = "T^2 KL, T^2 cross-entropy, or squared error on logits" },
    { .name = "soft-targets",
      .type = PST_STRING,
      PLACE(settings.soft_name),
      .metavar = "NAME",
      .help = "tensor of the soft targets; otherwise soft, or the only soft/NAME" },
    { .name = "optimiser",
      .type = PST_CHOICE,
      PLACE(settings.optimiser),
      .choices = (const char *const[]){ "sgd", "nesterov", "adam", NULL },
      .help = "how weights are updated" },
    { .letter = 'r',
      .name = "learning-rate",
      .type = PST_POSITIVE_DOUBLE,
      PLACE(training.schedule.rate),
      .help = "learning rate" },
    { .name = "momentum",
      .type = PST_DOUBLE,
      PLACE(training.optimiser_settings.momentum),
      .most = 0.9999,
      .help = "momentum of sgd and nesterov" },
    { .name = "beta1",
      .type = PST_DOUBLE,
      PLACE(training.optimiser_settings.beta1),
      .most = 0.9999,
      .help = "decay of adam's mean of gradients" },
    { .name = "beta2",
      .type = PST_DOUBLE,
      PLACE(training.optimiser_settings.beta2),
      .most = 0.999999,
      .help = "decay of adam's mean of squares" },
    { .name = "epsilon",
      .type = PST_POSITIVE_DOUBLE,
      PLACE(training.optimiser_settings.epsilon),
      .help = "adam's guard against division by zero" },
    { .name = "weight-decay",
      .type = PST_DOUBLE,
      PLACE(training.optimiser_settings.weight_decay),
      .help = "decay of weights, not of biases" },
    { .name = "max-norm",
      .type = PST_DOUBLE,
      PLACE(training.optimiser_settings.max_norm),
      .help = "largest norm of the weights into a hidden unit; 0: no limit" },
    { .name = "schedule",
      .type = PST_CHOICE,
      PLACE(settings.schedule),
      .choices = (const char *const[]){ "constant", "step", "linear", "cosine", NULL },
      .help = "how the learning rate goes down" },
    { .name = "final-rate",
      .type = PST_DOUBLE,
      PLACE(training.schedule.final_rate),
      .help = "learning rate at the end of linear and cosine" },
    { .name = "warm-up",
      .type = PST_DOUBLE,
      PLACE(training.schedule.warm_up),
      .metavar = "EPOCHS",
      .help = "epochs during which the learning rate rises" },
    { .name = "step-epochs",
      .type = PST_POSITIVE_DOUBLE,
      PLACE(training.schedule.step_epochs),
      .metavar = "EPOCHS",
      .help = "epochs between two steps of the schedule step" },
    { .name = "gamma",
      .type = PST_POSITIVE_DOUBLE,
      PLACE(training.schedule.gamma),
      .help = "factor of each step of the schedule step" },
    { .name = "dropout-input",
      .type = PST_DOUBLE,
      PLACE(training.dropout.input),
      .most = 0.99,
      .help = "share of inputs dropped" },
    { .name = "dropout-hidden",
      .type = PST_DOUBLE,
      PLACE(training.dropout.hidden),
      .most = 0.99,
      .help = "share of hidden units dropped" },
    { .letter = 's',
      .name = "seed",
      .type = PST_U64,
      PLACE(settings.seed),
      .help = "seed of initial weights and dropout" },
    { .name = "validate",
      .type = PST_STRING,
      PLACE(settings.validate_endpoint),
      .metavar = "ENDPOINT",
      .silent = true,
      .help = "a stream with inputs and labels, looked at after each epoch; the best model is kept" },
    { .name = "validate-by",
      .type = PST_CHOICE,
      PLACE(settings.validate_by),
      .choices = (const char *const[]){ "errors", "loss", NULL },
      .help = "what counts as better" },
    { .name = "keep-last",
      .type = PST_FLAG,
      PLACE(settings.keep_last),
      .help = "with --validate: write the last model, not the best" },
    { .name = "patience",
      .type = PST_SIZE,
      PLACE(settings.patience),
      .help = "with --validate: stop after so many epochs without a better one; 0: never" },
    { .name = "checkpoint",
      .type = PST_STRING,
      PLACE(settings.checkpoint_path),
      .metavar = "FILE",
      .silent = true,
      .help = "save the state of training here after each epoch and when stopped" },
    { .name = "checkpoint-every",
      .type = PST_SIZE,
      PLACE(settings.checkpoint_every),
      .metavar = "BATCHES",
      .silent = true,
      .help = "also after so many batches; 0: only after epochs" },
    { .name = "resume",
      .type = PST_FLAG,
      PLACE(settings.resume),
      .silent = true,
      .help = "go on from the checkpoint where there is one" },
    { 0 },
};

static enum pst_status check_options(const struct pst_run *run, struct pst_error *error)
{
    const struct settings *settings = &((const struct trainer *)run->self)->settings;
    if ((settings->architecture != NULL) + (settings->hidden != NULL) + (settings->from_path != NULL) != 1)
        return pst_fail(error, PST_USAGE,
                        "give one of --hidden, such as --hidden 800-800, --arch, such as --arch "
                        "784-800-800-10, and --from MODEL");
    if (settings->resume && settings->checkpoint_path == NULL)
        return pst_fail(error, PST_USAGE, "--resume needs --checkpoint FILE");
    if (settings->activation != NULL && settings->from_path == NULL)
        return pst_fail(
            error, PST_USAGE,
            "--activation is for --from; --arch names activations itself, such as 784-800-tanh-10");
    if (settings->checkpoint_every > 0 && settings->checkpoint_path == NULL)
        return pst_fail(error, PST_USAGE, "--checkpoint-every needs --checkpoint FILE");
    if ((settings->patience > 0 || settings->keep_last) && settings->validate_endpoint == NULL)
        return pst_fail(error, PST_USAGE, "--patience and --keep-last need --validate");
    return check_loss_options(run, error);
}

/* Both ways at once would drop by the same random numbers twice. */
static enum pst_status check_dropout(const struct pst_training *training, struct pst_error *error)
{
    bool named = strstr(training->network.architecture, "-drop") != NULL;
    if (!named || (training->dropout.hidden == 0 && training->dropout.input == 0))
        return PST_OK;
    return pst_fail(
        error, PST_USAGE,
        "the architecture %.100s has dropout layers; leave --dropout-hidden and --dropout-input out",
        training->network.architecture);
}

/* An output that cannot be written should not come to light after hours of training. */
static enum pst_status try_output(struct trainer *trainer, struct pst_error *error)
{
    struct pst_atomic_file file;
    enum pst_status status =
        pst_atomic_open(&file, trainer->settings.output_path, PST_LEFTOVER_REPLACE, error);
    if (status == PST_OK)
        pst_atomic_abandon(&file, false);
    return status;
}

static enum pst_status make_network(struct trainer *trainer, const char *architecture,
                                    struct pst_error *error)
{
    enum pst_status status = pst_network_new(&trainer->training.network, architecture, error);
    if (status == PST_OK)
        pst_network_initialise(&trainer->training.network, trainer->settings.seed);
    return status;
}

/* What can be done as soon as there is a network. */
static enum pst_status prepare_training(struct trainer *trainer, struct pst_error *error)
{
    enum pst_status status = check_dropout(&trainer->training, error);
    if (status == PST_OK)
        status = parse_class_weights(trainer, error);
    return status == PST_OK ? pst_training_begin(&trainer->training, error) : status;
}

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct settings *settings = &trainer->settings;
    struct pst_training *training = &trainer->training;
    (void)count;
    (void)operands;
    enum pst_status status = check_options(run, error);
    if (status == PST_OK)
        status = try_output(trainer, error);
    if (status != PST_OK)
        return status;
    training->optimiser_settings.kind = (enum pst_optimiser_kind)settings->optimiser;
    training->schedule.kind = (enum pst_schedule_kind)settings->schedule;
    training->dropout.seed = settings->seed;
    if (settings->from_path != NULL) {
        status = pst_model_read(settings->from_path, settings->activation, &training->network,
                                trainer->from_digest, error);
        if (status == PST_OK)
            status = pst_history_note(run, "from", json_string(trainer->from_digest), error);
    } else if (settings->architecture != NULL)
        status = make_network(trainer, settings->architecture, error);
    return status == PST_OK && settings->hidden == NULL ? prepare_training(trainer, error) : status;
}

/* The network of --hidden: from here on the run is one with --arch. */
static enum pst_status make_hidden(struct pst_run *run, const struct pst_header *header,
                                   struct pst_error *error)
{
    char *architecture = NULL;
    enum pst_status status = name_network(run->self, header, &architecture, error);
    if (status == PST_OK)
        status = make_network(run->self, architecture, error);
    if (status == PST_OK)
        status = pst_history_note(run, "arch", json_string(architecture), error);
    free(architecture);
    return status == PST_OK ? prepare_training(run->self, error) : status;
}

static enum pst_status begin(struct pst_run *run, const struct pst_header *header, struct pst_header *out,
                             struct pst_error *error)
{
    (void)out;
    struct trainer *trainer = run->self;
    enum pst_status status = trainer->settings.hidden != NULL ? make_hidden(run, header, error) : PST_OK;
    if (status == PST_OK)
        status = settle_stream(run, header, error);
    if (status == PST_OK && trainer->settings.validate_endpoint != NULL)
        status = read_validation(run, error);
    if (status != PST_OK)
        return status;
    trainer->state.next_seq = header->first;
    if (trainer->settings.resume)
        return load_checkpoint(run, header, error);
    if (header->first != 0)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream begins at batch %" PRIu64 "; only --resume can go on there",
                        header->first);
    return PST_OK;
}

static enum pst_status write_model(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    char *options_text = pst_settings_text(run);
    json_t *extra = json_pack("{s:s, s:s*}", "pipestill", PST_VERSION, "training", options_text);
    free(options_text);
    if (extra == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the model");
    enum pst_status status =
        pst_model_write(trainer->settings.output_path, &trainer->training.network, extra, error);
    json_decref(extra);
    return status;
}

static enum pst_status finish(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct settings *settings = &trainer->settings;
    struct state *state = &trainer->state;
    if (state->next_seq == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no samples, so nothing was learned");
    enum pst_status status = state->epoch_open ? end_epoch(run, error) : PST_OK;
    if (status != PST_OK && status != PST_END)
        return status;
    if (state->has_best && !settings->keep_last)
        memcpy(trainer->training.network.parameters, trainer->best_parameters,
               trainer->training.network.parameter_count * sizeof(float));
    if (!parameters_are_finite(trainer))
        return diverged(trainer, error);
    status = write_model(run, error);
    if (status == PST_OK && settings->checkpoint_path != NULL)
        remove(settings->checkpoint_path); /* its work is done */
    return status;
}

static enum pst_status save_what_is_there(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    if (trainer->settings.checkpoint_path == NULL || trainer->state.next_seq == 0 || trainer->state.spoiled)
        return PST_OK;
    return save_checkpoint(run, error);
}

static void stop(struct pst_run *run)
{
    struct trainer *trainer = run->self;
    pst_training_free(&trainer->training);
    free_validation(trainer);
    for (size_t k = 0; k < PST_MAX_TERMS; k++)
        pst_buffer_free(&trainer->stream.targets[k].numbers);
    pst_binding_free(&trainer->stream.binding);
    free(trainer->class_weight);
    free(trainer->made_up_ids);
}

/* Writes what --help says, with the tables of layers and losses. */
static void describe(FILE *text)
{
    fputs("Learns from each batch as it comes and writes the model when the stream has ended as it should.\n"
          "The same program trains teachers.\n\nLayers of --arch, behind the shape of the inputs, with \"-\" "
          "between:\n",
          text);
    for (size_t i = 0; pst_layer_types[i] != NULL; i++)
        fprintf(text, "\n  %-14s %s: %s", pst_layer_types[i]->name, pst_layer_types[i]->help,
                pst_layer_types[i]->grammar);
    fputs("\n\nTypes of --loss (T of soft targets is taken from the stream):\n", text);
    for (size_t i = 0; pst_loss_types[i] != NULL; i++) {
        const struct pst_loss_type *type = pst_loss_types[i];
        fprintf(text, "\n  %-14s %s", type->name, type->help);
        for (size_t k = 0; k < PST_MAX_LOSS_KEYS && type->keys[k].name != NULL; k++)
            fprintf(text, "\n  %-14s   %s=: %s (default %g)", "", type->keys[k].name, type->keys[k].help,
                    type->keys[k].standard);
    }
}

int main(int argc, char **argv)
{
    char description[4096] = "";
    FILE *text = fmemopen(description, sizeof description, "w");
    if (text != NULL) {
        describe(text);
        fclose(text);
    }
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "student-trainer",
                        .purpose = "train a network from labels, soft targets, numbers or bits",
                        .description = description,
                        .options = options,
                        .size = sizeof(struct trainer),
                        .defaults = &defaults,
                        .example = "loader mnist --epochs 20 | student-trainer --hidden 800-800 -o "
                                   "alone.safetensors",
                        .see_also = "loader(1), replay(1), temperature-softmax(1), averager(1), evaluator(1)",
                        .traits = PST_READS | PST_BLAS,
                        .start = start,
                        .on_header = begin,
                        .on_batch = take_batch,
                        .on_end = finish,
                        .on_interrupt = save_what_is_there,
                        .stop = stop,
                    });
}
