/* What the header says of the stream: inputs, length, and a description to recognise the stream by. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes the shape of x: as one row, or with channels in front of height and width. */
static void write_inputs(FILE *out, const struct pst_tensor_spec *x, bool as_maps)
{
    if (!as_maps)
        fprintf(out, "%zu", pst_spec_elements(x));
    for (size_t i = x->rank; as_maps && i < 3; i++)
        fputs("1x", out);
    for (size_t i = 0; as_maps && i < x->rank; i++)
        fprintf(out, "%s%zu", i == 0 ? "" : "x", x->shape[i]);
}

/* The architecture; NULL if memory is short. */
static char *join_network(const struct pst_tensor_spec *x, bool as_maps, const char *hidden, size_t outputs)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL) {
        write_inputs(out, x, as_maps);
        fprintf(out, "-%s-%zu", hidden, outputs);
    }
    return pst_text_close(&text);
}

/* Whether an architecture makes a network. */
static bool makes_network(const char *architecture)
{
    struct pst_network network;
    bool makes = pst_network_new(&network, architecture, NULL) == PST_OK;
    pst_network_free(&network);
    return makes;
}

enum pst_status name_network(const struct trainer *trainer, const struct pst_header *header,
                             char **architecture, struct pst_error *error)
{
    const char *hidden = trainer->settings.hidden;
    size_t x = pst_header_find(header, "x"), y = pst_header_find(header, "y"), outputs = header->classes;
    if (x == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x'%s", pst_compact_advice(header));
    const struct pst_tensor_spec *spec = &header->tensors[x];
    if (outputs == 0 && y != PST_NONE && header->tensors[y].dtype != PST_DTYPE_I32)
        outputs = pst_spec_elements(&header->tensors[y]);
    if (outputs > 1 && trainer->settings.dustbin != NULL)
        outputs--; /* the last class has none */
    if (outputs == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "--hidden: the stream says nothing of classes; say --arch %zu-%s-CLASSES instead",
                        pst_spec_elements(spec), hidden);
    *architecture = join_network(spec, false, hidden, outputs);
    char *maps = spec->rank == 2 || spec->rank == 3 ? join_network(spec, true, hidden, outputs) : NULL;
    if (*architecture != NULL && maps != NULL && !makes_network(*architecture) &&
        (makes_network(maps) || strspn(hidden, "0123456789") == 0)) {
        free(*architecture);
        *architecture = maps;
        maps = NULL;
    }
    free(maps);
    return *architecture != NULL ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "out of memory for a network");
}

enum pst_status bind_network(const struct trainer *trainer, const struct pst_header *header,
                             struct pst_binding *binding, struct pst_error *error)
{
    const struct pst_network *network = &trainer->training.network;
    const struct pst_inputs inputs = { .who = "the network",
                                       .shape = &network->chain.in,
                                       .channels = network->input_channels,
                                       .scale = network->input_scale,
                                       .about = network->about };
    return pst_bind_inputs(binding, header, &inputs, error);
}

/* Notes the shape of a sample, because a network that takes it as one row does not have it. */
static enum pst_status note_shape(struct trainer *trainer, struct pst_error *error)
{
    const struct pst_tensor_spec *x = &trainer->stream.binding.spec;
    json_t *shape = json_array();
    for (size_t i = 0; i < x->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)x->shape[i]));
    bool whole = json_array_size(shape) == x->rank;
    if (whole && x->rank >= 2)
        whole = json_object_set(trainer->training.network.about, "input_shape", shape) == 0;
    json_decref(shape);
    return whole ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "out of memory for a model");
}

/* The last class of the stream has no output, so the model does not know its name. With --classes its outputs
 * are still those of all classes. */
static enum pst_status drop_dustbin_name(const struct trainer *trainer, json_t *about,
                                         struct pst_error *error)
{
    if (trainer->settings.classes != NULL)
        json_object_del(about, "class_names");
    const json_t *given = json_object_get(about, "class_names");
    json_t *names = given == NULL ? NULL : json_copy((json_t *)(uintptr_t)given);
    if (given == NULL)
        return PST_OK;
    if (names != NULL && json_array_size(names) > 0)
        json_array_remove(names, json_array_size(names) - 1);
    return json_object_set_new(about, "class_names", names) == 0
               ? PST_OK
               : pst_fail(error, PST_TRY_AGAIN, "out of memory for a model");
}

/* Copies the meaning of inputs and outputs to the model. A model that is trained further keeps the rest. */
static enum pst_status settle_about(struct trainer *trainer, const struct pst_header *header,
                                    struct pst_error *error)
{
    struct pst_network *network = &trainer->training.network;
    json_t *about;
    enum pst_status status = pst_about_check(network->about, error);
    if (status != PST_OK)
        return pst_fail_at(error, "%s: metadata", trainer->settings.from_path);
    status = pst_header_about(header, &about, error);
    if (status == PST_OK && trainer->settings.dustbin != NULL)
        status = drop_dustbin_name(trainer, about, error);
    if (status == PST_OK)
        status = pst_about_compare_order(about, network->about, "the model", error);
    if (trainer->stream.binding.spec.dtype == PST_DTYPE_U8 && network->input_channels > 0)
        json_object_del(about, "inputs");
    if (status == PST_OK && network->about != NULL && json_object_update_missing(about, network->about) != 0)
        status = pst_fail(error, PST_TRY_AGAIN, "out of memory for a model");
    json_decref(network->about);
    network->about = about;
    return status == PST_OK ? note_shape(trainer, error) : status;
}

/* A new network takes the scale of bytes from its first stream. */
static enum pst_status settle_inputs(struct trainer *trainer, const struct pst_header *header,
                                     struct pst_error *error)
{
    struct stream *stream = &trainer->stream;
    struct pst_network *network = &trainer->training.network;
    stream->id_index = pst_header_find(header, "id");
    enum pst_status status = bind_network(trainer, header, &stream->binding, error);
    if (status == PST_OK)
        status = settle_about(trainer, header, error);
    const struct pst_binding *binding = &stream->binding;
    const struct pst_tensor_spec *x = &binding->spec;
    if (status != PST_OK || x->dtype != PST_DTYPE_U8 || network->input_channels > 0)
        return status;
    const double one[] = { x->scale == 0 ? 1 : x->scale, x->offset };
    return binding->channels > 0 ? pst_network_set_scale(network, binding->channels, binding->scale, error)
                                 : pst_network_set_scale(network, 1, one, error);
}

static enum pst_status settle_schedule(struct trainer *trainer, const struct pst_header *header,
                                       struct pst_error *error)
{
    struct stream *stream = &trainer->stream;
    stream->epochs = (double)header->epochs;
    stream->batches = (double)header->batches;
    trainer->training.schedule.epochs = stream->epochs;
    if (trainer->settings.schedule >= PST_LINEAR && (header->epochs == 0 || header->batches == 0))
        return pst_fail(error, PST_BAD_DATA,
                        "the stream does not say how long it is, which --schedule %s needs",
                        trainer->settings.schedule == PST_LINEAR ? "linear" : "cosine");
    return PST_OK;
}

/* Describes the stream by its tensors and its length, so the same for every way that it comes. */
static enum pst_status describe_stream(struct trainer *trainer, const struct pst_header *header,
                                       struct pst_error *error)
{
    json_t *whole = pst_header_to_json(header);
    json_t *object = json_object();
    static const char *const keys[] = { "tensors", "classes", "samples", "epochs", "batches" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(whole, keys[i]) != NULL)
            json_object_set(object, keys[i], json_object_get(whole, keys[i]));
    struct stream *stream = &trainer->stream;
    stream->description = whole == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    stream->lineage =
        header->lineage == NULL ? NULL : json_dumps(header->lineage, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(whole);
    json_decref(object);
    if (stream->description == NULL || (header->lineage != NULL && stream->lineage == NULL))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    return PST_OK;
}

enum pst_status settle_stream(struct pst_run *run, const struct pst_header *header, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    enum pst_status status = settle_inputs(trainer, header, error);
    if (status == PST_OK)
        status = make_terms(run, header, error);
    if (status == PST_OK)
        status = settle_targets(run, header, error);
    if (status == PST_OK)
        status = settle_dustbin(trainer, header, error);
    if (status == PST_OK)
        status = check_class_map(trainer, header, error);
    if (status == PST_OK)
        status = settle_outputs(trainer, error);
    if (status == PST_OK)
        status = settle_weights(trainer, header, error);
    if (status == PST_OK)
        status = settle_oversampling(run, header, error);
    if (status == PST_OK)
        status = check_origins(trainer, header, error);
    if (status == PST_OK)
        status = settle_lineage(trainer, header, error);
    if (status == PST_OK)
        status = settle_schedule(trainer, header, error);
    return status == PST_OK ? describe_stream(trainer, header, error) : status;
}
