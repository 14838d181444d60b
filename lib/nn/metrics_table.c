/* Reports of scores as tables for people, which stay short however many classes there are. */
#include "lib/nn/metrics.h"
#include "pipestill/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LETTERS 32 /* of a name; a longer one is cut */
#define CELL (4 * MOST_LETTERS + 64)

static const struct {
    const char *unit;
    int digits; /* behind the point; below 0: six significant ones */
    int column; /* least width in a table, with the gap before it */
} forms[] = {
    [PST_FIGURE_COUNT] = { "", 0, 11 },     [PST_FIGURE_SHARE] = { " %", 4, 12 },
    [PST_FIGURE_RATIO] = { "", 6, 11 },     [PST_FIGURE_NATS] = { " nats", 6, 16 },
    [PST_FIGURE_QUANTITY] = { "", -1, 12 }, [PST_FIGURE_MEMBER] = { "", 0, 0 },
    [PST_FIGURE_ID] = { "", 0, 11 },
};

/* ---- cells --------------------------------------------------------------------------------------------- */

static size_t letters_of(const char *text)
{
    size_t letters = 0;
    for (; *text != '\0'; text++)
        letters += ((unsigned char)*text & 0xC0) != 0x80;
    return letters;
}

/* Bytes of the first letters of a text. */
static size_t bytes_of(const char *text, size_t letters)
{
    size_t bytes = 0;
    while (text[bytes] != '\0' && (letters > 0 || ((unsigned char)text[bytes] & 0xC0) == 0x80)) {
        letters -= ((unsigned char)text[bytes] & 0xC0) != 0x80;
        bytes++;
    }
    return bytes;
}

/* A number and its name, cut so that the table keeps its shape: " 3 cat". */
static void write_member(char cell[CELL], const struct pst_report *report, size_t number)
{
    if (report->names == NULL) {
        snprintf(cell, CELL, "%zu", number);
        return;
    }
    const char *name = report->names[number];
    bool cut = letters_of(name) > MOST_LETTERS;
    int digits = snprintf(NULL, 0, "%zu", report->rows.count - 1);
    int bytes = (int)bytes_of(name, cut ? MOST_LETTERS - 1 : MOST_LETTERS);
    snprintf(cell, CELL, "%*zu %.*s%s", digits, number, bytes, name, cut ? "…" : "");
}

/* Writes a number and its unit, or the word `undefined`. */
static void write_cell(char cell[CELL], const struct pst_report *report, const struct pst_figure *figure,
                       const char *undefined)
{
    double value = figure->form == PST_FIGURE_SHARE ? 100 * figure->value : figure->value;
    int digits = forms[figure->form].digits;
    if (figure->form == PST_FIGURE_MEMBER)
        write_member(cell, report, (size_t)value);
    else if (figure->form == PST_FIGURE_ID)
        snprintf(cell, CELL, "%" PRIu64, figure->id);
    else if (isnan(value))
        snprintf(cell, CELL, "%s", undefined);
    else if (digits < 0)
        pst_print_plain(cell, CELL, "%.6g%s", value, forms[figure->form].unit);
    else
        pst_print_plain(cell, CELL, "%.*f%s", digits, value, forms[figure->form].unit);
}

/* Names are aligned to the left of their column, everything else to the right. */
static void print_cell(FILE *out, const char *cell, size_t width, size_t gap, bool left, bool last)
{
    size_t letters = letters_of(cell) + (left ? gap : 0);
    int blanks = letters < width ? (int)(width - letters) : 0;
    if (left)
        fprintf(out, "%*s%s%*s", (int)gap, "", cell, last ? 0 : blanks, "");
    else
        fprintf(out, "%*s%s", blanks, "", cell);
}

static void print_whole(FILE *out, const struct pst_report *report)
{
    for (size_t i = 0; i < report->whole.count; i++) {
        const struct pst_figure *figure = &report->whole.list[i];
        char cell[CELL];
        write_cell(cell, report, figure, "undefined");
        size_t unit = isnan(figure->value) ? 0 : strlen(forms[figure->form].unit);
        fprintf(out, "%-28s", figure->title);
        print_cell(out, cell, 10 + unit, 0, false, true);
        fputc('\n', out);
    }
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* Which rows of a table are shown. {0}: none. */
struct choice {
    size_t count;
    size_t *rows; /* [count], in their order; owned; NULL: the first ones */
};

/* Chooses the worst rows if there are too many; of equally bad rows, the first. Returns false if memory is
 * short. */
static bool choose_rows(struct choice *choice, const struct pst_rows *rows, size_t most)
{
    *choice = (struct choice){ .count = rows->count };
    if (most == 0 || rows->count <= most || rows->badness == NULL)
        return true;
    *choice = (struct choice){ .rows = malloc(most * sizeof *choice->rows) };
    for (size_t i = 0; choice->rows != NULL && i < rows->count; i++) {
        size_t place = choice->count;
        double badness = rows->badness(rows->scores, i);
        while (place > 0 && rows->badness(rows->scores, choice->rows[place - 1]) < badness)
            place--;
        if (place == most)
            continue;
        choice->count += choice->count < most;
        memmove(choice->rows + place + 1, choice->rows + place,
                (choice->count - place - 1) * sizeof *choice->rows);
        choice->rows[place] = i;
    }
    return choice->rows != NULL;
}

static struct pst_figures chosen(const struct pst_rows *rows, const struct choice *choice, size_t i)
{
    return pst_row_figures(rows, choice->rows != NULL ? choice->rows[i] : i);
}

/* Blanks between a column and the one before it. */
static size_t gap_of(const struct pst_figure *figure, size_t column)
{
    return column == 0 ? 0 : figure->form == PST_FIGURE_MEMBER ? 2 : 1;
}

static void widen(size_t *width, size_t letters)
{
    *width = letters > *width ? letters : *width;
}

/* Finds the width of each column, so that titles and cells fit. */
static void measure(const struct pst_report *report, const struct pst_rows *rows, const struct choice *choice,
                    size_t widths[PST_MOST_FIGURES])
{
    char cell[CELL];
    for (size_t i = 0; i < choice->count; i++) {
        struct pst_figures figures = chosen(rows, choice, i);
        for (size_t j = 0; j < figures.count; j++) {
            const struct pst_figure *figure = &figures.list[j];
            if (i == 0) {
                widths[j] = j == 0 ? 0 : (size_t)forms[figure->form].column;
                widen(&widths[j], strlen(figure->title) + gap_of(figure, j));
            }
            write_cell(cell, report, figure, "-");
            widen(&widths[j], letters_of(cell) + gap_of(figure, j));
        }
    }
}

static bool is_left(const struct pst_report *report, const struct pst_figure *figure)
{
    return figure->form == PST_FIGURE_MEMBER && report->names != NULL;
}

/* titles: in place of the cells. */
static void print_line(FILE *out, const struct pst_report *report, const struct pst_figures *figures,
                       const size_t *widths, bool titles)
{
    for (size_t j = 0; j < figures->count; j++) {
        const struct pst_figure *figure = &figures->list[j];
        char cell[CELL];
        if (titles)
            snprintf(cell, sizeof cell, "%s", figure->title);
        else
            write_cell(cell, report, figure, "-");
        print_cell(out, cell, widths[j], gap_of(figure, j), is_left(report, figure), j + 1 == figures->count);
    }
    fputc('\n', out);
}

/* Prints a table, or nothing if it has no rows. caption: a line above, or NULL. Returns false if memory is
 * short. */
static bool print_rows(FILE *out, const struct pst_report *report, const struct pst_rows *rows, size_t most,
                       const char *caption)
{
    struct choice choice;
    size_t widths[PST_MOST_FIGURES] = { 0 };
    bool good = choose_rows(&choice, rows, most);
    if (good && choice.count > 0) {
        fprintf(out, "\n%s%s", caption != NULL ? caption : "", caption != NULL ? "\n" : "");
        measure(report, rows, &choice, widths);
    }
    for (size_t i = 0; good && i < choice.count; i++) {
        struct pst_figures figures = chosen(rows, &choice, i);
        if (i == 0)
            print_line(out, report, &figures, widths, true);
        print_line(out, report, &figures, widths, false);
    }
    if (good && choice.count < rows->count)
        fprintf(out, "%zu more are left out, %s%s%s\n", rows->count - choice.count, rows->others,
                report->all_rows != NULL ? "; " : "", report->all_rows != NULL ? report->all_rows : "");
    free(choice.rows);
    return good;
}

/* ---- what is taken for what ---------------------------------------------------------------------------- */

static void print_matrix(FILE *out, const struct pst_report *report)
{
    size_t classes = report->rows.count, width = 5;
    char cell[CELL];
    for (size_t i = 0; i < classes; i++) {
        write_member(cell, report, i);
        widen(&width, letters_of(cell));
    }
    fprintf(out, "\nconfusion: a row for each true class, a column for each predicted one\n%*s", (int)width,
            "");
    for (size_t j = 0; j < classes; j++)
        fprintf(out, " %6zu", j);
    for (size_t i = 0; i < classes; i++) {
        fputc('\n', out);
        write_member(cell, report, i);
        print_cell(out, cell, width, 0, report->names != NULL, false);
        for (size_t j = 0; j < classes; j++)
            fprintf(out, " %6" PRIu64, report->confusion[i * classes + j]);
    }
    fputc('\n', out);
}

static bool print_confusion(FILE *out, const struct pst_report *report)
{
    size_t most = report->most_rows == 0 ? PST_MOST_IN_MATRIX : report->most_rows;
    struct pst_confusion found[PST_MOST_CONFUSIONS];
    if (report->confusion == NULL)
        return true;
    if (report->rows.count > most) {
        struct pst_rows pairs = pst_confusion_rows(report, found);
        return print_rows(out, report, &pairs, 0, "the most frequent confusions");
    }
    print_matrix(out, report);
    return true;
}

char *pst_report_to_text(const struct pst_report *report)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out == NULL)
        return pst_text_close(&text);
    print_whole(out, report);
    bool good = print_rows(out, report, &report->rows, report->most_rows, NULL) &&
                print_confusion(out, report) &&
                print_rows(out, report, &report->worst, 0, "the worst samples");
    if (!good)
        pst_mark_shortage();
    char *whole = pst_text_close(&text);
    if (good)
        return whole;
    free(whole);
    return NULL;
}
