/*
 * student-trainer: a sink that trains a network from labels, soft targets, numbers or bits, batch by batch
 * as they come. lib/nn makes the steps; student-trainer/ has the rest: terms of the loss, validation,
 * checkpoints, epochs.
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
                  .schedule = { .rate = 0.02, .step_epochs = 10, .gamma = 0.5, .final_momentum = 0.99 } },
    .stream = { .labels_index = PST_NONE, .weight_index = PST_NONE, .dustbin_index = PST_NONE },
};

#define PLACE(member) offsetof(struct trainer, member)

static const struct pst_option options[] = {
    { 'o', "output", PST_STRING, PLACE(settings.output_path), "the model file to write", .metavar = "MODEL",
      .required = true, .silent = true, .files = PST_FILE_REPLACED },
    { 'a', "arch", PST_STRING, PLACE(settings.architecture),
      "a new network: inputs and layers, such as 784-800-800-10 or 1x28x28-conv3x3:32-bn-relu-gap-10; or "
      "@FILE",
      .metavar = "LAYERS" },
    /* Silent, because the history has the whole architecture. */
    { 0, "hidden", PST_STRING, PLACE(settings.hidden),
      "the same without inputs and outputs, which the stream gives: 800-800", .metavar = "LAYERS",
      .silent = true },
    { 0, "from", PST_STRING, PLACE(settings.from_path), "start from this model instead", .metavar = "MODEL",
      .silent = true, .files = PST_FILE_READ },
    { 0, "activation", PST_STRING, PLACE(settings.activation),
      "activation between the layers of a model that does not name it", .metavar = "NAME", .needs = "from" },
    { 0, "classes", PST_STRING, PLACE(settings.classes), "learn these classes only: 3,5,8 or @FILE:SET",
      .metavar = "CLASSES", .needs = "from" },
    { 0, "dustbin-unit", PST_FLAG, PLACE(settings.dustbin_unit), "add one output for all other classes",
      .needs = "classes", .excludes = "dustbin" },
    { 0, "dustbin", PST_STRING, PLACE(settings.dustbin),
      "the last class has no output; its logit is the last number of this tensor", .metavar = "TENSOR",
      .excludes = "validate|class-weight" },
    { 0, "learn-last", PST_SIZE, PLACE(settings.learn_last),
      "change only the last N layers with parameters; 0: all", .needs = "from" },
    { 0, "loss", PST_LIST, 0, "a term of the loss: TYPE[:TENSOR[:WEIGHT]][,KEY=NUMBER...]; types are above",
      .take = take_loss, .metavar = "TERM" },
    { 0, "class-weight", PST_STRING, PLACE(settings.class_weights),
      "weight of samples by their label: 0=1,7=5, or balanced", .metavar = "LIST" },
    { 0, "keep-oversampling", PST_FLAG, PLACE(settings.keep_oversampling),
      "learn the stream's class frequencies, not those of the set that loader --special draws from" },
    { 0, "targets", PST_CHOICE, PLACE(settings.targets),
      "short for --loss: what to learn from; auto: soft if the stream has soft targets, otherwise hard",
      .choices = (const char *const[]){ "auto", "hard", "soft", "both", NULL } },
    { 0, "hard-weight", PST_DOUBLE, PLACE(settings.hard_weight), "weight of the loss on labels" },
    { 0, "soft-weight", PST_DOUBLE, PLACE(settings.soft_weight), "weight of the loss on soft targets" },
    { 0, "soft-loss", PST_CHOICE, PLACE(settings.soft_loss),
      "T^2 KL, T^2 cross-entropy, or squared error on logits", .choices = soft_losses },
    { 0, "soft-targets", PST_STRING, PLACE(settings.soft_name),
      "tensor of the soft targets; otherwise soft, or the only soft/NAME", .metavar = "NAME" },
    { 0, "optimiser", PST_CHOICE, PLACE(settings.optimiser), "how weights are updated",
      .choices = (const char *const[]){ "sgd", "nesterov", "adam", NULL } },
    { 'r', "learning-rate", PST_POSITIVE_DOUBLE, PLACE(training.schedule.rate), "learning rate" },
    { 0, "momentum", PST_DOUBLE, PLACE(training.optimiser_settings.momentum), "momentum of sgd and nesterov",
      .most = 0.9999, .needs = "optimiser=sgd|optimiser=nesterov" },
    { 0, "momentum-epochs", PST_POSITIVE_DOUBLE, PLACE(training.schedule.momentum_epochs),
      "epochs during which the momentum changes to --final-momentum", .metavar = "EPOCHS",
      .needs = "optimiser=sgd|optimiser=nesterov" },
    { 0, "final-momentum", PST_DOUBLE, PLACE(training.schedule.final_momentum),
      "momentum after --momentum-epochs", .most = 0.9999, .needs = "momentum-epochs" },
    { 0, "rate-by-momentum", PST_FLAG, PLACE(training.schedule.by_momentum),
      "multiply the learning rate of each step by 1 - its momentum",
      .needs = "optimiser=sgd|optimiser=nesterov" },
    { 0, "beta1", PST_DOUBLE, PLACE(training.optimiser_settings.beta1), "decay of adam's mean of gradients",
      .most = 0.9999, .needs = "optimiser=adam" },
    { 0, "beta2", PST_DOUBLE, PLACE(training.optimiser_settings.beta2), "decay of adam's mean of squares",
      .most = 0.999999, .needs = "optimiser=adam" },
    { 0, "epsilon", PST_POSITIVE_DOUBLE, PLACE(training.optimiser_settings.epsilon),
      "number that keeps adam from dividing by 0", .needs = "optimiser=adam" },
    { 0, "weight-decay", PST_DOUBLE, PLACE(training.optimiser_settings.weight_decay),
      "decay of weights, not of biases and normalisations" },
    { 0, "clip", PST_DOUBLE, PLACE(training.clip), "largest norm of all gradients together; 0: no limit" },
    { 0, "max-norm", PST_DOUBLE, PLACE(training.optimiser_settings.max_norm),
      "largest norm of the weights into a hidden unit; 0: no limit" },
    { 0, "ema", PST_DOUBLE, PLACE(training.ema),
      "write an exponential moving average of the weights, with this decay; 0: the last weights",
      .metavar = "DECAY", .most = 0.999999 },
    { 0, "schedule", PST_CHOICE, PLACE(settings.schedule), "how the learning rate changes",
      .choices = (const char *const[]){ "constant", "step", "linear", "cosine", NULL } },
    { 0, "final-rate", PST_DOUBLE, PLACE(training.schedule.final_rate),
      "learning rate at the end of linear and cosine", .needs = "schedule=linear|schedule=cosine" },
    { 0, "warm-up", PST_DOUBLE, PLACE(training.schedule.warm_up),
      "epochs during which the learning rate rises", .metavar = "EPOCHS" },
    { 0, "step-epochs", PST_POSITIVE_DOUBLE, PLACE(training.schedule.step_epochs),
      "epochs between two steps of the schedule step", .metavar = "EPOCHS", .needs = "schedule=step" },
    { 0, "gamma", PST_POSITIVE_DOUBLE, PLACE(training.schedule.gamma),
      "factor of each step of the schedule step", .needs = "schedule=step" },
    { 0, "dropout-input", PST_DOUBLE, PLACE(training.dropout.input), "share of inputs dropped",
      .most = 0.99 },
    { 0, "dropout-hidden", PST_DOUBLE, PLACE(training.dropout.hidden), "share of hidden units dropped",
      .most = 0.99 },
    { 0, "kernels", PST_CHOICE, PLACE(training.arithmetic.kernels),
      "the library that multiplies matrices; onednn has a thread for each idle core unless --threads is "
      "given",
      .choices = pst_kernel_names, .silent = true },
    { 0, "precision", PST_CHOICE, PLACE(training.arithmetic.precision),
      "precision of products; weights and sums are f32; auto: bf16 if it is faster here",
      .choices = pst_precision_names, .silent = true },
    { 's', "seed", PST_U64, PLACE(settings.seed),
      "seed of initial weights, projections of hints and dropout" },
    { 0, "validate", PST_STRING, PLACE(settings.validate_endpoint),
      "a stream with inputs and labels, to test each epoch; the best model is written", .metavar = "ENDPOINT",
      .silent = true, .files = PST_FILE_READ | PST_FILE_ENDPOINT },
    { 0, "validate-by", PST_CHOICE, PLACE(settings.validate_by), "what counts as better",
      .choices = (const char *const[]){ "errors", "loss", NULL }, .needs = "validate" },
    { 0, "keep-last", PST_FLAG, PLACE(settings.keep_last), "write the last model, not the best",
      .needs = "validate" },
    { 0, "patience", PST_SIZE, PLACE(settings.patience), "stop after N epochs without a better one; 0: never",
      .needs = "validate" },
    { 0, "checkpoint", PST_STRING, PLACE(settings.checkpoint_path),
      "save the training here after each epoch and when it is stopped", .metavar = "FILE", .silent = true,
      .files = PST_FILE_READ | PST_FILE_REPLACED },
    { 0, "checkpoint-every", PST_SIZE, PLACE(settings.checkpoint_every),
      "save also after this many batches; 0: only after epochs", .metavar = "BATCHES", .silent = true,
      .needs = "checkpoint" },
    { 0, "resume", PST_FLAG, PLACE(settings.resume), "continue from the checkpoint if there is one",
      .silent = true, .needs = "checkpoint" },
    { 0, "restart", PST_FLAG, PLACE(settings.restart),
      "discard the checkpoint if there is one, and begin a new run", .silent = true, .needs = "checkpoint",
      .excludes = "resume" },
    { 0 },
};

static enum pst_status check_options(const struct pst_run *run, struct pst_error *error)
{
    const struct settings *settings = &((const struct trainer *)run->self)->settings;
    if ((settings->architecture != NULL) + (settings->hidden != NULL) + (settings->from_path != NULL) != 1)
        return pst_fail(error, PST_USAGE,
                        "give one of --hidden, such as --hidden 800-800, --arch, such as --arch "
                        "784-800-800-10, and --from MODEL");
    enum pst_status status = check_loss_options(run, error);
    return status == PST_OK ? check_checkpoint(&((const struct trainer *)run->self)->settings, error)
                            : status;
}

/* Whether a term of the loss has a projection, which begins with random numbers. */
static bool projects(const struct pst_loss *loss)
{
    bool any = false;
    for (size_t k = 0; k < loss->count; k++)
        any = any || loss->terms[k].type->projects;
    return any;
}

/* Both ways of dropout at once would use the same random numbers twice. */
static enum pst_status check_dropout(const struct pst_run *run, struct pst_error *error)
{
    const struct trainer *trainer = run->self;
    const struct pst_training *training = &trainer->training;
    bool named = strstr(training->network.architecture, "-drop") != NULL,
         asked = training->dropout.hidden > 0 || training->dropout.input > 0;
    if (trainer->settings.from_path != NULL && !named && !asked && !projects(&training->loss) &&
        pst_options_given(run, (const char *const[]){ "seed", NULL }) != NULL)
        return pst_fail(error, PST_USAGE,
                        "--seed does nothing with --from a model without dropout; leave it out");
    if (!named || !asked)
        return PST_OK;
    return pst_fail(
        error, PST_USAGE,
        "the architecture %.100s has dropout layers; leave --dropout-hidden and --dropout-input out",
        training->network.architecture);
}

/* Tries to write the output now, so that an error does not come after hours of training. */
static enum pst_status try_output(struct pst_run *run, struct pst_error *error)
{
    const struct trainer *trainer = run->self;
    struct pst_atomic_file file;
    enum pst_status status =
        pst_atomic_open(&file, trainer->settings.output_path, PST_LEFTOVER_REPLACE, error);
    if (status == PST_OK && file.unlocked)
        pst_say_unlocked(run, trainer->settings.output_path);
    if (status == PST_OK)
        pst_atomic_abandon(&file, false);
    return status;
}

/* Prepares all that needs only the network, not the stream. */
static enum pst_status prepare_training(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    enum pst_status status = check_dropout(run, error);
    if (status == PST_OK)
        status = settle_given(trainer, error);
    if (status == PST_OK)
        status = settle_learned(trainer, error);
    if (status == PST_OK)
        status = parse_class_weights(trainer, error);
    return status == PST_OK ? pst_training_begin(&trainer->training, error) : status;
}

static enum pst_status settle_arithmetic(struct pst_run *run, struct pst_error *error)
{
    struct pst_arithmetic *arithmetic = &((struct trainer *)run->self)->training.arithmetic;
    arithmetic->threads = pst_threads(run);
    enum pst_status status = pst_arithmetic_settle(arithmetic, error);
    const char *name = status == PST_OK ? pst_arithmetic_name(arithmetic) : NULL;
    pst_multiplied_by(run, name);
    return name != NULL ? pst_history_note(run, "kernels", json_string(name), error) : status;
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
        status = settle_arithmetic(run, error);
    if (status == PST_OK)
        status = try_output(run, error);
    if (status != PST_OK)
        return status;
    training->optimiser_settings.kind = (enum pst_optimiser_kind)settings->optimiser;
    training->schedule.kind = (enum pst_schedule_kind)settings->schedule;
    training->dropout.seed = settings->seed;
    if (settings->from_path != NULL) {
        status = read_start(run, error);
    } else if (settings->architecture != NULL)
        status = make_network(run, settings->architecture, "--arch", error);
    return status == PST_OK && settings->hidden == NULL ? prepare_training(run, error) : status;
}

/* Makes the network of --hidden: from here on it is as if --arch had been given. */
static enum pst_status make_hidden(struct pst_run *run, const struct pst_header *header,
                                   struct pst_error *error)
{
    char *architecture = NULL;
    enum pst_status status = name_network(run->self, header, &architecture, error);
    if (status == PST_OK)
        status = make_network(run, architecture, "--hidden", error);
    free(architecture);
    return status == PST_OK ? prepare_training(run, error) : status;
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
    if (trainer->settings.restart)
        discard_checkpoint(trainer);
    return PST_OK;
}

static enum pst_status write_model(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct pst_training *training = &trainer->training;
    char *options_text = pst_settings_text(run), average[96];
    pst_print_plain(average, sizeof average, "average of %llu steps, decay %.12g",
                    (unsigned long long)training->optimiser.step, training->ema);
    json_t *extra = json_pack("{s:s, s:s*, s:s*}", "pipestill", PST_VERSION, "training", options_text,
                              "weights", training->ema > 0 ? average : NULL);
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
    const float *result = state->has_best && !settings->keep_last ? trainer->best_parameters
                                                                  : pst_training_result(&trainer->training);
    struct pst_network *network = &trainer->training.network;
    if (result != network->parameters)
        memcpy(network->parameters, result, network->parameter_count * sizeof *result);
    if (!parameters_are_finite(trainer))
        return diverged(trainer, error);
    status = restore_outputs(trainer, error);
    if (status == PST_OK)
        status = write_model(run, error);
    if (status == PST_OK && state->saved)
        discard_checkpoint(trainer); /* it is not needed any more */
    return status;
}

/* After Ctrl-C or another signal: says where training stopped, and how to go on. */
static void say_how_to_go_on(struct pst_run *run, bool saved)
{
    const struct trainer *trainer = run->self;
    unsigned long long next = trainer->state.next_seq;
    if (next == 0)
        pst_say(run, "stopped before the first batch was learned from");
    else if (saved)
        pst_say(run,
                "stopped after batch %llu; --resume continues from %s, and 'loader --start %llu' spares the "
                "teacher "
                "what was learned",
                next - 1, trainer->settings.checkpoint_path, next);
    else
        pst_say(
            run,
            "stopped after batch %llu; nothing is saved, so it must begin anew: with --checkpoint FILE it "
            "could go on",
            next - 1);
}

static enum pst_status save_what_is_there(struct pst_run *run, struct pst_error *error)
{
    const struct trainer *trainer = run->self;
    bool worth = trainer->state.next_seq > 0 && !trainer->state.spoiled;
    bool saves = trainer->settings.checkpoint_path != NULL && worth;
    enum pst_status status = saves ? save_checkpoint(run, error) : PST_OK;
    if (status == PST_OK && pst_stop_signal() != 0 && !trainer->state.spoiled)
        say_how_to_go_on(run, saves);
    return status;
}

static void stop(struct pst_run *run)
{
    struct trainer *trainer = run->self;
    pst_training_free(&trainer->training);
    free_validation(trainer);
    for (size_t k = 0; k < PST_MAX_TERMS; k++)
        pst_buffer_free(&trainer->stream.targets[k].numbers);
    pst_binding_free(&trainer->stream.binding);
    free(trainer->stream.description);
    free(trainer->stream.lineage);
    free(trainer->class_weight);
    free(trainer->log_oversampling);
    free(trainer->class_map);
    free(trainer->output_scale);
    free(trainer->made_up_ids);
}

/* Writes what --help says, with the tables of layers and losses. */
static void describe(FILE *text)
{
    fputs("Learns from each batch as it comes and writes the model when the stream has ended with its "
          "trailer.\n"
          "The same program trains teachers.\n\nLayers of --arch, after the shape of the inputs, with \"-\" "
          "between:\n",
          text);
    for (size_t i = 0; pst_layer_types[i] != NULL; i++)
        fprintf(text, "\n  %-14s %s: %s", pst_layer_types[i]->name, pst_layer_types[i]->help,
                pst_layer_types[i]->grammar);
    fputs("\n\nTypes of --loss (the stream gives T of soft targets; --loss kl,T=20 softens a teacher's "
          "logits):\n",
          text);
    for (size_t i = 0; pst_loss_types[i] != NULL; i++) {
        const struct pst_loss_type *type = pst_loss_types[i];
        fprintf(text, "\n  %-14s %s", type->name, type->help);
        if (type->target == PST_TARGET_HINT)
            fprintf(text, "\n  %-14s   layer=: number of the student's layer, such as 3 or 3.2", "");
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
                        .traits = PST_READS | PST_BLAS | PST_READS_AHEAD,
                        .blas_kernel = pst_blas_kernel,
                        .start = start,
                        .on_header = begin,
                        .on_batch = take_batch,
                        .on_end = finish,
                        .on_interrupt = save_what_is_there,
                        .stop = stop,
                    });
}
