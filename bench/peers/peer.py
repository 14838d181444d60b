"""What both comparisons of bench/peers share: where things are, and the other side as a process that keeps running."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ["BUILD"]
WORK = f"{BUILD}/peers/work"
ROUNDS = int(os.environ.get("ROUNDS", "5"))

# Without this, glibc gives large blocks back to the system at each step, and PyTorch waits for new pages.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40), "MALLOC_TOP_PAD_": str(64 << 20)}


def say(text):
    """Prints what is being done."""
    print(f"bench-peers: {text}", file=sys.stderr, flush=True)


def shell(command, **more):
    """Runs a pipeline of bash; all of its parts must succeed."""
    return subprocess.run(["bash", "-euo", "pipefail", "-c", command], check=True, stdin=subprocess.DEVNULL, **more)


class Peer:
    """The other side: a Python program beside this one that prints a line when it is ready, and answers each line with seconds."""

    def __init__(self, program, *arguments):
        self.program = program
        self.process = subprocess.Popen([sys.executable, f"{HERE}/{program}", *arguments], text=True,
                                        env={**os.environ, **KEEP_MEMORY}, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.told = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench-peers: {self.program} ended with exit code {self.process.wait()}")
        return line

    def seconds(self, question):
        """How long the program takes for what a line names."""
        self.process.stdin.write(f"{question}\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
