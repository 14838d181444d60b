/* stream-select: a filter that passes some of a stream's tensors, under other names if options say so. */
#include "pipestill.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum kind { KEEP, DROP, RENAME };

/* An option: what to do with the tensors that a pattern matches. */
struct rule {
    enum kind kind;
    const char *asked; /* the option's value; borrowed */
    char pattern[PST_NAME_SIZE];
    const char *to; /* RENAME: the new name; borrowed */
    bool matched;
};

struct selection {
    struct rule *rules; /* [count], in the order they came; owned */
    size_t count;
    bool keeps; /* there is a --keep */
};

/* ---- options ------------------------------------------------------------------------------------------- */

static enum pst_status add_rule(struct selection *selection, enum kind kind, const char *value, size_t length,
                                const char *to, struct pst_error *error)
{
    size_t new_length = to == NULL ? length : strlen(to);
    if (length == 0 || length >= PST_NAME_SIZE || new_length == 0 || new_length >= PST_NAME_SIZE)
        return pst_fail(error, PST_USAGE, "a name has 1 to %d bytes", PST_NAME_SIZE - 1);
    struct rule *grown = realloc(selection->rules, (selection->count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    selection->rules = grown;
    struct rule *rule = &grown[selection->count++];
    *rule = (struct rule){ .kind = kind, .asked = value, .to = to };
    memcpy(rule->pattern, value, length);
    selection->keeps = selection->keeps || kind == KEEP;
    return PST_OK;
}

static enum pst_status take_keep(void *self, const char *value, struct pst_error *error)
{
    return add_rule(self, KEEP, value, strlen(value), NULL, error);
}

static enum pst_status take_drop(void *self, const char *value, struct pst_error *error)
{
    return add_rule(self, DROP, value, strlen(value), NULL, error);
}

static enum pst_status take_rename(void *self, const char *value, struct pst_error *error)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL)
        return pst_fail(error, PST_USAGE, "'%s' is not OLD=NEW", value);
    return add_rule(self, RENAME, value, (size_t)(equals - value), equals + 1, error);
}

static const struct pst_option options[] = {
    { 'k', "keep", PST_LIST, 0, "hand on the tensors that match, and no others", .take = take_keep,
      .metavar = "PATTERN" },
    { 'd', "drop", PST_LIST, 0, "leave out the tensors that match", .take = take_drop, .metavar = "PATTERN" },
    { 'r', "rename", PST_LIST, 0, "hand on the tensor that matches OLD as NEW", .take = take_rename,
      .metavar = "OLD=NEW" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    static const char *const names[] = { "keep", "drop", "rename" };
    const struct selection *selection = run->self;
    json_t *lists[] = { json_array(), json_array(), json_array() };
    enum pst_status status = PST_OK;
    if (selection->count == 0)
        status = pst_fail(error, PST_USAGE, "nothing to do: give --keep, --drop or --rename");
    for (size_t i = 0; i < selection->count; i++)
        json_array_append_new(lists[selection->rules[i].kind], json_string(selection->rules[i].asked));
    for (size_t kind = KEEP; kind <= RENAME; kind++) {
        if (status == PST_OK && json_array_size(lists[kind]) > 0)
            status = pst_history_note(run, names[kind], json_incref(lists[kind]), error);
        json_decref(lists[kind]);
    }
    return status;
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

/* The last rule of a kind that matches a name, or NULL; all that match are marked. */
static const struct rule *find_rule(struct selection *selection, enum kind kind, const char *name)
{
    const struct rule *found = NULL;
    for (size_t i = 0; i < selection->count; i++) {
        struct rule *rule = &selection->rules[i];
        if (rule->kind != kind || fnmatch(rule->pattern, name, 0) != 0)
            continue;
        rule->matched = true;
        found = rule;
    }
    return found;
}

/* Every pattern must match something. */
static enum pst_status check_rules(const struct selection *selection, const struct pst_header *in,
                                   struct pst_error *error)
{
    static const char *const tells[] = { "--keep", "--drop", "--rename" };
    char names[256];
    pst_header_names(in, names, sizeof names);
    for (size_t i = 0; i < selection->count; i++) {
        const struct rule *rule = &selection->rules[i];
        if (!rule->matched)
            return pst_fail(error, PST_BAD_DATA, "%s '%s' matches no tensor%s; the stream has: %s",
                            tells[rule->kind], rule->pattern,
                            rule->kind == RENAME ? " that is handed on" : "", names);
    }
    return PST_OK;
}

static enum pst_status select_tensors(struct pst_run *run, const struct pst_header *in,
                                      struct pst_header *out, struct pst_error *error)
{
    struct selection *selection = run->self;
    enum pst_status status = PST_OK;
    out->tensor_count = 0;
    for (size_t i = 0; i < in->tensor_count && status == PST_OK; i++) {
        struct pst_tensor_spec spec = in->tensors[i];
        bool kept = find_rule(selection, KEEP, spec.name) != NULL || !selection->keeps;
        if (find_rule(selection, DROP, spec.name) != NULL || !kept)
            continue;
        const struct rule *rename = find_rule(selection, RENAME, spec.name);
        if (rename != NULL)
            strcpy(spec.name, rename->to); /* add_rule has checked its length */
        status = pst_header_pass_tensor(out, &spec, i, NULL, error);
    }
    if (status == PST_OK)
        status = check_rules(selection, in, error);
    if (status == PST_OK && out->tensor_count == 0)
        return pst_fail(error, PST_BAD_DATA, "no tensor is left; a stream has at least one");
    return status;
}

static void stop(struct pst_run *run)
{
    free(((struct selection *)run->self)->rules);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "stream-select",
            .purpose = "hand on some of a stream's tensors, or rename them",
            .description =
                "PATTERN and OLD are names of tensors, in which * stands for any text, ? for any one\n"
                "character and [...] for one of the characters in it, as in a shell. They are matched\n"
                "before tensors are renamed, wherever the options stand.",
            .example =
                "replay transfer.pst | stream-select --drop 'logits/*' --rename soft/big=soft >soft.pst",
            .see_also = "stream-inspect(1), stream-join(1), class-map(1), compactor(1)",
            .options = options,
            .size = sizeof(struct selection),
            .traits = PST_READS | PST_WRITES,
            .start = start,
            .on_header = select_tensors,
            .stop = stop,
        });
}
