/* Files appear under their name only when they are whole. */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[96], part[112], other[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pipestill-test-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(part, sizeof part, "%s.part", path);
    snprintf(other, sizeof other, "%s/other", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(part);
    unlink(other);
    return rmdir(folder);
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(name, &status) == 0;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_holds(const char *name, const char *text)
{
    char bytes[100] = "";
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, text);
}

static void begin(struct pst_atomic_file *file, const char *text)
{
    assert_int_equal(pst_atomic_open(file, path, PST_LEFTOVER_REPLACE, NULL), PST_OK);
    assert_int_equal(pst_write_all(file->fd, text, strlen(text), path, NULL), PST_OK);
}

/* What another process does between opening the .part and locking it. */
static void (*before_lock)(void);

int flock(int fd, int operation)
{
    if (before_lock != NULL)
        before_lock();
    before_lock = NULL;
    return (int)syscall(SYS_flock, fd, operation);
}

static void a_file_appears_when_it_is_committed_and_not_before(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    begin(&file, "new");
    assert_false(exists(path));
    assert_holds(part, "new");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(path, "new");
    assert_false(exists(part));
}

static void an_older_file_stays_until_the_commit(void **state)
{
    (void)state;
    put(path, "old");
    struct pst_atomic_file file;
    begin(&file, "new");
    assert_holds(path, "old");
    pst_atomic_abandon(&file, false);
    assert_holds(path, "old");
    assert_false(exists(part));
    begin(&file, "newer");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(path, "newer");
}

static void an_abandoned_part_is_kept_where_that_is_wanted(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    begin(&file, "half");
    pst_atomic_abandon(&file, true);
    assert_holds(part, "half");
    assert_false(exists(path));
    begin(&file, "x"); /* a longer rest of a dead writer is removed */
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(path, "x");
}

static void what_may_be_dear_is_not_thrown_away(void **state)
{
    (void)state;
    put(part, "a week of a teacher's time");
    struct pst_atomic_file file;
    struct pst_error error;
    assert_int_equal(pst_atomic_open(&file, path, PST_LEFTOVER_REFUSE, &error), PST_TRY_AGAIN);
    assert_non_null(strstr(error.message, part));
    pst_atomic_abandon(&file, false);
    assert_holds(part, "a week of a teacher's time");
    put(part, ""); /* an empty file holds no work */
    assert_int_equal(pst_atomic_open(&file, path, PST_LEFTOVER_REFUSE, &error), PST_OK);
    pst_atomic_abandon(&file, false);
}

static void a_part_without_a_byte_is_not_kept(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    begin(&file, "");
    pst_atomic_abandon(&file, true);
    assert_false(exists(part));
}

static void abandoning_nothing_does_nothing(void **state)
{
    (void)state;
    struct pst_atomic_file file = { 0 };
    pst_atomic_abandon(&file, true);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
}

static void a_second_writer_is_refused(void **state)
{
    (void)state;
    struct pst_atomic_file first, second;
    struct pst_error error;
    begin(&first, "first");
    assert_int_equal(pst_atomic_open(&second, path, PST_LEFTOVER_REPLACE, &error), PST_TRY_AGAIN);
    assert_non_null(strstr(error.message, path));
    pst_atomic_abandon(&second, false);
    assert_holds(part, "first");
    assert_int_equal(pst_atomic_commit(&first, NULL), PST_OK);
    assert_holds(path, "first");
}

static void first_writer_commits(void)
{
    assert_int_equal(rename(part, path), 0);
}

static void first_writer_gives_up(void)
{
    assert_int_equal(unlink(part), 0);
}

static void a_file_completed_between_open_and_lock_is_not_emptied(void **state)
{
    (void)state;
    put(part, "precious");
    before_lock = first_writer_commits;
    struct pst_atomic_file file;
    begin(&file, "second");
    assert_holds(path, "precious");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(path, "second");
}

static void a_part_removed_between_open_and_lock_is_made_anew(void **state)
{
    (void)state;
    put(part, "rest");
    before_lock = first_writer_gives_up;
    struct pst_atomic_file file;
    begin(&file, "second");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(path, "second");
}

static void a_symbolic_link_is_followed_and_stays(void **state)
{
    (void)state;
    put(other, "old");
    assert_int_equal(symlink(other, path), 0);
    struct pst_atomic_file file;
    begin(&file, "new");
    assert_holds(other, "old");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(other, "new");
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void a_link_to_what_is_not_there_yet_is_followed(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    assert_int_equal(symlink("other", path), 0);
    begin(&file, "new");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_holds(other, "new");
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
}

static void links_in_a_circle_are_reported(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    assert_int_equal(symlink("other", path), 0);
    assert_int_equal(symlink("file", other), 0);
    assert_int_equal(pst_atomic_open(&file, path, PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "symbolic links"));
    assert_false(exists(part));
}

static void a_part_that_is_a_symbolic_link_is_not_followed(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    put(other, "precious");
    assert_int_equal(symlink("other", part), 0);
    assert_int_equal(pst_atomic_open(&file, path, PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "is a symbolic link"));
    assert_holds(other, "precious");
}

static void a_part_with_another_name_is_not_emptied(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    put(other, "precious");
    assert_int_equal(link(other, part), 0);
    assert_int_equal(pst_atomic_open(&file, path, PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "is a hard link"));
    assert_holds(other, "precious");
    assert_int_equal(unlink(part), 0);
    assert_int_equal(mkfifo(part, 0600), 0);
    assert_int_equal(pst_atomic_open(&file, path, PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "is not a regular file"));
}

static void a_new_file_has_the_mode_of_the_old_one(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct stat status;
    put(path, "old");
    assert_int_equal(chmod(path, 0640), 0);
    begin(&file, "new");
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

/* Root may write every file, so the test runs as another user for a moment. */
static void a_file_that_the_user_may_not_write_is_not_replaced(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    put(path, "old");
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    bool root = geteuid() == 0;
    assert_true(!root || seteuid(65534) == 0);
    enum pst_status result = pst_atomic_open(&file, path, PST_LEFTOVER_REPLACE, &error);
    assert_true(!root || seteuid(0) == 0);
    assert_int_equal(result, PST_IO_ERROR);
    assert_non_null(strstr(error.message, "cannot be written: Permission denied"));
    assert_holds(path, "old");
    assert_false(exists(part));
}

static void the_real_name_of_a_file_needs_no_file(void **state)
{
    (void)state;
    char name[128], *real;
    assert_int_equal(symlink("other", path), 0);
    real = pst_real_name(path);
    assert_string_equal(real, other);
    free(real);
    snprintf(name, sizeof name, "%s/../%s/file", folder, strrchr(folder, '/') + 1);
    real = pst_real_name(name);
    assert_string_equal(real, other);
    free(real);
    assert_null(pst_real_name(""));
    assert_null(pst_real_name("/nonexistent/file"));
}

static void a_device_is_written_directly(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    assert_int_equal(pst_atomic_open(&file, "/dev/null", PST_LEFTOVER_REPLACE, NULL), PST_OK);
    assert_true(file.direct);
    assert_int_equal(pst_write_all(file.fd, "gone", 4, "/dev/null", NULL), PST_OK);
    assert_int_equal(pst_atomic_commit(&file, NULL), PST_OK);
    assert_false(exists("/dev/null.part"));
}

static void a_full_disk_is_an_error_of_writing(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    assert_int_equal(pst_atomic_open(&file, "/dev/full", PST_LEFTOVER_REPLACE, NULL), PST_OK);
    assert_int_equal(pst_write_all(file.fd, "x", 1, "/dev/full", &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "/dev/full"));
    pst_atomic_abandon(&file, false);
    assert_true(exists("/dev/full"));
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    assert_int_equal(pst_atomic_open(&file, "/nonexistent/file", PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "/nonexistent/file"));
    assert_int_equal(pst_atomic_open(&file, "/proc/file", PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_int_equal(pst_atomic_open(&file, folder, PST_LEFTOVER_REPLACE, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, "directory"));
}

static void a_name_that_became_a_folder_is_an_error_at_the_commit(void **state)
{
    (void)state;
    struct pst_atomic_file file;
    struct pst_error error;
    begin(&file, "new");
    assert_int_equal(mkdir(path, 0777), 0);
    enum pst_status status = pst_atomic_commit(&file, &error);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(status, PST_IO_ERROR);
    assert_non_null(strstr(error.message, part));
    assert_holds(part, "new");
}

static void a_pipe_whose_reader_has_gone_says_so(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    struct pst_error error;
    assert_int_equal(pst_write_all(ends[1], "x", 1, "the pipe", &error), PST_READER_LEFT);
    assert_non_null(strstr(error.message, "the pipe"));
    close(ends[1]);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_appears_when_it_is_committed_and_not_before),
        IN_FOLDER(an_older_file_stays_until_the_commit),
        IN_FOLDER(an_abandoned_part_is_kept_where_that_is_wanted),
        IN_FOLDER(what_may_be_dear_is_not_thrown_away),
        IN_FOLDER(a_part_without_a_byte_is_not_kept),
        IN_FOLDER(a_second_writer_is_refused),
        IN_FOLDER(a_file_completed_between_open_and_lock_is_not_emptied),
        IN_FOLDER(a_part_removed_between_open_and_lock_is_made_anew),
        IN_FOLDER(a_symbolic_link_is_followed_and_stays),
        IN_FOLDER(a_link_to_what_is_not_there_yet_is_followed),
        IN_FOLDER(links_in_a_circle_are_reported),
        IN_FOLDER(a_part_that_is_a_symbolic_link_is_not_followed),
        IN_FOLDER(a_part_with_another_name_is_not_emptied),
        IN_FOLDER(a_new_file_has_the_mode_of_the_old_one),
        IN_FOLDER(a_file_that_the_user_may_not_write_is_not_replaced),
        IN_FOLDER(the_real_name_of_a_file_needs_no_file),
        IN_FOLDER(a_folder_that_cannot_be_written_is_an_error),
        IN_FOLDER(a_name_that_became_a_folder_is_an_error_at_the_commit),
        cmocka_unit_test(abandoning_nothing_does_nothing),
        cmocka_unit_test(a_device_is_written_directly),
        cmocka_unit_test(a_full_disk_is_an_error_of_writing),
        cmocka_unit_test(a_pipe_whose_reader_has_gone_says_so),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
