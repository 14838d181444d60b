/* Reports of scores: as tables for people, and as a JSON object. */
#include "pipestill/metrics.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pst_figures_add(struct pst_figures *figures, const char *key, const char *title,
                     enum pst_figure_form form, double value)
{
    if (figures->count < PST_MOST_FIGURES)
        figures->list[figures->count++] = (struct pst_figure){ key, title, form, value };
}

/* ---- for people ---- */

static const struct {
    const char *unit;
    int digits; /* behind the point; below 0: six significant ones */
    int column; /* width in a table */
} forms[] = {
    [PST_FIGURE_COUNT] = { "", 0, 11 },     [PST_FIGURE_SHARE] = { " %", 4, 12 },
    [PST_FIGURE_RATIO] = { "", 6, 11 },     [PST_FIGURE_NATS] = { " nats", 6, 16 },
    [PST_FIGURE_QUANTITY] = { "", -1, 12 },
};

/* Prints a number and its unit, so wide together; what is undefined is called so. */
static void print_figure(FILE *out, const struct pst_figure *figure, int width, const char *undefined)
{
    double value = figure->form == PST_FIGURE_SHARE ? 100 * figure->value : figure->value;
    const char *unit = forms[figure->form].unit;
    int digits = forms[figure->form].digits, number = width - (int)strlen(unit);
    if (isnan(value))
        fprintf(out, "%*s", width, undefined);
    else if (digits < 0)
        fprintf(out, "%*.6g%s", number, value, unit);
    else
        fprintf(out, "%*.*f%s", number, digits, value, unit);
}

static void print_whole(FILE *out, const struct pst_figures *whole)
{
    for (size_t i = 0; i < whole->count; i++) {
        const struct pst_figure *figure = &whole->list[i];
        bool undefined = isnan(figure->value);
        fprintf(out, "%-28s", figure->title);
        print_figure(out, figure, 10 + (undefined ? 0 : (int)strlen(forms[figure->form].unit)), "undefined");
        fputc('\n', out);
    }
}

static void print_rows(FILE *out, const struct pst_report *report)
{
    for (size_t i = 0; i < report->rows; i++) {
        struct pst_figures row = { 0 };
        report->row(report->scores, i, &row);
        if (i == 0) {
            fprintf(out, "\n%s", report->row_key);
            for (size_t j = 0; j < row.count; j++)
                fprintf(out, "%*s", forms[row.list[j].form].column, row.list[j].title);
        }
        fprintf(out, "\n%*zu", (int)strlen(report->row_key), i);
        for (size_t j = 0; j < row.count; j++)
            print_figure(out, &row.list[j], forms[row.list[j].form].column, "-");
    }
    if (report->rows > 0)
        fputc('\n', out);
}

static void print_confusion(FILE *out, const struct pst_report *report)
{
    fprintf(out, "\nconfusion: a row for each true class, a column for each predicted one\n     ");
    for (size_t j = 0; j < report->rows; j++)
        fprintf(out, " %6zu", j);
    for (size_t i = 0; i < report->rows; i++) {
        fprintf(out, "\n%5zu", i);
        for (size_t j = 0; j < report->rows; j++)
            fprintf(out, " %6" PRIu64, report->confusion[i * report->rows + j]);
    }
    fputc('\n', out);
}

char *pst_report_to_text(const struct pst_report *report)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL) {
        print_whole(out, &report->whole);
        print_rows(out, report);
    }
    if (out != NULL && report->confusion != NULL)
        print_confusion(out, report);
    return pst_text_close(&text);
}

/* ---- JSON ---- */

/* Adds figures to an object. Returns false if memory is short. */
static bool add_figures(json_t *object, const struct pst_figures *figures)
{
    bool good = object != NULL;
    for (size_t i = 0; good && i < figures->count; i++) {
        const struct pst_figure *figure = &figures->list[i];
        json_t *value = isnan(figure->value)               ? json_null()
                        : figure->form == PST_FIGURE_COUNT ? json_integer((json_int_t)figure->value)
                                                           : json_real(figure->value);
        good = json_object_set_new(object, figure->key, value) == 0;
    }
    return good;
}

static bool add_rows(json_t *list, const struct pst_report *report)
{
    bool good = list != NULL;
    for (size_t i = 0; good && i < report->rows; i++) {
        struct pst_figures row = { 0 };
        pst_figures_add(&row, report->row_key, report->row_key, PST_FIGURE_COUNT, (double)i);
        report->row(report->scores, i, &row);
        json_t *object = json_object();
        good = add_figures(object, &row);
        good = json_array_append_new(list, object) == 0 && good;
    }
    return good;
}

static bool add_confusion(json_t *list, const struct pst_report *report)
{
    bool good = list != NULL;
    for (size_t i = 0; good && i < report->rows; i++) {
        json_t *row = json_array();
        for (size_t j = 0; good && j < report->rows; j++) {
            uint64_t count = report->confusion[i * report->rows + j];
            good = json_array_append_new(row, json_integer((json_int_t)count)) == 0;
        }
        good = json_array_append_new(list, row) == 0 && good;
    }
    return good;
}

json_t *pst_report_to_json(const struct pst_report *report)
{
    json_t *object = json_object(), *rows = json_array(), *confusion = json_array();
    bool good = add_figures(object, &report->whole) && add_rows(rows, report);
    if (good && report->rows > 0)
        good = json_object_set(object, report->rows_key, rows) == 0;
    if (good && report->confusion != NULL)
        good = add_confusion(confusion, report) && json_object_set(object, "confusion", confusion) == 0;
    json_decref(rows);
    json_decref(confusion);
    if (good)
        return object;
    json_decref(object);
    return NULL;
}
