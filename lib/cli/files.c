/* The files that a command line names. A file must not be both written and read, or written twice. */
#include "lib/cli/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is named ------------------------------------------------------------------------------------- */

bool pst_named_at(const struct pst_frame *frame, size_t i, struct pst_named *named)
{
    *named = (struct pst_named){ 0 };
    if (i >= frame->option_count) {
        size_t operand = i - frame->option_count;
        if (operand >= frame->operand_count)
            return false;
        *named =
            (struct pst_named){ .value = frame->operands[operand], .files = frame->stage->operand_files };
        return true;
    }
    const struct pst_option *option = frame->options[i];
    named->option = option->name;
    named->files = option->files;
    if (option->files != 0)
        named->value =
            *(const char *const *)(const void *)((const char *)pst_option_object(frame, i) + option->at);
    return true;
}

bool pst_named_is_link(const struct pst_named *named)
{
    const char *name = named->value;
    return (named->files & PST_FILE_ENDPOINT) != 0 && name != NULL && name[0] != '.' && name[0] != '/' &&
           strstr(name, "://") != NULL;
}

/* ---- which files these are ----------------------------------------------------------------------------- */

/* What identifies a file: device and inode, or, if it does not exist yet, its path. */
struct identity {
    bool exists;
    dev_t device;
    ino_t inode;
    mode_t mode;
    off_t size;
    char *path; /* all links resolved; owned; NULL: nothing can have this name */
};

/* Only files and pipes may not be named twice; devices (terminals), sockets and folders may. */
static bool is_exclusive(mode_t mode)
{
    return S_ISREG(mode) || S_ISFIFO(mode);
}

static void take_status(struct identity *file, const struct stat *status)
{
    file->exists = true;
    file->device = status->st_dev;
    file->inode = status->st_ino;
    file->mode = status->st_mode;
    file->size = status->st_size;
}

static void identify_path(const char *path, struct identity *file)
{
    struct stat status;
    *file = (struct identity){ 0 };
    if (stat(path, &status) == 0)
        take_status(file, &status);
    file->path = pst_real_name(path);
    if (file->path == NULL && errno == ENOMEM)
        pst_mark_shortage();
}

static void identify_descriptor(int fd, struct identity *file)
{
    struct stat status;
    *file = (struct identity){ 0 };
    if (fstat(fd, &status) == 0)
        take_status(file, &status);
}

static bool is_same(const struct identity *a, const struct identity *b)
{
    if (a->exists && b->exists)
        return is_exclusive(a->mode) && a->device == b->device && a->inode == b->inode;
    return a->exists == b->exists && a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
}

/* ---- what is written ----------------------------------------------------------------------------------- */

/* A file that would be written, to be compared with all that are named. */
struct writing {
    const struct pst_frame *frame;
    const struct pst_named *writer;
    size_t at; /* the writer's place among all that are named */
    struct identity file;
    const char *ending; /* ".part" if the file is NAME.part, and not the one that is named */
};

/* What a message calls the option or argument that names a file. */
static const char *describe(const struct pst_named *named, char text[80])
{
    bool standard = strcmp(named->value, "-") == 0;
    if (standard)
        return (named->files & PST_FILE_READ) != 0 ? "standard input" : "standard output";
    if (named->option == NULL)
        return "an argument";
    snprintf(text, 80, "--%s", named->option);
    return text;
}

static enum pst_status compare(const struct writing *writing, const struct pst_named *other,
                               const struct identity *file, struct pst_error *error)
{
    char text[80], other_text[80];
    if (!is_same(&writing->file, file))
        return PST_OK;
    return pst_fail(error, PST_USAGE, "%s%s: %s writes this file, and %s names it, too; give each its own",
                    writing->writer->value, writing->ending, describe(writing->writer, text),
                    describe(other, other_text));
}

static enum pst_status compare_path(const struct writing *writing, const struct pst_named *other,
                                    const char *path, struct pst_error *error)
{
    struct identity file;
    identify_path(path, &file);
    enum pst_status status = compare(writing, other, &file, error);
    free(file.path);
    return status;
}

/* Compares a list as one name, and each part of it. A part that is not a file's name does no harm. */
static enum pst_status compare_list(const struct writing *writing, const struct pst_named *other,
                                    struct pst_error *error)
{
    enum pst_status status = compare_path(writing, other, other->value, error);
    char *rest, *copy = strdup(other->value);
    if (copy == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a name");
    for (char *part = strtok_r(copy, ",:", &rest); part != NULL && status == PST_OK;
         part = strtok_r(NULL, ",:", &rest))
        status = compare_path(writing, other, part, error);
    free(copy);
    return status;
}

static enum pst_status compare_named(const struct writing *writing, const struct pst_named *other,
                                     struct pst_error *error)
{
    struct identity file;
    bool endpoint = (other->files & PST_FILE_ENDPOINT) != 0;
    if (pst_named_is_link(other))
        return PST_OK;
    if (endpoint && strcmp(other->value, "-") == 0) {
        bool read = (other->files & PST_FILE_READ) != 0;
        identify_descriptor(read ? STDIN_FILENO : STDOUT_FILENO, &file);
        return compare(writing, other, &file, error);
    }
    return (other->files & PST_FILE_LIST) != 0 ? compare_list(writing, other, error)
                                               : compare_path(writing, other, other->value, error);
}

static enum pst_status compare_all(const struct writing *writing, struct pst_error *error)
{
    struct pst_named other;
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && pst_named_at(writing->frame, i, &other); i++)
        if (i != writing->at && other.files != 0 && other.value != NULL)
            status = compare_named(writing, &other, error);
    return status;
}

/* Checks NAME.part, which is written before the file gets its name. */
static enum pst_status check_part(struct writing *writing, struct pst_error *error)
{
    if ((writing->writer->files & PST_FILE_REPLACED) == 0 || writing->file.path == NULL ||
        (writing->file.exists && !S_ISREG(writing->file.mode)))
        return PST_OK;
    size_t size = strlen(writing->file.path) + sizeof ".part";
    char *part = malloc(size);
    if (part == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a name");
    snprintf(part, size, "%s.part", writing->file.path);
    free(writing->file.path);
    identify_path(part, &writing->file);
    free(part);
    writing->ending = ".part";
    return compare_all(writing, error);
}

/* A recording may have taken long to make. Models are often replaced on purpose. */
static enum pst_status check_replaced(const struct writing *writing, struct pst_error *error)
{
    const unsigned stream = PST_FILE_REPLACED | PST_FILE_ENDPOINT;
    const struct identity *file = &writing->file;
    if ((writing->writer->files & stream) != stream || writing->frame->common.force || !file->exists ||
        !S_ISREG(file->mode) || file->size == 0)
        return PST_OK;
    return pst_fail(error, PST_USAGE, "%s: there is a file of this name already; --force replaces it",
                    writing->writer->value);
}

static enum pst_status check_writer(const struct pst_frame *frame, size_t at, const struct pst_named *writer,
                                    struct pst_error *error)
{
    struct writing writing = { .frame = frame, .writer = writer, .at = at, .ending = "" };
    bool standard = strcmp(writer->value, "-") == 0;
    if (standard && (writer->files & PST_FILE_ENDPOINT) == 0)
        return PST_OK; /* refused when it is opened */
    if (standard)
        identify_descriptor(STDOUT_FILENO, &writing.file);
    else
        identify_path(writer->value, &writing.file);
    enum pst_status status = compare_all(&writing, error);
    if (status == PST_OK && !standard)
        status = check_replaced(&writing, error);
    if (status == PST_OK)
        status = check_part(&writing, error);
    free(writing.file.path);
    return status;
}

enum pst_status pst_check_files(const struct pst_frame *frame, struct pst_error *error)
{
    const unsigned writes = PST_FILE_REPLACED | PST_FILE_CHANGED;
    struct pst_named named;
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && pst_named_at(frame, i, &named); i++)
        if ((named.files & writes) != 0 && named.value != NULL && !pst_named_is_link(&named))
            status = check_writer(frame, i, &named, error);
    return status;
}
