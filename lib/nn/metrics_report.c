/* Reports of scores: their figures, as a JSON object, and as one table for programs. */
#include "lib/nn/metrics.h"
#include "pipestill/metrics.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void pst_figures_add(struct pst_figures *figures, const char *key, const char *title,
                     enum pst_figure_form form, double value)
{
    if (figures->count < PST_MOST_FIGURES)
        figures->list[figures->count++] = (struct pst_figure){ key, title, form, value, 0 };
}

void pst_figures_add_id(struct pst_figures *figures, const char *key, const char *title, uint64_t id)
{
    if (figures->count < PST_MOST_FIGURES)
        figures->list[figures->count++] = (struct pst_figure){ key, title, PST_FIGURE_ID, 0, id };
}

struct pst_figures pst_row_figures(const struct pst_rows *rows, size_t row)
{
    struct pst_figures figures = { 0 };
    if (rows->numbered)
        pst_figures_add(&figures, rows->scope, rows->scope, PST_FIGURE_MEMBER, (double)row);
    rows->row(rows->scores, row, &figures);
    return figures;
}

/* ---- confusions ---------------------------------------------------------------------------------------- */

size_t pst_find_confusions(const uint64_t *confusion, size_t classes,
                           struct pst_confusion found[PST_MOST_CONFUSIONS])
{
    size_t count = 0;
    for (size_t at = 0; at < classes * classes; at++) {
        size_t label = at / classes, predicted = at % classes, place = count;
        if (confusion[at] == 0 || label == predicted)
            continue;
        while (place > 0 && found[place - 1].samples < confusion[at])
            place--;
        if (place == PST_MOST_CONFUSIONS)
            continue;
        count += count < PST_MOST_CONFUSIONS;
        memmove(found + place + 1, found + place, (count - place - 1) * sizeof *found);
        found[place] = (struct pst_confusion){ label, predicted, confusion[at] };
    }
    return count;
}

static void add_pair(const void *scores, size_t row, struct pst_figures *figures)
{
    const struct pst_confusion *pair = (const struct pst_confusion *)scores + row;
    pst_figures_add(figures, "label", "label", PST_FIGURE_MEMBER, (double)pair->label);
    pst_figures_add(figures, "predicted", "predicted", PST_FIGURE_MEMBER, (double)pair->predicted);
    pst_figures_add(figures, "samples", "samples", PST_FIGURE_COUNT, (double)pair->samples);
}

struct pst_rows pst_confusion_rows(const struct pst_report *report,
                                   struct pst_confusion found[PST_MOST_CONFUSIONS])
{
    return (struct pst_rows){ .key = "confusions",
                              .scope = "confusion",
                              .count = pst_find_confusions(report->confusion, report->rows.count, found),
                              .row = add_pair,
                              .scores = found };
}

/* ---- JSON ---------------------------------------------------------------------------------------------- */

static json_t *json_of(const struct pst_figure *figure)
{
    char text[24];
    switch (figure->form) {
    case PST_FIGURE_ID: /* jansson's integers have a sign */
        snprintf(text, sizeof text, "%" PRIu64, figure->id);
        return figure->id <= INT64_MAX ? json_integer((json_int_t)figure->id) : json_string(text);
    case PST_FIGURE_COUNT:
    case PST_FIGURE_MEMBER:
        return json_integer((json_int_t)figure->value);
    default:
        return isnan(figure->value) ? json_null() : json_real(figure->value);
    }
}

/* Adds the name of a class, output or label beside its number. own: the number is the row's own; the key is
 * then "name". */
static bool add_name(json_t *object, const struct pst_report *report, const struct pst_figure *figure,
                     bool own)
{
    char key[40] = "name";
    if (figure->form != PST_FIGURE_MEMBER || report->names == NULL)
        return true;
    if (!own)
        snprintf(key, sizeof key, "%s_name", figure->key);
    return json_object_set_new(object, key, json_string(report->names[(size_t)figure->value])) == 0;
}

/* Adds figures to an object. own: the first is a row's own number. Returns false if memory is short. */
static bool add_figures(json_t *object, const struct pst_report *report, const struct pst_figures *figures,
                        bool own)
{
    bool good = object != NULL;
    for (size_t i = 0; good && i < figures->count; i++) {
        const struct pst_figure *figure = &figures->list[i];
        good = json_object_set_new(object, figure->key, json_of(figure)) == 0 &&
               add_name(object, report, figure, own && i == 0);
    }
    return good;
}

/* Adds the report's rows to its object as a list, if there are any. */
static bool add_rows(json_t *object, const struct pst_report *report, const struct pst_rows *rows)
{
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; good && i < rows->count; i++) {
        struct pst_figures figures = pst_row_figures(rows, i);
        json_t *row = json_object();
        good = add_figures(row, report, &figures, rows->numbered);
        good = json_array_append_new(list, row) == 0 && good;
    }
    if (good && rows->count > 0)
        good = json_object_set(object, rows->key, list) == 0;
    json_decref(list);
    return good;
}

static bool add_matrix(json_t *object, const struct pst_report *report)
{
    size_t classes = report->rows.count;
    json_t *matrix = json_array();
    bool good = matrix != NULL;
    for (size_t i = 0; good && i < classes; i++) {
        json_t *row = json_array();
        for (size_t j = 0; good && j < classes; j++)
            good =
                json_array_append_new(row, json_integer((json_int_t)report->confusion[i * classes + j])) == 0;
        good = json_array_append_new(matrix, row) == 0 && good;
    }
    good = good && json_object_set(object, "confusion", matrix) == 0;
    json_decref(matrix);
    return good;
}

static bool add_confusion(json_t *object, const struct pst_report *report)
{
    struct pst_confusion found[PST_MOST_CONFUSIONS];
    if (report->confusion == NULL)
        return true;
    if (report->rows.count <= PST_MOST_IN_MATRIX)
        return add_matrix(object, report);
    struct pst_rows pairs = pst_confusion_rows(report, found);
    return add_rows(object, report, &pairs);
}

json_t *pst_report_to_json(const struct pst_report *report)
{
    json_t *object = json_object();
    if (add_figures(object, report, &report->whole, false) && add_rows(object, report, &report->rows) &&
        add_confusion(object, report) && add_rows(object, report, &report->worst))
        return object;
    json_decref(object);
    return NULL;
}

/* ---- TSV ----------------------------------------------------------------------------------------------- */

static void write_value(FILE *out, const struct pst_figure *figure)
{
    char text[40] = "";
    if (figure->form == PST_FIGURE_ID)
        snprintf(text, sizeof text, "%" PRIu64, figure->id);
    else if (!isnan(figure->value))
        pst_print_plain(text, sizeof text, "%.17g", figure->value);
    fprintf(out, "\t%s\t%s\n", figure->key, text);
}

/* Whether a figure of this key came before: `samples` comes twice if predictions are compared. */
static bool is_repeated(const struct pst_figures *figures, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(figures->list[i].key, figures->list[at].key) == 0)
            return true;
    return false;
}

static void write_whole(FILE *out, const struct pst_figures *whole)
{
    for (size_t i = 0; i < whole->count; i++) {
        if (is_repeated(whole, i))
            continue;
        fputs("whole\t\t", out);
        write_value(out, &whole->list[i]);
    }
}

static void write_place(FILE *out, const struct pst_report *report, const char *scope, size_t row, bool named)
{
    fprintf(out, "%s\t%zu\t%s", scope, row, named && report->names != NULL ? report->names[row] : "");
}

/* A row's own number is in the second column, and its name in the third. */
static void write_rows(FILE *out, const struct pst_report *report, const struct pst_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct pst_figures figures = pst_row_figures(rows, i);
        for (size_t j = rows->numbered ? 1 : 0; j < figures.count; j++) {
            write_place(out, report, rows->scope, i, rows->numbered);
            write_value(out, &figures.list[j]);
        }
    }
}

/* Leaves out zeros, because most counts are 0. */
static void write_confusion(FILE *out, const struct pst_report *report)
{
    size_t classes = report->rows.count;
    for (size_t at = 0; report->confusion != NULL && at < classes * classes; at++) {
        if (report->confusion[at] == 0)
            continue;
        write_place(out, report, "confusion", at / classes, true);
        fprintf(out, "\t%zu\t%" PRIu64 "\n", at % classes, report->confusion[at]);
    }
}

char *pst_report_to_tsv(const struct pst_report *report)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL) {
        fputs("scope\trow\tname\tfigure\tvalue\n", out);
        write_whole(out, &report->whole);
        write_rows(out, report, &report->rows);
        write_confusion(out, report);
        write_rows(out, report, &report->worst);
    }
    return pst_text_close(&text);
}
