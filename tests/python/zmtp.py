#!/usr/bin/env -S /usr/bin/python3 -B
"""Connects to a link's port without libzmq: a plain ZMTP 3.0 client (rfc.zeromq.org/spec/23), and several kinds of garbage.

    zmtp.py PORT hello [--version N]   greet as a reader, and print the other side's answer
    zmtp.py PORT twice                 greet, leave, and greet under the same name as a reader that was started anew
    zmtp.py PORT garbage|http|plain|half-open
    zmtp.py PORT huge [--size N]

garbage: random bytes. http: a request. huge: after a NULL handshake, a frame that announces N bytes (4 GiB) and has only a
few; prints whether the connection was closed for it, before any heartbeat could be the reason. plain: a NULL handshake, and
how far it gets. half-open: a thousand silent connections, held until standard input ends; prints when they are there.
"""
import argparse
import os
import random
import resource
import socket
import struct
import sys
import time

PROBE = 10  # the kind of message that may come at any time
PATIENCE = 5  # seconds for a refusal; heartbeats close a silent connection after 15, of the usual --peer-timeout


def connect(port):
    until = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:  # on a busy machine a stage takes a while to start
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def receive(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def greet(connection):
    connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    return receive(connection, 64)


def command(name, **properties):
    body = bytes([len(name)]) + name.encode()
    for key, value in properties.items():
        key = key.replace("_", "-")
        body += bytes([len(key)]) + key.encode() + struct.pack(">I", len(value)) + value
    return b"\x04" + bytes([len(body)]) + body


def frame(payload, more=False):
    return bytes([more, len(payload)]) + payload


def frames(connection):
    """The messages that come, as lists of frames, without commands."""
    parts = []
    while True:
        flags = receive(connection, 1)[0]
        size = struct.unpack(">Q", receive(connection, 8))[0] if flags & 2 else receive(connection, 1)[0]
        payload = receive(connection, size)
        if flags & 4:
            continue
        parts.append(payload)
        if not flags & 1:
            yield parts
            parts = []


def shake_hands(connection, name=None):
    greet(connection)
    connection.sendall(command("READY", Socket_Type=b"DEALER", Identity=name or b"\x01" + os.urandom(15)))


def finish_handshake(connection):
    """Takes the other side's READY, the first command that it sends."""
    flags, size = receive(connection, 2)
    if flags != 4 or not receive(connection, size).startswith(b"\x05READY"):
        raise ConnectionError("no READY")


def hello(port, version, session=12345, name=None):
    """Greets as a reader of the given version and prints the answer's kind and text."""
    with connect(port) as connection:
        shake_hands(connection, name)
        connection.sendall(frame(struct.pack("<3B5x3Q", version, 1, 2, 1 << 28, session, 0)))
        answer = next(parts for parts in frames(connection) if parts[0][1] != PROBE)
        print(f"kind {answer[0][1]}", *(part.decode() for part in answer[1:]))


def twice(port, version):
    """The second greeting names no session of the other side, but its own session differs from the first one's."""
    name = b"\x01" + os.urandom(15)
    for session in 12345, 54321:
        hello(port, version, session, name)


def until_closed(connection, seconds=10):
    until = time.monotonic() + seconds
    try:
        while True:
            connection.settimeout(max(0.01, until - time.monotonic()))
            if not connection.recv(65536):
                break
        print("closed")
    except (ConnectionError, EOFError):
        print("closed")
    except socket.timeout:
        print("still open")


def announce(port, size):
    """Announces a frame of so many bytes at a place where only its size can be the reason to close."""
    with connect(port) as connection:
        shake_hands(connection)
        finish_handshake(connection)
        connection.sendall(b"\x02" + struct.pack(">Q", size) + b"x" * 1000)
        until_closed(connection, PATIENCE)


def throw(port, what):
    with connect(port) as connection:
        if what == "garbage":
            connection.sendall(random.Random(1).randbytes(100000))
        elif what == "http":
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n" + b"x" * 200)
        else:
            shake_hands(connection)
            connection.sendall(frame(struct.pack("<3B5x3Q", 1, 1, 2, 1 << 28, 12345, 0)))
        until_closed(connection)


def half_open(port):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    connections = [connect(port) for _ in range(1000)]
    print(f"{len(connections)} connections", flush=True)
    sys.stdin.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("what", choices=["hello", "twice", "garbage", "http", "huge", "plain", "half-open"])
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--size", type=int, default=1 << 32)
    settings = parser.parse_args()
    try:
        if settings.what == "hello":
            hello(settings.port, settings.version)
        elif settings.what == "twice":
            twice(settings.port, settings.version)
        elif settings.what == "huge":
            announce(settings.port, settings.size)
        elif settings.what == "half-open":
            half_open(settings.port)
        else:
            throw(settings.port, settings.what)
    except (ConnectionError, EOFError):
        print("closed")


if __name__ == "__main__":
    main()
