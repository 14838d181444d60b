/* Which kind a file is that was given in place of another, by its first bytes. A new kind is a row of the
 * table. */
#include "pipestill/base.h"

#include <string.h>
#include <unistd.h>

#define MOST_LINE 512

static bool is_one_of(unsigned char byte, const char *bytes)
{
    return byte != '\0' && strchr(bytes, byte) != NULL;
}

/*
 * Eight bytes of length, then the header in JSON. No header is so long that it needs more than four of them.
 */
static bool is_safetensors(const unsigned char *start, size_t size)
{
    return size > 8 && (start[4] | start[5] | start[6] | start[7]) == 0;
}

/* IDX: two zero bytes, a type, a rank. */
static bool is_idx(const unsigned char *start, size_t size)
{
    return size > 4 && start[2] >= 0x08 && start[2] <= 0x0E && start[3] >= 1;
}

/* A protobuf that begins with ONNX's version and continues with one of the fields that may follow. */
static bool is_onnx(const unsigned char *start, size_t size)
{
    return size > 4 && start[1] >= 1 && start[1] < 32 && is_one_of(start[2], "\x12\x1a\x22\x3a\x42");
}

/* "<!doctype html" or "<html", in upper or lower case. */
static bool is_html(const unsigned char *start, size_t size)
{
    static const char *const marks[] = { "<!doctype html", "<html" };
    while (size > 0 && is_one_of(*start, " \t\r\n"))
        start++, size--;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t at = 0;
        while (at < size && marks[i][at] != '\0' && (start[at] | 32) == (marks[i][at] | 32))
            at++;
        if (marks[i][at] == '\0')
            return true;
    }
    return false;
}

/* A first line of text that has a separator of columns and does not begin as JSON does. */
static bool is_csv(const unsigned char *start, size_t size)
{
    size_t columns = 1;
    if (size == 0 || is_one_of(*start, "{[<"))
        return false;
    for (size_t i = 0; i < size && i < MOST_LINE && start[i] != '\n'; i++) {
        if ((start[i] < ' ' && start[i] != '\t' && start[i] != '\r') || start[i] == 127)
            return false;
        columns += is_one_of(start[i], ",;\t");
    }
    return columns > 1;
}

#define UNPACKED "; unpack it first: "
#define IMAGE "; 'loader images:FOLDER' reads the pictures of a folder"
#define NETWORK "; save the network's weights as safetensors"

/* In the order in which they are tried. */
static const struct {
    const char *mark; /* its first bytes, from `at` on */
    size_t at, length;
    bool (*also)(const unsigned char *start, size_t size); /* what else must be true; NULL: nothing */
    enum pst_file_kind kind;
    const char *is;
} kinds[] = {
    { "\xa4kind", 1, 5, NULL, PST_STREAM_FILE, "a recorded stream: use replay" },
    { "{", 8, 1, is_safetensors, PST_SAFETENSORS_FILE,
      "a safetensors file, which holds a model: use teacher-forward" },
    { "\0\0", 0, 2, is_idx, PST_IDX_FILE, "an IDX file, which holds data: use loader" },
    { "\x93NUMPY", 0, 6, NULL, PST_FOREIGN_FILE, "a NumPy array, which holds data: use loader npy:FILE" },
    { "PK\3\4", 0, 4, NULL, PST_FOREIGN_FILE,
      "a zip archive, as .npz and .pt are; loader npz:FILE reads .npz; save networks as safetensors" },
    { "\x1f\x8b", 0, 2, NULL, PST_FOREIGN_FILE, "a gzip file" UNPACKED "gunzip" },
    { "\x28\xb5\x2f\xfd", 0, 4, NULL, PST_FOREIGN_FILE, "a zstd file" UNPACKED "unzstd" },
    { "\xfd"
      "7zXZ",
      0, 5, NULL, PST_FOREIGN_FILE, "an xz file" UNPACKED "unxz" },
    { "BZh", 0, 3, NULL, PST_FOREIGN_FILE, "a bzip2 file" UNPACKED "bunzip2" },
    { "\x89PNG", 0, 4, NULL, PST_FOREIGN_FILE, "a PNG image" IMAGE },
    { "\xff\xd8\xff", 0, 3, NULL, PST_FOREIGN_FILE, "a JPEG image" IMAGE },
    { "\x89HDF", 0, 4, NULL, PST_FOREIGN_FILE,
      "an HDF5 file; save data as IDX files, networks as safetensors" },
    { "\x80\2", 0, 2, NULL, PST_FOREIGN_FILE, "a Python pickle" NETWORK },
    { "\x08", 0, 1, is_onnx, PST_FOREIGN_FILE, "an ONNX network" NETWORK },
    { "version https://git-lfs", 0, 23, NULL, PST_FOREIGN_FILE,
      "a git-lfs pointer, in the file's place: 'git lfs pull' fetches the file" },
    { "", 0, 0, is_html, PST_FOREIGN_FILE,
      "an HTML page, as a download gives that went wrong; fetch the file again" },
    { "", 0, 0, is_csv, PST_CSV_FILE, "a table in text (CSV); loader reads it: 'loader csv:FILE'" },
};

const char *pst_wrong_file(enum pst_file_kind due, const void *start, size_t size)
{
    const unsigned char *bytes = start;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (size < kinds[i].at + kinds[i].length ||
            memcmp(bytes + kinds[i].at, kinds[i].mark, kinds[i].length) != 0 ||
            (kinds[i].also != NULL && !kinds[i].also(bytes, size)))
            continue;
        return kinds[i].kind == due && due != PST_FOREIGN_FILE ? NULL : kinds[i].is;
    }
    return NULL;
}

size_t pst_file_start(const char *path, void *start, size_t size)
{
    int fd;
    if (pst_file_open(path, &fd, NULL) != PST_OK)
        return 0;
    ssize_t got = read(fd, start, size);
    close(fd);
    return got > 0 ? (size_t)got : 0;
}
