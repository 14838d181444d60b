#!/usr/bin/env -S /usr/bin/python3 -B
"""Writes a stream as a loader that is slow at one place: hold.py STREAM PLACE GATE

PLACE is ready (before the header), middle (before batch 60) or trailer. It waits there until the file GATE exists.
"""
import os
import sys
import time

import pst


def write(data):
    while data:
        data = data[os.write(1, data):]


def main():
    stream, place, gate = sys.argv[1:]
    with open(stream, "rb") as file:
        data = file.read()
    ends = pst.message_ends(data)
    at = {"ready": 0, "middle": ends[60], "trailer": ends[-2]}[place]
    write(memoryview(data)[:at])
    while not os.path.exists(gate):
        time.sleep(0.01)
    write(memoryview(data)[at:])


main()
