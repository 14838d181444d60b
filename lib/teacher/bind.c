/* How a stream's x becomes a network's inputs: one rule for teachers, students and validation. */
#include "pipestill/compact.h"
#include "pipestill/teacher.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* ---- shapes ------------------------------------------------------------------------------------------ */

static bool same_sizes(const struct pst_tensor_spec *x, const struct pst_shape *shape)
{
    for (size_t i = 0; x->rank == shape->rank && i < x->rank; i++)
        if (x->shape[i] != shape->size[i])
            return false;
    return true;
}

static enum pst_status fail_shape(const struct pst_binding *binding, const struct pst_inputs *inputs,
                                  struct pst_error *error)
{
    char has[128], takes[128];
    struct pst_tensor_spec wanted = binding->spec;
    wanted.rank = inputs->shape->rank;
    for (size_t i = 0; i < wanted.rank; i++)
        wanted.shape[i] = inputs->shape->size[i];
    return pst_fail(
        error, PST_BAD_DATA,
        "%s takes as many inputs as 'x' has, but in another shape (channels come first): x is %s, not %s",
        inputs->who, pst_spec_text(&binding->spec, has, sizeof has),
        pst_spec_text(&wanted, takes, sizeof takes));
}

/* Whether two shapes are the same except for dimensions of 1. */
static bool alike(const struct pst_tensor_spec *x, const json_t *shape)
{
    size_t at = 0, count = json_array_size(shape);
    for (size_t i = 0; i < x->rank; i++) {
        if (x->shape[i] == 1)
            continue;
        while (at < count && json_integer_value(json_array_get(shape, at)) == 1)
            at++;
        if (at == count || (size_t)json_integer_value(json_array_get(shape, at++)) != x->shape[i])
            return false;
    }
    while (at < count && json_integer_value(json_array_get(shape, at)) == 1)
        at++;
    return at == count;
}

/* A network whose input is one row may have learned from pictures: then the number of elements is not
 * enough. Rows are not checked. */
static enum pst_status check_learned_shape(const struct pst_binding *binding, const struct pst_inputs *inputs,
                                           struct pst_error *error)
{
    const json_t *shape = json_object_get(inputs->about, "input_shape");
    const struct pst_tensor_spec *x = &binding->spec;
    char has[128], learned[128];
    if (shape == NULL || x->rank < 2 || alike(x, shape))
        return PST_OK;
    struct pst_tensor_spec other = *x;
    other.rank = 0;
    for (size_t i = 0; i < json_array_size(shape) && i < PST_MAX_RANK - 1; i++)
        other.shape[other.rank++] = (size_t)json_integer_value(json_array_get(shape, i));
    return pst_fail(error, PST_BAD_DATA, "%s learned from x of the shape %s, and the stream's is %s",
                    inputs->who, pst_spec_text(&other, learned, sizeof learned),
                    pst_spec_text(x, has, sizeof has));
}

static enum pst_status find_x(struct pst_binding *binding, const struct pst_header *header,
                              const struct pst_inputs *inputs, struct pst_error *error)
{
    binding->x = pst_header_find(header, "x");
    if (binding->x == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x'%s", pst_compact_advice(header));
    binding->spec = header->tensors[binding->x];
    size_t wanted = pst_shape_elements(inputs->shape), elements = pst_spec_elements(&binding->spec);
    if (elements != wanted)
        return pst_fail(error, PST_BAD_DATA, "%s takes %zu inputs, but 'x' has %zu elements a sample",
                        inputs->who, wanted, elements);
    if (!same_sizes(&binding->spec, inputs->shape))
        return fail_shape(binding, inputs, error);
    return check_learned_shape(binding, inputs, error);
}

/* ---- scales ------------------------------------------------------------------------------------------ */

/* Whether two scales are the same except for rounding; the stream's own then keeps its bits. */
static bool is_near(double a, double b, double size)
{
    return fabs(a - b) <= 1e-6 * size;
}

static enum pst_status make_scale(struct pst_binding *binding, size_t channels, struct pst_error *error)
{
    binding->scale = pst_allocate(channels, 2 * sizeof *binding->scale, error);
    binding->channels = binding->scale != NULL ? channels : 0;
    return binding->scale != NULL ? PST_OK : PST_TRY_AGAIN;
}

/* Bytes are standardised as the stream declares: (scale · e + offset - mean) / deviation. */
static enum pst_status standardise_bytes(struct pst_binding *binding, const json_t *about,
                                         struct pst_error *error)
{
    const json_t *inputs = json_object_get(about, "inputs"), *mean = json_object_get(inputs, "mean");
    struct pst_tensor_spec *spec = &binding->spec;
    size_t count = json_array_size(mean);
    double own = spec->scale == 0 ? 1 : spec->scale;
    if (count == 0)
        return PST_OK;
    if (pst_spec_elements(spec) % count != 0)
        return pst_fail(error, PST_BAD_DATA, "'inputs' of the header has %zu means, but 'x' has %zu elements",
                        count, pst_spec_elements(spec));
    if (make_scale(binding, count, error) != PST_OK)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < count; i++) {
        double deviation = json_number_value(json_array_get(json_object_get(inputs, "deviation"), i));
        binding->scale[i] = own / deviation;
        binding->scale[count + i] = (spec->offset - json_number_value(json_array_get(mean, i))) / deviation;
    }
    spec->scale = 1;
    spec->offset = 0;
    return PST_OK;
}

/* Bytes are scaled as those that the network learned from. */
static enum pst_status scale_bytes(struct pst_binding *binding, const struct pst_inputs *inputs,
                                   const json_t *about, struct pst_error *error)
{
    struct pst_tensor_spec *spec = &binding->spec;
    double own = spec->scale == 0 ? 1 : spec->scale;
    if (spec->dtype != PST_DTYPE_U8)
        return PST_OK;
    if (inputs->channels == 0)
        return standardise_bytes(binding, about, error);
    if (inputs->channels == 1) {
        if (is_near(own, inputs->scale[0], own) && is_near(spec->offset, inputs->scale[1], 1))
            return PST_OK;
        spec->scale = inputs->scale[0];
        spec->offset = inputs->scale[1];
        return PST_OK;
    }
    enum pst_status status = make_scale(binding, inputs->channels, error);
    for (size_t i = 0; status == PST_OK && i < 2 * inputs->channels; i++)
        binding->scale[i] = inputs->scale[i];
    spec->scale = 1;
    spec->offset = 0;
    return status;
}

/* The user's list of numbers: one, or one for each channel of the network or of x. */
static enum pst_status parse_list(const char *option, const char *text, size_t count, double *numbers,
                                  double least, struct pst_error *error)
{
    if (pst_parse_doubles(text, least, DBL_MAX, numbers, count) == count)
        return PST_OK;
    return pst_fail(error, PST_USAGE, "--%s %.60s: give %zu %snumbers with \",\" between", option, text,
                    count, least > 0 ? "positive " : "");
}

static size_t count_numbers(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

/* (x - mean) / deviation, as scales and offsets. */
static enum pst_status standardise(struct pst_binding *binding, const struct pst_inputs *inputs,
                                   struct pst_error *error)
{
    if (inputs->mean == NULL || inputs->deviation == NULL)
        return pst_fail(error, PST_USAGE, "--mean and --deviation belong together");
    if (inputs->channels > 0 && binding->spec.dtype == PST_DTYPE_U8)
        return pst_fail(error, PST_USAGE,
                        "%s says itself how its inputs are scaled; leave --mean and --deviation out",
                        inputs->who);
    size_t count = count_numbers(inputs->mean);
    if (count != 1 && count != inputs->shape->size[0] &&
        (binding->spec.rank == 0 || count != binding->spec.shape[0]))
        return pst_fail(error, PST_USAGE, "--mean has %zu numbers; give one, or one for each of %zu channels",
                        count, binding->spec.rank == 0 ? 1 : binding->spec.shape[0]);
    enum pst_status status = make_scale(binding, count, error);
    double *scale = binding->scale, *offset = scale + count;
    if (status == PST_OK)
        status = parse_list("mean", inputs->mean, count, offset, -DBL_MAX, error);
    if (status == PST_OK)
        status = parse_list("deviation", inputs->deviation, count, scale, DBL_MIN, error);
    for (size_t i = 0; status == PST_OK && i < count; i++) {
        scale[i] = 1 / scale[i];
        offset[i] *= -scale[i];
    }
    return status;
}

enum pst_status pst_bind_inputs(struct pst_binding *binding, const struct pst_header *header,
                                const struct pst_inputs *inputs, struct pst_error *error)
{
    *binding = (struct pst_binding){ 0 };
    json_t *about = NULL;
    enum pst_status status = find_x(binding, header, inputs, error);
    if (status == PST_OK)
        status = pst_header_about(header, &about, error);
    if (status == PST_OK && inputs->about != NULL)
        status = pst_about_compare_inputs(about, inputs->about, inputs->who,
                                          binding->spec.dtype == PST_DTYPE_U8 && inputs->channels > 0, error);
    if (status == PST_OK)
        status = inputs->mean != NULL || inputs->deviation != NULL
                     ? standardise(binding, inputs, error)
                     : scale_bytes(binding, inputs, about, error);
    json_decref(about);
    return status;
}

/* ---- batches ----------------------------------------------------------------------------------------- */

enum pst_status pst_fill_inputs(const struct pst_binding *binding, const struct pst_batch *batch,
                                float *numbers, struct pst_error *error)
{
    const struct pst_tensor_spec *spec = &binding->spec;
    enum pst_status status = pst_tensor_to_f32(spec, &batch->tensors[binding->x], batch->n, numbers, error);
    if (status != PST_OK || binding->channels == 0)
        return status;
    size_t elements = pst_spec_elements(spec), row = elements / binding->channels;
    for (size_t at = 0; at < batch->n * elements; at += row) {
        size_t channel = at / row % binding->channels;
        float scale = (float)binding->scale[channel];
        float offset = (float)binding->scale[binding->channels + channel];
        for (size_t i = at; i < at + row; i++)
            numbers[i] = scale * numbers[i] + offset;
    }
    return PST_OK;
}

void pst_binding_free(struct pst_binding *binding)
{
    free(binding->scale);
    *binding = (struct pst_binding){ 0 };
}
