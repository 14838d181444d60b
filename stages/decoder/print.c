/* What decoder writes to standard output. */
#include "stages/decoder/decoder.h"

#include <jansson.h>
#include <stdlib.h>

#define MOST_ROWS 20 /* speakers in a table */

static void describe(const struct scores *scores, const struct pst_search_settings *settings, bool align,
                     char *text, size_t size)
{
    int used =
        pst_print_plain(text, size, "%s, prior exponent %g", scores->spec.name, settings->prior_exponent);
    if (!align && used > 0 && (size_t)used < size)
        pst_print_plain(text + used, size - (size_t)used, ", language model scale %g, word penalty %g",
                        settings->scale, settings->penalty);
}

static enum pst_status print_source(struct pst_run *run, const char *title, const struct scores *scores,
                                    const struct pst_search_settings *settings, struct pst_error *error)
{
    const struct decoder *decoder = run->self;
    char line[PST_NAME_SIZE + 200], text[PST_NAME_SIZE + 160];
    if (scores->index == PST_NONE)
        return PST_OK;
    describe(scores, settings, decoder->align_path != NULL, text, sizeof text);
    snprintf(line, sizeof line, "%-28s%s", title, text);
    return pst_print_line(run, line, error);
}

static enum pst_status print_table(struct pst_run *run, struct pst_report *report, struct pst_error *error)
{
    const struct decoder *decoder = run->self;
    report->most_rows = MOST_ROWS;
    report->all_rows = "--json has all";
    enum pst_status status = print_source(run, "scores", &decoder->of, &decoder->settings, error);
    if (status == PST_OK)
        status = print_source(run, "compared with", &decoder->against, &decoder->against_settings, error);
    char *text = status == PST_OK ? pst_report_to_text(report) : NULL;
    if (status == PST_OK)
        status = text != NULL ? pst_print(run, text, error)
                              : pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    free(text);
    return status;
}

static json_t *settings_json(const struct scores *scores, const struct pst_search_settings *settings)
{
    return json_pack("{s:s, s:f, s:f, s:f}", "tensor", scores->spec.name, "prior_exponent",
                     settings->prior_exponent, "language_model_scale", settings->scale, "word_penalty",
                     settings->penalty);
}

static enum pst_status print_json(struct pst_run *run, const struct pst_report *report,
                                  struct pst_error *error)
{
    const struct decoder *decoder = run->self;
    json_t *object = pst_report_to_json(report);
    bool good = object != NULL;
    if (good && decoder->of.index != PST_NONE && decoder->align_path == NULL)
        good = json_object_set_new(object, "settings", settings_json(&decoder->of, &decoder->settings)) == 0;
    if (good && decoder->against.index != PST_NONE)
        good = json_object_set_new(object, "against_settings",
                                   settings_json(&decoder->against, &decoder->against_settings)) == 0;
    char *text = good ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    enum pst_status status = text != NULL ? pst_print(run, text, error)
                                          : pst_fail(error, PST_TRY_AGAIN, "out of memory for the report");
    free(text);
    return status == PST_OK ? pst_print(run, "\n", error) : status;
}

enum pst_status print_report(struct pst_run *run, struct pst_report *report, struct pst_error *error)
{
    const struct decoder *decoder = run->self;
    return decoder->as_json ? print_json(run, report, error) : print_table(run, report, error);
}
