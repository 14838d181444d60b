/* How much memory is free. */
#include "pipestill/base.h"

#include <stdio.h>
#include <string.h>

/* The number at the start of a file that the kernel makes; SIZE_MAX if there is none. */
static size_t number_in(const char *path)
{
    uint64_t number;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return SIZE_MAX;
    char line[64] = "";
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return read && pst_parse_u64(line, 0, SIZE_MAX, &number) ? (size_t)number : SIZE_MAX;
}

/* What Linux says; SIZE_MAX if it says nothing. */
static size_t available(void)
{
    static const char name[] = "MemAvailable:";
    char line[128];
    uint64_t kilobytes = SIZE_MAX / 1024;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, sizeof name - 1) != 0)
            continue;
        char *digits = line + strcspn(line, "0123456789");
        digits[strspn(digits, "0123456789")] = '\0';
        if (!pst_parse_u64(digits, 0, SIZE_MAX / 1024, &kilobytes))
            kilobytes = SIZE_MAX / 1024;
    }
    if (file != NULL)
        fclose(file);
    return kilobytes == SIZE_MAX / 1024 ? SIZE_MAX : (size_t)kilobytes * 1024;
}

size_t pst_free_memory(void)
{
    size_t free = available(), most = number_in("/sys/fs/cgroup/memory.max");
    size_t used = number_in("/sys/fs/cgroup/memory.current");
    if (most == SIZE_MAX || used == SIZE_MAX)
        return free;
    size_t left = used < most ? most - used : 0;
    return left < free ? left : free;
}

const char *pst_bytes_text(size_t bytes, char *text, size_t size)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
    double number = (double)bytes / 1000;
    size_t unit = 0;
    for (; number >= 999.95 && unit + 1 < sizeof units / sizeof *units; unit++)
        number /= 1000;
    pst_print_plain(text, size, "%.1f %s", number, units[unit]);
    return text;
}
