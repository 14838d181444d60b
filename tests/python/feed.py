#!/usr/bin/python3
"""Feeds the first part of a stream to a program and then sends it a signal, or ends its input.

feed.py STREAM BATCHES SIGNAL [--until CHECKPOINT=BATCH] -- COMMAND [ARGUMENT …]

The program gets the header and BATCHES batches, and half of the next one. SIGNAL is KILL, TERM, INT or HUP; or EOF, which only
ends the input. The signal is sent when the program has read all that there is and waits, and, with --until, when CHECKPOINT says
that it continues from BATCH: never after a span of time, so every run of a test is the same. Ends as the program does; an end
by a signal is 128 and its number, as in a shell.
"""
import fcntl
import glob
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import time

import pst

PATIENCE = 300  # seconds after which a program counts as stuck


def unread(descriptor):
    """Bytes that wait in a pipe."""
    return struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))[0]


def next_batch(checkpoint):
    """The batch from which a checkpoint goes on, or None if there is none yet."""
    try:
        with open(checkpoint, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            return int(json.loads(file.read(size))["__metadata__"]["next_seq"])
    except FileNotFoundError:
        return None


def asleep(process):
    """Whether all threads of a process wait: with nothing to read, it has learned from all that it read."""
    try:
        for task in glob.glob(f"/proc/{process}/task/*/stat"):
            with open(task, encoding="ascii", errors="replace") as file:
                if file.read().rpartition(")")[2].split()[0] != "S":
                    return False
    except (FileNotFoundError, ProcessLookupError):  # a thread that ended in between
        return False
    return True


def reached(program, until):
    """Whether the program is at the place for the signal."""
    if unread(program.stdin.fileno()) > 0 or not asleep(program.pid):
        return False
    return until is None or next_batch(until[0]) == int(until[1])


def main():
    split = sys.argv.index("--")
    (stream, batches, signal_name), rest, command = sys.argv[1:4], sys.argv[4:split], sys.argv[split + 1:]
    until = rest[1].rsplit("=", 1) if rest else None
    with open(stream, "rb") as file:
        data = file.read()
    ends = pst.message_ends(data)
    whole, after = ends[int(batches)], ends[int(batches) + 1]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0)
    view = memoryview(data)[:(whole + after) // 2]
    while view:
        view = view[os.write(program.stdin.fileno(), view):]
    if signal_name != "EOF":
        patience = time.monotonic() + PATIENCE
        while not reached(program, until):
            if time.monotonic() > patience:
                program.kill()
                sys.exit(f"feed.py: after {PATIENCE} s the checkpoint says {until and next_batch(until[0])}")
            if program.poll() is not None:
                sys.exit(f"feed.py: the program ended with {program.returncode} before it was signalled")
            time.sleep(0.005)
        program.send_signal(signal.Signals["SIG" + signal_name])
    program.stdin.close()
    status = program.wait()
    sys.exit(status if status >= 0 else 128 - status)


main()
