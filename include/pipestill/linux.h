/*
 * linux.h: the one place for what Linux has beyond POSIX.1-2008. Include it first, before any system header,
 * and only in files that need it.
 */
#ifndef PIPESTILL_LINUX_H
#define PIPESTILL_LINUX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_SETPIPE_SZ, getopt_long, flock, fopencookie */
#endif

#include <fcntl.h>
#include <getopt.h>
#include <sys/file.h>
#include <sys/random.h>

#endif
