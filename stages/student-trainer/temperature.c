/* Whether soft targets have the temperature that the stream's history says they were made at. */
#include "stages/student-trainer/history.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The T of a temperature-softmax that makes soft targets; 0 for any other stage. */
static double softened(const json_t *entry)
{
    if (!is_stage(entry, "temperature-softmax") || json_is_true(json_object_get(entry, "from-probs")))
        return 0;
    return json_number_value(json_object_get(entry, "temperature"));
}

static double temperature_of(const json_t *history, const char *name);

/* The T of what the averager before `end` found: all it averages has the same. */
static double temperature_of_members(const json_t *history, size_t end)
{
    for (size_t i = end; i-- > 0;) {
        const json_t *entry = json_array_get(history, i);
        const char *joined = taken(entry, "soft/", true);
        double here =
            joined == NULL ? softened(entry) : temperature_of(json_object_get(entry, "recording"), joined);
        if (here > 0)
            return here;
        if (may_change(entry))
            return 0;
    }
    return 0;
}

/* The T that a history says soft targets of this name were made at; 0 where it does not say. */
static double temperature_of(const json_t *history, const char *name)
{
    bool mean = strcmp(name, "soft") == 0;
    double last = 0;
    char logits[PST_NAME_SIZE + 8];
    snprintf(logits, sizeof logits, "logits%s", mean ? "" : name + strlen("soft"));
    for (size_t i = json_array_size(history); i-- > 0;) {
        const json_t *entry = json_array_get(history, i);
        if (may_change(entry))
            return 0;
        if (taken(entry, name, false) != NULL)
            return temperature_of(json_object_get(entry, "recording"), name);
        if (mean && is_stage(entry, "averager") && !json_is_true(json_object_get(entry, "logits")))
            return temperature_of_members(history, i);
        if (mean)
            continue;
        /* The first stage to soften after the teacher was asked has made it. */
        const char *teacher = json_string_value(json_object_get(entry, "name"));
        if (taken(entry, logits, false) != NULL || (is_stage(entry, "teacher-forward") && teacher != NULL &&
                                                    strcmp(teacher, name + strlen("soft/")) == 0))
            return last;
        if (softened(entry) > 0)
            last = softened(entry);
    }
    return 0;
}

enum pst_status check_temperature(const struct pst_header *header, const struct pst_tensor_spec *soft,
                                  struct pst_error *error)
{
    if (strcmp(soft->name, "soft") != 0 && strncmp(soft->name, "soft/", strlen("soft/")) != 0)
        return PST_OK;
    double said = temperature_of(header->history, soft->name);
    if (said == 0 || fabs(said - soft->temperature) <= 1e-9 * said)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "tensor '%s' says that it is at temperature %g, but the stream's history says that it "
                    "was softened at %g",
                    soft->name, soft->temperature, said);
}
