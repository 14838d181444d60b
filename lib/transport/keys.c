/* Key files: made with mode 0600, and read only if no other user can read them; see keys.h. */
#include "pipestill/linux.h"

#include "lib/transport/keys.h"

#include <errno.h>
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

/* Reads the value of a line "name value"; false where there is none. */
static bool find_line(FILE *file, const char *name, char value[PST_KEY_TEXT])
{
    char line[256], word[32], text[64];
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%31s %63s", word, text) == 2 && strcmp(word, name) == 0 && is_key(text)) {
            memcpy(value, text, PST_KEY_TEXT);
            return true;
        }
    }
    return false;
}

enum pst_status pst_key_file_open(const char *path, bool secret, FILE **file, struct pst_error *error)
{
    *file = fopen(path, "r");
    if (*file == NULL)
        return pst_fail(error, pst_shortage_or(PST_NO_INPUT), "%s: cannot be opened: %s", path,
                        strerror(errno));
    struct stat status;
    if (secret && (fstat(fileno(*file), &status) != 0 || (status.st_mode & 077) != 0)) {
        fclose(*file);
        return pst_fail(error, PST_BAD_DATA, "%s: others can read this secret key; 'chmod 600 %s'", path,
                        path);
    }
    return PST_OK;
}

enum pst_status pst_key_pair_read(const char *path, struct pst_key_pair *pair, struct pst_error *error)
{
    FILE *file;
    enum pst_status status = pst_key_file_open(path, true, &file, error);
    if (status != PST_OK)
        return status;
    bool good = find_line(file, "public", pair->public_key) && find_line(file, "secret", pair->secret_key);
    fclose(file);
    return good ? PST_OK : pst_fail(error, PST_BAD_DATA, "%s: is not a key of keygen", path);
}

/*
 * The name of a file may well look like a key, which is any 40 of 85 letters; a key that is the name of a
 * file by chance does not come to pass.
 */
enum pst_status pst_public_key_read(const char *text_or_path, char key[PST_KEY_TEXT], struct pst_error *error)
{
    char line[PST_KEY_TEXT + 64];
    bool empty;
    snprintf(line, sizeof line, "%s", text_or_path);
    const char *text = pst_key_in_line(line, &empty);
    if (text != NULL && access(text_or_path, F_OK) != 0) {
        memcpy(key, text, PST_KEY_TEXT);
        return PST_OK;
    }
    FILE *file;
    enum pst_status status = pst_key_file_open(text_or_path, false, &file, error);
    if (status != PST_OK)
        return status;
    bool good = find_line(file, "public", key);
    fclose(file);
    return good ? PST_OK
                : pst_fail(error, PST_BAD_DATA,
                           "%s: holds no public key; give the file or the line that keygen wrote",
                           text_or_path);
}

enum pst_status pst_key_generate(const char *path, char public_key[PST_KEY_TEXT], struct pst_error *error)
{
    struct pst_key_pair pair;
    if (zmq_curve_keypair(pair.public_key, pair.secret_key) != 0)
        return pst_fail(error, PST_IO_ERROR, "this libzmq has no CURVE");
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
