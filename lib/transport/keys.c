/* Key files: made with mode 0600, and read only if no other user can read them; see keys.h. */
#include "pipestill/linux.h"

#include "lib/transport/keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

/* Whether a text is a key in Z85. */
static bool is_key(const char *text)
{
    uint8_t bytes[32];
    return strlen(text) == PST_KEY_TEXT - 1 && zmq_z85_decode(bytes, text) != NULL;
}

const char *pst_key_in_line(char *line, bool *empty)
{
    char *rest, *word = strtok_r(line, " \t\r\n", &rest);
    *empty = word == NULL || (word[0] == '#' && !is_key(word));
    if (word != NULL && strcmp(word, "public") == 0)
        word = strtok_r(NULL, " \t\r\n", &rest);
    if (*empty || word == NULL || !is_key(word))
        return NULL;
    const char *comment = strtok_r(NULL, " \t\r\n", &rest);
    return comment == NULL || comment[0] == '#' ? word : NULL;
}

enum pst_status pst_key_line(FILE *file, const char *path, char **line, size_t *size, struct pst_error *error)
{
    ssize_t length = getline(line, size, file);
    if (length < 0)
        return feof(file) ? PST_END
                          : pst_fail(error, PST_IO_ERROR, "%s: cannot be read: %s", path, strerror(errno));
    return strlen(*line) == (size_t)length ? PST_OK
                                           : pst_fail(error, PST_BAD_DATA, "%s: is not a file of text", path);
}

/* Reads the value of a line "name value". PST_OK; PST_END if there is none; or as pst_key_line. */
static enum pst_status find_line(FILE *file, const char *path, const char *name, char value[PST_KEY_TEXT],
                                 struct pst_error *error)
{
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    enum pst_status status = PST_OK;
    rewind(file);
    while (!found && (status = pst_key_line(file, path, &line, &size, error)) == PST_OK) {
        char *rest, *word = strtok_r(line, " \t\r\n", &rest);
        const char *text = word == NULL ? NULL : strtok_r(NULL, " \t\r\n", &rest);
        found = text != NULL && strcmp(word, name) == 0 && is_key(text);
        if (found)
            memcpy(value, text, PST_KEY_TEXT);
    }
    if (line != NULL)
        explicit_bzero(line, size);
    free(line);
    return status;
}

/* Checks that only its owner has access to a secret key, and that not everyone can write a file of keys. */
static enum pst_status check_mode(const char *path, int fd, bool secret, struct pst_error *error)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return pst_fail(error, PST_IO_ERROR, "%s: cannot be looked at: %s", path, strerror(errno));
    if (secret && (status.st_mode & 077) != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: others can read this secret key; 'chmod 600 %s'", path,
                        path);
    if ((status.st_mode & S_IWOTH) != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: everyone can write here who may connect; 'chmod o-w %s'",
                        path, path);
    return PST_OK;
}

enum pst_status pst_key_file_open(const char *path, bool secret, FILE **file, struct pst_error *error)
{
    int fd;
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    status = check_mode(path, fd, secret, error);
    if (status == PST_OK && (*file = fdopen(fd, "r")) == NULL)
        status = pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    if (status != PST_OK)
        close(fd);
    return status;
}

enum pst_status pst_key_pair_read(const char *path, struct pst_key_pair *pair, struct pst_error *error)
{
    FILE *file;
    enum pst_status status = pst_key_file_open(path, true, &file, error);
    if (status != PST_OK)
        return status;
    status = find_line(file, path, "public", pair->public_key, error);
    if (status == PST_OK)
        status = find_line(file, path, "secret", pair->secret_key, error);
    fclose(file);
    return status == PST_END ? pst_fail(error, PST_BAD_DATA, "%s: is not a key of keygen", path) : status;
}

/*
 * A text that looks like a key, any 40 of 85 letters, may be the name of a file, so a file comes first. No
 * key is the name of a file by chance.
 */
enum pst_status pst_public_key_read(const char *text_or_path, char key[PST_KEY_TEXT], struct pst_error *error)
{
    char *line = strdup(text_or_path);
    if (line == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a key");
    bool empty;
    const char *text = pst_key_in_line(line, &empty);
    bool is_text = text != NULL && access(text_or_path, F_OK) != 0;
    if (is_text)
        memcpy(key, text, PST_KEY_TEXT);
    free(line);
    FILE *file;
    enum pst_status status = is_text ? PST_OK : pst_key_file_open(text_or_path, false, &file, error);
    if (is_text || status != PST_OK)
        return status;
    status = find_line(file, text_or_path, "public", key, error);
    fclose(file);
    if (status == PST_END)
        status =
            pst_fail(error, PST_BAD_DATA,
                     "%s: holds no public key; give the file or the line that keygen wrote", text_or_path);
    return status;
}

enum pst_status pst_key_generate(const char *path, char public_key[PST_KEY_TEXT], struct pst_error *error)
{
    struct pst_key_pair pair;
    if (zmq_curve_keypair(pair.public_key, pair.secret_key) != 0)
        return pst_fail(error, PST_IO_ERROR,
                        "this libzmq has no CURVE; install one that is built with libsodium");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return pst_fail(error, pst_shortage_or(PST_IO_ERROR), "%s: cannot be made: %s", path,
                        strerror(errno));
    char text[2 * PST_KEY_TEXT + 16];
    int size = snprintf(text, sizeof text, "public %s\nsecret %s\n", pair.public_key, pair.secret_key);
    memcpy(public_key, pair.public_key, PST_KEY_TEXT);
    enum pst_status status = pst_write_all(fd, text, (size_t)size, path, error);
    if (close(fd) != 0 && status == PST_OK)
        status = pst_fail(error, PST_IO_ERROR, "%s: %s", path, strerror(errno));
    if (status != PST_OK)
        unlink(path);
    explicit_bzero(&pair, sizeof pair);
    explicit_bzero(text, sizeof text);
    return status;
}
