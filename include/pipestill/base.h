/*
 * base.h: what every other room stands on: statuses and errors, memory that is reused, strict number
 * parsing, plain text, half precision, files that appear only when whole, digests; and, by random.h, random
 * numbers.
 *
 * This room knows nothing of streams, networks or data sets.
 */
#ifndef PIPESTILL_BASE_H
#define PIPESTILL_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pipestill/random.h"

/* Streams, models and data are little-endian, and their bytes are used as they are. */
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "pipestill works on the bytes of little-endian streams: build it for a little-endian machine"
#endif

#define PST_VERSION "0.1.0"

/* The caller must check the function's result. */
#define PST_CHECKED __attribute__((warn_unused_result))
/*
 * The compiler checks arguments as those of printf. text: the format's place, from 1 on. values: that of the
 * first value.
 */
#define PST_PRINTF(text, values) __attribute__((__format__(__printf__, text, values)))

/*
 * Whether a function succeeded and, at the end of main, the program's exit code. The numbers are those of
 * sysexits.h, if it has one.
 */
enum pst_status {
    PST_OK = 0,            /* done */
    PST_END = 1,           /* a reader's normal end; never an exit code */
    PST_STOPPED = 2,       /* a signal came (pst_stop_signal); never an exit code */
    PST_USAGE = 64,        /* the command line is wrong */
    PST_BAD_DATA = 65,     /* the input is damaged, contradicts itself, or does not fit */
    PST_NO_INPUT = 66,     /* an input does not exist or cannot be opened */
    PST_UNAVAILABLE = 69,  /* a peer is lost or does not answer */
    PST_IO_ERROR = 74,     /* reading or writing failed */
    PST_TRY_AGAIN = 75,    /* a resource is short for now (memory, a lock) */
    PST_READER_LEFT = 141, /* the reader of the output has gone; a shell's number for SIGPIPE */
};

/*
 * An error on its way up: the caller owns the struct, usually on main's stack, and everything below writes
 * into it. The message is one line without a final newline: what is wrong, where, what to do.
 */
struct pst_error {
    enum pst_status status;
    char message[512];
};

/*
 * Writes a message into an error.
 * error: receives it; if NULL, the message is lost.
 * status: what is returned.
 * format: as printf; truncated to the size of the message, and made plain (pst_make_plain).
 * Returns status, so that "return pst_fail(…)" is one line.
 */
enum pst_status pst_fail(struct pst_error *error, enum pst_status status, const char *format, ...)
    PST_PRINTF(3, 4);

/*
 * Puts a place in front of the message that is already in an error: "place: message".
 * Returns the status that the error holds.
 */
enum pst_status pst_fail_at(struct pst_error *error, const char *format, ...) PST_PRINTF(2, 3);

/*
 * Multiplies two sizes.
 * product: receives a · b if that fits.
 * Returns true if it fits; false, with product untouched, if not.
 */
PST_CHECKED bool pst_multiply(size_t a, size_t b, size_t *product);

/* ---- memory ------------------------------------------------------------------------------------------ */

/* Bytes to which tensors are aligned: a cache line, and an AVX-512 vector. */
#define PST_ALIGNMENT 64

/* Aligned memory that is kept and reused: it grows, and never shrinks before pst_buffer_free. {0} is empty.
 */
struct pst_buffer {
    void *data;      /* PST_ALIGNMENT-aligned, NULL while capacity is 0; owned by the buffer */
    size_t capacity; /* bytes */
};

/*
 * Makes a buffer hold at least size bytes. The first `keep` bytes survive a move; others are undefined.
 * Returns PST_OK; PST_TRY_AGAIN if memory is short: the buffer is then as it was.
 */
PST_CHECKED enum pst_status pst_buffer_reserve(struct pst_buffer *buffer, size_t size, size_t keep,
                                               struct pst_error *error);

/* Frees what a buffer holds and makes it {0}. */
void pst_buffer_free(struct pst_buffer *buffer);

/*
 * Allocates zeroed, PST_ALIGNMENT-aligned memory for count items of the given size (bytes).
 * Returns the memory, to be freed with free(); NULL, with the error PST_TRY_AGAIN, if memory is short or
 * the product overflows.
 */
PST_CHECKED void *pst_allocate(size_t count, size_t size, struct pst_error *error);

/*
 * Makes room for one more item in an array that doubles when it is full.
 * array: from malloc, with room for *room items of `size` bytes; `count` of them are used; NULL and 0: there
 * is none yet. Returns the array, which may have moved; NULL, with an error, if memory is short: nothing has
 * changed then.
 */
PST_CHECKED void *pst_grown(void *array, size_t *room, size_t count, size_t size, struct pst_error *error);

/*
 * Bytes of memory that could be used now without swapping, as Linux and the group of processes (cgroup) say;
 * SIZE_MAX if neither does. Others may take them, so what fits now need not fit later.
 */
size_t pst_free_memory(void);

/* Bytes as people read them: "1.5 GB". text: [size], 16 are enough. Returns it. */
const char *pst_bytes_text(size_t bytes, char *text, size_t size);

/*
 * Checks if there is address space for OpenBLAS's buffers. OpenBLAS reserves one when a thread first
 * multiplies matrices; if it cannot, it tries for ever. threads: how many multiply at once. Returns PST_OK,
 * or PST_TRY_AGAIN if there is not enough now.
 */
PST_CHECKED enum pst_status pst_check_blas_memory(size_t threads, struct pst_error *error);

/*
 * Metadata is built with jansson. If memory for a value is short, jansson leaves the value out and reports
 * no error. So pst_main makes it allocate with pst_marking_malloc: a failure leaves a mark, and what was
 * made after it is not used. A program without pst_main calls json_set_alloc_funcs(pst_marking_malloc,
 * free).
 */

/* malloc that marks a shortage if it returns NULL. */
void *pst_marking_malloc(size_t size);

/* Marks that memory ran short, for failures outside pst_marking_malloc. The mark stays. */
void pst_mark_shortage(void);

/* Whether a shortage of memory was marked. */
bool pst_memory_ran_short(void);

/* Returns PST_OK, or PST_TRY_AGAIN if a shortage of memory was marked. */
PST_CHECKED enum pst_status pst_check_memory(struct pst_error *error);

/* A text that is being made. */
struct pst_text {
    FILE *out; /* write here; NULL if memory is short */
    char *bytes;
    size_t used, room;
    bool failed;
};

/* Begins a text, which must not move before it is closed. Returns its `out`. */
PST_CHECKED FILE *pst_text_open(struct pst_text *text);

/* Ends a text. Returns it, to be freed; NULL, with a mark of the shortage, if memory was short for any of it.
 */
PST_CHECKED char *pst_text_close(struct pst_text *text);

/* PST_TRY_AGAIN if errno says that memory or file descriptors are short, otherwise the usual status. */
enum pst_status pst_shortage_or(enum pst_status usual);

/* ---- foreign text ------------------------------------------------------------------------------------ */

/* Whether a text is UTF-8 (RFC 3629), as the texts of streams and logs are. */
PST_CHECKED bool pst_is_utf8(const char *text);

/*
 * Changes a foreign text, in place, so that it is safe on a line of a terminal and in JSON. Control
 * characters (C1, too) and bytes that are not UTF-8 become "?". A letter that the text's end has cut is
 * removed.
 */
void pst_make_plain(char *text);

/* Writes a text as pst_make_plain makes it, and fills it up with blanks to `width` bytes; 0: no blanks. */
void pst_write_plain(FILE *out, int width, const char *text);

/* ---- numbers in text --------------------------------------------------------------------------------- */

/*
 * Does what snprintf does, with "." in numbers whatever the program's locale is: for files, JSON and options.
 * Returns the length of the whole text, as snprintf.
 */
int pst_print_plain(char *text, size_t size, const char *format, ...) PST_PRINTF(3, 4);

/*
 * Parses a whole text as any number that pst_print_plain writes, hexadecimal and infinite ones too.
 * value: receives it. Returns true, or false (and value untouched) if the text is anything else.
 */
PST_CHECKED bool pst_parse_real(const char *text, double *value);

/*
 * Parses a whole text as a decimal number without sign; no white space, nothing behind it.
 * Returns true, or false if the text is anything else or the value is outside [least, most].
 */
PST_CHECKED bool pst_parse_u64(const char *text, uint64_t least, uint64_t most, uint64_t *value);

/*
 * Parses a whole text as a finite decimal number; nothing before or behind it.
 * Returns true, or false if the text is anything else or the value is outside [least, most].
 */
PST_CHECKED bool pst_parse_double(const char *text, double least, double most, double *value);

/*
 * Parses a list of such numbers with "," between: "0.5" or "0.5,0.6,0.7".
 * values: receives up to `room`. Returns how many there are; 0 if the text is anything else, or has more.
 */
PST_CHECKED size_t pst_parse_doubles(const char *text, double least, double most, double *values,
                                     size_t room);

/* The most bytes that a function pst_put_… writes. */
#define PST_NUMBER_TEXT 24

/* The sum of some numbers, in double. Its order is not that of the numbers, but always the same. */
double pst_sum(const float *numbers, size_t count);

/* The place of the largest of some numbers; of several, the first. count: ≥ 1. */
size_t pst_largest(const float *numbers, size_t count);

/* The largest of some numbers, +0 or -0 if it is 0. NaN counts only if it is the first. count: ≥ 1. */
float pst_largest_number(const float *numbers, size_t count);

/* The smallest of some numbers; FLT_MAX if none is smaller than that. NaN does not count. */
float pst_smallest_number(const float *numbers, size_t count);

/*
 * Writes a number with the fewest digits, from 6 to 9, that are read back as the same f32, without zeros at
 * their end, and with "." in every locale: 0.1, 12500, 1.5e-07; or "nan", "inf", "-inf". text:
 * [PST_NUMBER_TEXT], without a NUL at its end. Returns the length.
 */
size_t pst_put_f32(char *text, float number);

/* The same for whole numbers. */
size_t pst_put_u64(char *text, uint64_t number);
size_t pst_put_i64(char *text, int64_t number);

/* ---- numbers of 16 bits ------------------------------------------------------------------------------ */

/* The number that an IEEE 754 binary16 stands for. An f32 holds each of them exactly. */
float pst_half_to_f32(uint16_t half);

/* The same for `count` numbers. */
void pst_halves_to_f32(const uint16_t *halves, float *numbers, size_t count);

/* The nearest binary16; of two equally near ones, the even one. Infinity from 65520 on, zero below 2^-25. */
uint16_t pst_half_from_f32(float number);

/* ---- files that appear only when whole --------------------------------------------------------------- */

/*
 * The name of a file with all symbolic links resolved; the file itself need not exist. Returns the name, to
 * be freed; NULL with errno, which is ELOOP if links lead in a circle.
 */
PST_CHECKED char *pst_real_name(const char *path);

/*
 * A file that is written as NAME.part, beside its final name. {0} is closed. What exists under the final
 * name stays untouched until pst_atomic_commit; the new file has its mode. A symbolic link is followed,
 * even to a file that does not exist yet, and stays a link. Names of devices, pipes and sockets are written
 * directly.
 */
struct pst_atomic_file {
    int fd;        /* write here */
    bool direct;   /* not a regular file: there is nothing to rename */
    bool unlocked; /* the file system has no locks, so nothing keeps a second writer away */
    char *path;    /* the final name; owned */
    char *part;    /* the name while it is written; owned; NULL if direct */
};

/* What to do with a NAME.part that a dead writer left. */
enum pst_leftover {
    PST_LEFTOVER_REPLACE,
    PST_LEFTOVER_REFUSE /* it may have taken long to make: only its owner may remove it */
};

/*
 * Locks an open file for the one process that writes it. Waits for readers that follow: each holds a lock
 * for a moment, to see if there is a writer. Returns PST_OK; PST_TRY_AGAIN if another process writes the
 * file; PST_UNAVAILABLE if its file system has no locks (Lustre and NFS may be set up so): the file can be
 * written, but nothing keeps a second writer away, and the caller has to report that.
 */
PST_CHECKED enum pst_status pst_lock_for_writer(int fd);

/*
 * Opens a file for writing under its provisional name, with a lock against a second writer.
 * Returns PST_OK; PST_USAGE for the path "-"; PST_IO_ERROR if it cannot be made, the user may not write the
 * file of this name, or NAME.part is a link; PST_TRY_AGAIN if another process writes it, or a dead writer
 * left a NAME.part that must not be replaced.
 */
PST_CHECKED enum pst_status pst_atomic_open(struct pst_atomic_file *file, const char *path,
                                            enum pst_leftover leftover, struct pst_error *error);

/*
 * Syncs the file to disk, gives it its final name, syncs the folder and closes it.
 * Returns PST_OK; PST_IO_ERROR; PST_TRY_AGAIN if a shortage of memory was marked, because the file may then
 * be incomplete. In every case the file is closed; if it did not get its name, it stays as NAME.part.
 */
PST_CHECKED enum pst_status pst_atomic_commit(struct pst_atomic_file *file, struct pst_error *error);

/*
 * Closes a file without giving it its name. keep_part: NAME.part stays, unless it is empty. No-op on {0}.
 */
void pst_atomic_abandon(struct pst_atomic_file *file, bool keep_part);

/*
 * Opens a regular file for reading. Anything else is refused: to open a named pipe without a writer takes
 * for ever. Children do not inherit the descriptor.
 * fd: receives it, to be closed.
 * Returns PST_OK; PST_NO_INPUT if it cannot be opened; PST_BAD_DATA if it is not a regular file.
 */
PST_CHECKED enum pst_status pst_file_open(const char *path, int *fd, struct pst_error *error);

/* Takes a line, which it may change, and which is valid only during the call. */
typedef enum pst_status pst_take_line(void *context, char *line, struct pst_error *error);

/*
 * Calls take for each line of a text file, in order; blanks at the line's end and the line break are
 * removed. context: handed on. Returns PST_OK; what take returns, with file and line; PST_BAD_DATA if there
 * is a NUL in the file; PST_STOPPED; PST_IO_ERROR; what pst_file_open returns.
 */
PST_CHECKED enum pst_status pst_file_lines(const char *path, pst_take_line *take, void *context,
                                           struct pst_error *error);

/*
 * Syncs the folder that holds a name to disk: only then is a new name safe from a power cut.
 * Returns false, with errno, if it cannot be synced.
 */
PST_CHECKED bool pst_sync_folder(const char *path);

/*
 * Writes all of the bytes to a file descriptor, going on after short writes and signals.
 * name: what error messages call it.
 * Returns PST_OK; PST_READER_LEFT if the reader of a pipe has gone; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_write_all(int fd, const void *bytes, size_t size, const char *name,
                                          struct pst_error *error);

/* ---- files of another kind --------------------------------------------------------------------------- */

/* What a file should be. */
enum pst_file_kind { PST_FOREIGN_FILE, PST_STREAM_FILE, PST_SAFETENSORS_FILE, PST_IDX_FILE, PST_CSV_FILE };

/* How many first bytes of a file pst_wrong_file can use. */
#define PST_FILE_START 512

/*
 * What kind of file was given in place of another, and what to do with it, to continue a message "FILE is
 * ...": "a gzip file; unpack it first: gunzip".
 * due: the kind that it should be. start: its first bytes, [size]. Returns NULL if it begins as that kind
 * does, or as no known kind.
 */
const char *pst_wrong_file(enum pst_file_kind due, const void *start, size_t size);

/*
 * Reads the first bytes of a file without waiting for a named pipe. start: [size].
 * Returns how many there are; 0 if it cannot be read.
 */
size_t pst_file_start(const char *path, void *start, size_t size);

/* ---- digests ----------------------------------------------------------------------------------------- */

#define PST_DIGEST_TEXT 65 /* 64 hexadecimal digits and the final NUL */

/* SHA-256 (FIPS 180-4) of bytes, as sha256sum prints it. */
void pst_digest(const void *bytes, size_t size, char digest[PST_DIGEST_TEXT]);

/* The SHA-256 of bytes that come in pieces: start, add, finish. It owns nothing. */
struct pst_digest_state {
    _Alignas(16) unsigned char bytes[128];
};
void pst_digest_start(struct pst_digest_state *state);
void pst_digest_add(struct pst_digest_state *state, const void *bytes, size_t size);
void pst_digest_finish(struct pst_digest_state *state, char digest[PST_DIGEST_TEXT]);

/*
 * SHA-256 of a whole file.
 * Returns PST_OK; PST_NO_INPUT or PST_BAD_DATA as pst_file_open; PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_digest_file(const char *path, char digest[PST_DIGEST_TEXT],
                                            struct pst_error *error);

/* ---- signals ----------------------------------------------------------------------------------------- */

/*
 * From now on SIGINT, SIGTERM and, unless it is ignored, SIGHUP only set a mark, which pst_stop_signal
 * returns, and interrupt a call that waits. A second signal ends the program as usual; a second SIGHUP does
 * nothing.
 */
void pst_stop_on_signals(void);

/* The first signal that came to stop this program, or 0. */
int pst_stop_signal(void);

/* From now on SIGUSR1 only sets a mark, which pst_report_asked returns. */
void pst_report_on_signal(void);

/* Whether SIGUSR1 came since this function was called last. */
bool pst_report_asked(void);

/* ---- the machine ------------------------------------------------------------------------------------- */

/*
 * Checks that numbers in memory are little-endian, as those of streams are.
 * Returns PST_OK, or PST_UNAVAILABLE.
 */
PST_CHECKED enum pst_status pst_check_machine(struct pst_error *error);

/* Processors that this process may run on, 1 or more; if a cgroup limits its time, at most
 * pst_processors_of_share, rounded up. */
size_t pst_processors(void);

/* How many processors a cgroup's limit of time equals: 1.5 for "150000 100000". text: of its cpu.max.
 * Returns INFINITY if it sets no limit. */
double pst_processors_of_share(const char *text);

/* How many threads can have a processor each, beside all else that runs. Measured again every quarter of a
 * second. */
struct pst_idle {
    size_t most, threads;
    double at, used, idle; /* seconds: when it was measured; processor time: of this process, and idle */
};

void pst_idle_start(struct pst_idle *idle);

/* The number for now, from 1 to all processors: those that this process used and those that were idle since
 * it was measured last. If the idle ones are not known, those that it used. */
size_t pst_idle_threads(struct pst_idle *idle);

/* The rule for that. used, idle: processor time within `seconds`, in seconds. most: processors. */
size_t pst_idle_decide(double used, double idle, double seconds, size_t most);

/*
 * The number of threads for jobs that do not wait for one another, from 1 to all processors. There are more
 * if all had work and other processors were idle, and fewer if one of them could do without a whole one.
 */
size_t pst_idle_jobs(struct pst_idle *idle);

/* The rule for that. jobs: the number until now. The others: as above. */
size_t pst_idle_decide_jobs(size_t jobs, double used, double idle, double seconds, size_t most);

/* ---- a team of threads -------------------------------------------------------------------------------- */

/* The caller's thread, and helpers that take rounds off it. A helper that has no processor delays nothing
 * except a round that it has begun. Helpers that find no work for some microseconds sleep. */
struct pst_team;

/* A round of a run. Rounds may be made at the same time and in any order: none reads what another one
 * writes. */
typedef void pst_round(const void *context, size_t i);

/* Makes a team of up to `most` threads, the caller's with them. Helpers are started when they are first
 * needed. Returns NULL, with an error, if memory is short. */
struct pst_team *pst_team_new(size_t most, struct pst_error *error);
void pst_team_free(struct pst_team *team);

/* From now on runs are divided over so many threads, 1 to `most`. */
void pst_team_use(struct pst_team *team, size_t threads);

/* Threads of a run, 1 or more. Of NULL: 1. */
size_t pst_team_threads(const struct pst_team *team);

/* Into how many rounds, one for each thread at most, to divide some items that have so many numbers in all:
 * fewer numbers than some thousands are not worth a thread. Returns 1 or more; 1 if there are no items. */
size_t pst_team_rounds(const struct pst_team *team, size_t items, size_t numbers);

/* Calls round for 0 … count - 1, and returns when all rounds are done. team: NULL, or one that no other
 * thread uses at that time. With one thread rounds come in their order. count: below 2^32. */
void pst_parallel(struct pst_team *team, size_t count, pst_round *round, const void *context);

/* ---- time -------------------------------------------------------------------------------------------- */

/* Seconds on a clock that only goes forward. */
double pst_seconds(void);

#endif
