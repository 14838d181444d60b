"""Checks that print TAP, and programs that are run for them."""
import atexit
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "python"))
_count = 0


def check(name, good, detail=""):
    """One line of TAP."""
    global _count
    _count += 1
    print(f"{'ok' if good else 'not ok'} {_count} - {name}{'' if good else f' # {detail}'}", flush=True)


def run(*command, data=b"", **more):
    """Runs a program. Returns its exit code, its standard output, and its standard error."""
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=300, **more)
    return done.returncode, done.stdout, done.stderr.decode()


def refusal(kind, function, *arguments, **named):
    """The message of the error of this kind that a function raises; "" if it raises none."""
    try:
        function(*arguments, **named)
    except kind as error:
        return str(error)
    return ""


atexit.register(lambda: print(f"1..{_count}"))
