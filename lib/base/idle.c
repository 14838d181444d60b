/* Processors that are idle, by Linux's counts in /proc/stat, and how many threads can use them. */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Seconds; the counts go up a hundred times a second. The second job comes sooner: many runs are short. */
#define INTERVAL 0.25
#define FIRST_INTERVAL 0.1

/* Which processors this process may run on. Returns false if that is not known. */
static bool allowed(cpu_set_t *set)
{
    return sched_getaffinity(0, sizeof *set, set) == 0;
}

/* Reads the beginning of a small file as text. Returns false if there is none. */
static bool read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

double pst_processors_of_share(const char *text)
{
    unsigned long long share, period;
    bool limited = sscanf(text, "%llu %llu", &share, &period) == 2 && share > 0 && period > 0;
    return limited ? (double)share / (double)period : INFINITY;
}

size_t pst_processors(void)
{
    char text[64];
    cpu_set_t set;
    double count = allowed(&set) ? CPU_COUNT(&set) : (double)sysconf(_SC_NPROCESSORS_ONLN);
    if (read_text("/sys/fs/cgroup/cpu.max", text, sizeof text))
        count = fmin(count, ceil(pst_processors_of_share(text)));
    return count > 1 ? (size_t)count : 1;
}

/* The seconds for which a processor was idle, from its line; 0 for other lines, and for processors on which
 * this process may not run. "cpu3 user nice system idle iowait …", in ticks. */
static double idle_of(const char *line, const cpu_set_t *set)
{
    unsigned processor;
    unsigned long long user, nice, system, idle, waiting;
    if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu", &processor, &user, &nice, &system, &idle, &waiting) !=
            6 ||
        processor >= CPU_SETSIZE || !CPU_ISSET(processor, set))
        return 0;
    return (double)(idle + waiting) / (double)sysconf(_SC_CLK_TCK);
}

/* Seconds for which all processors together were idle; 0 if that is not known. */
static double idle_seconds(void)
{
    char text[1 << 15], *rest = text;
    cpu_set_t set;
    double sum = 0;
    if (!read_text("/proc/stat", text, sizeof text) || !allowed(&set))
        return 0;
    for (char *line = strsep(&rest, "\n"); line != NULL && strncmp(line, "cpu", 3) == 0;
         line = strsep(&rest, "\n"))
        sum += idle_of(line, &set);
    return sum;
}

static double used_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

size_t pst_idle_decide(double used, double idle, double seconds, size_t most)
{
    /* Threads that wait for one another do not use all of a processor. */
    double available = (used + idle) / seconds + 0.3;
    /* A teacher that keeps pace with its student uses more as the student gets faster. So if only that
     * counted, the second thread would take away its own reason. This share does not depend on the pace. */
    double others = fmax(0, (double)most * seconds - used - idle);
    double share = used > 0 ? (double)most * used / (used + others) + 0.45 : 0;
    double processors = fmax(available, share);
    if (!(processors >= 2))
        return 1;
    return processors < (double)most ? (size_t)processors : most;
}

void pst_idle_start(struct pst_idle *idle)
{
    *idle = (struct pst_idle){ .most = pst_processors(), .threads = 1 };
    if (idle->most == 1)
        return;
    idle->at = pst_seconds();
    idle->used = used_seconds();
    idle->idle = idle_seconds();
}

size_t pst_idle_decide_jobs(size_t jobs, double used, double idle, double seconds, size_t most)
{
    double processors = used / seconds, rest = idle / seconds;
    if (processors >= 0.9 * (double)jobs && rest >= 0.3)
        jobs += rest < 1.7 ? 1 : (size_t)(rest + 0.3);
    else if (processors < (double)jobs - 1.2)
        jobs = processors < 1 ? 1 : (size_t)ceil(processors);
    return jobs < most ? jobs : most;
}

/* Measures what was spent since the last time, if that was an interval ago. Returns false if not. */
static bool measure(struct pst_idle *idle, double interval, struct pst_idle *spent)
{
    double now;
    if (idle->most == 1 || (now = pst_seconds()) - idle->at < interval)
        return false;
    const struct pst_idle last = *idle;
    idle->at = now;
    idle->used = used_seconds();
    idle->idle = idle_seconds();
    spent->at = idle->at - last.at;
    spent->used = idle->used - last.used;
    spent->idle = idle->idle - last.idle;
    return true;
}

size_t pst_idle_threads(struct pst_idle *idle)
{
    struct pst_idle spent;
    if (measure(idle, INTERVAL, &spent))
        idle->threads = pst_idle_decide(spent.used, spent.idle, spent.at, idle->most);
    return idle->threads;
}

size_t pst_idle_jobs(struct pst_idle *idle)
{
    struct pst_idle spent;
    if (measure(idle, idle->threads == 1 ? FIRST_INTERVAL : INTERVAL, &spent))
        idle->threads = pst_idle_decide_jobs(idle->threads, spent.used, spent.idle, spent.at, idle->most);
    return idle->threads;
}
