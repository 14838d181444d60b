#!/usr/bin/python3
"""A teacher in Python: reads a stream, adds a network's logits to every batch, and writes the stream on.

usage: python-teacher.py MODEL [NAME] <STREAM >STREAM

MODEL is a safetensors file of a fully connected ReLU network, as student-trainer writes it; the tensor that is added is
logits/NAME, otherwise the file's name without its ending. This is teacher-forward once more, with msgpack and numpy alone,
to show that a stage can be written in any language from docs/stream-format.md. Put your own teacher in place of `Network`.
"""
import hashlib
import json
import os
import signal
import struct
import sys
import types

import msgpack
import numpy

DTYPES = {"u8": "<u1", "i32": "<i4", "u64": "<u8", "f32": "<f4", "f16": "<f2", "u16": "<u2"}
MAX_MESSAGE = 256 << 20


class BadData(Exception):
    """The input is damaged or does not fit; the exit code is 65."""


def need(condition, what):
    if not condition:
        raise BadData(what)


# ---- CRC-32C -----------------------------------------------------------------------------------------------------------

LANE = 256  # bytes that one element of a numpy array works through


def crc_table():
    table = numpy.arange(256, dtype="u4")
    for _ in range(8):
        table = table >> 1 ^ numpy.where(table & 1, 0x82F63B78, 0).astype("u4")
    return table


TABLE = crc_table()


def skip_tables():
    """Four tables of 256: what each byte of a checksum becomes when LANE zero bytes follow it."""
    state = (numpy.arange(256, dtype="u4")[None, :] << numpy.array([[0], [8], [16], [24]], dtype="u4")).astype("u4")
    for _ in range(LANE):
        state = state >> 8 ^ TABLE[state & 255]
    return state.tolist()


SKIP = skip_tables()


def crc32c(data):
    """Lanes of LANE bytes at once, then one after the other; zero bytes in front change nothing where all begins at 0."""
    size = len(data)
    if size < 4:
        crc = 0xFFFFFFFF
        for byte in data:
            crc = crc >> 8 ^ int(TABLE[(crc ^ byte) & 255])
        return crc ^ 0xFFFFFFFF
    lanes = -(-size // LANE)
    rows = numpy.zeros(lanes * LANE, dtype="u1")
    rows[-size:] = numpy.frombuffer(data, "u1")
    rows[lanes * LANE - size:][:4] ^= 255  # the initial value, moved into the data
    states = numpy.zeros(lanes, dtype="u4")
    for column in rows.reshape(lanes, LANE).T:
        states = states >> 8 ^ TABLE[(states ^ column) & 255]
    crc = 0
    for state in states.tolist():
        crc = SKIP[0][crc & 255] ^ SKIP[1][crc >> 8 & 255] ^ SKIP[2][crc >> 16 & 255] ^ SKIP[3][crc >> 24] ^ state
    return crc ^ 0xFFFFFFFF


# ---- the network -------------------------------------------------------------------------------------------------------


class Network:
    """A fully connected ReLU network: pairs of weight [outputs, inputs] and bias [outputs]."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        self.digest = hashlib.sha256(data).hexdigest()
        (length,) = struct.unpack_from("<Q", data)
        tensors = json.loads(data[8:8 + length])
        tensors.pop("__metadata__", None)
        arrays = {}
        for name, entry in tensors.items():
            need(entry["dtype"] == "F32", f"{path}: tensor {name} is not F32")
            begin, end = entry["data_offsets"]
            array = numpy.frombuffer(data[8 + length:][begin:end], "<f4").reshape(entry["shape"])
            layer, kind = name.rsplit(".", 2)[-2:]
            arrays[int(layer), kind] = array
        self.layers = [(arrays[number, "weight"], arrays[number, "bias"])
                       for number in sorted({number for number, _ in arrays})]

    def logits(self, values):
        for weight, bias in self.layers[:-1]:
            values = numpy.maximum(values @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        return values @ weight.T + bias


# ---- the stream --------------------------------------------------------------------------------------------------------


def sample_hashes(epoch, ids):
    """The sum of the samples' hashes; numpy's integers wrap as they should."""
    value = ids * numpy.uint64(0x9E3779B97F4A7C15) + numpy.uint64(epoch)
    for _ in range(2):
        value = (value ^ value >> numpy.uint64(32)) * numpy.uint64(0xD6E8FEB86659FD93)
    return int((value ^ value >> numpy.uint64(32)).sum(dtype="u8"))


def read(file):
    """Yields (kind, metadata, its checksum, data) of each message; the end without a trailer is an error."""
    kind = None
    what_came = types.SimpleNamespace(read=file.read1)  # file.read would wait until 1 MiB is there, a pool for its answer
    for message in msgpack.Unpacker(what_came, max_buffer_size=MAX_MESSAGE):
        need(isinstance(message, dict), "not a pipestill stream")
        before, kind = kind, message.get("kind")
        keys = ["kind", "meta", "crc"] + (["data"] if kind == "batch" else [])
        need(list(message) == keys, "a message does not have the keys that it should have")
        need((kind == "header") == (before is None) and before != "trailer", f"a {kind} where none may be")
        need(crc32c(message["meta"]) == message["crc"], f"damaged: the checksum of a {kind}'s metadata does not fit")
        yield kind, msgpack.unpackb(message["meta"]), message["crc"], message.get("data")
    need(kind == "trailer", "truncated: the stream ends without a trailer" if kind else "empty: not even a header came")


def write(kind, meta, **data):
    """Writes a message. Returns the checksum of its metadata."""
    packed = msgpack.packb(meta)
    crc = crc32c(packed)
    sys.stdout.buffer.write(msgpack.packb({"kind": kind, "meta": packed, "crc": crc, **data}))
    sys.stdout.buffer.flush()
    return crc


def enter(header, entry):
    """Enters what made a tensor into the lineage. Returns the tensor's origin."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    origin = hashlib.sha256(text.encode()).hexdigest()
    header.setdefault("lineage", {})[origin] = entry
    return origin


def declare(header, network, name):
    """Adds the tensor and this stage to a header. Returns the place of x."""
    need(header["format"] <= 2, "the stream is of a newer format")
    need("encoding" not in header, "the stream is compressed; leave --zstd away in the stage before")
    names = [spec["name"] for spec in header["tensors"]]
    need("x" in names, "the stream has no inputs 'x'")
    need(f"logits/{name}" not in names, f"'logits/{name}' is in the stream already; choose another NAME")
    spec = header["tensors"][names.index("x")]
    inputs = int(numpy.prod(spec["shape"], dtype=int))
    need(spec["dtype"] in ("u8", "f16", "f32") and inputs == network.layers[0][0].shape[1], "'x' is not what this model takes")
    added = {"name": f"logits/{name}", "dtype": "f32", "shape": [len(network.layers[-1][1])]}
    if "origin" in spec:
        added["origin"] = enter(header, {"stage": "python-teacher", "makes": "logits", "model": network.digest,
                                         "from": [spec["origin"]]})
    header["tensors"].append(added)
    header["history"].append({"stage": "python-teacher", "version": "1", "effect": "adds", "name": name,
                              "model": network.digest})
    return names.index("x")


def numbers(spec, data, samples):
    """A tensor's elements as the numbers that they stand for, [samples, inputs]."""
    values = numpy.frombuffer(data, DTYPES[spec["dtype"]]).reshape(samples, -1).astype("f4")
    if spec["dtype"] == "u8":
        values = numpy.float32(spec.get("scale") or 1) * values + numpy.float32(spec.get("offset", 0))
    return values


def check_batch(meta, data, specs, due):
    """What must be true of a batch before it is used."""
    need(meta["seq"] == due, f"batch {meta['seq']} came where {due} is due")
    need(len(data) == len(meta["crcs"]) == len(specs), f"batch {due}: not the tensors that the header declares")
    for spec, crc, part in zip(specs, meta["crcs"], data):
        size = meta["n"] * int(numpy.prod(spec["shape"], dtype=int)) * int(DTYPES[spec["dtype"]][2])
        need(len(part) == size and crc32c(part) == crc, f"batch {due}: tensor '{spec['name']}' is damaged")


def run(network, name):
    header, place, ids = None, 0, None
    sums = {"batches": 0, "samples": 0, "batch_checksum": 0, "sample_checksum": 0}
    came = 0  # batch_checksum of the input
    for kind, meta, crc, data in read(sys.stdin.buffer):
        if kind == "header":
            header, place = meta, declare(meta, network, name)
            ids = next((i for i, spec in enumerate(header["tensors"]) if spec["name"] == "id"), None)
            write("header", header)
        elif kind == "batch":
            check_batch(meta, data, header["tensors"][:-1], header.get("first", 0) + sums["batches"])
            came += crc
            logits = network.logits(numbers(header["tensors"][place], data[place], meta["n"]))
            data.append(logits.astype("<f4").tobytes())
            meta["crcs"].append(crc32c(data[-1]))
            sums["batches"] += 1
            sums["samples"] += meta["n"]
            sums["batch_checksum"] += write("batch", meta, data=data)
            if ids is not None:
                sums["sample_checksum"] += sample_hashes(meta["epoch"], numpy.frombuffer(data[ids], "<u8"))
        else:
            sums = {key: value % 2**64 for key, value in sums.items()}
            said = {**sums, "batch_checksum": came % 2**64}
            need({key: meta.get(key) for key in said} == said, "the trailer does not fit what came")
    write("trailer", sums)  # only now: `read` has seen that nothing follows the trailer


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 64
    path = sys.argv[1]
    name = sys.argv[2] if len(sys.argv) == 3 else os.path.splitext(os.path.basename(path))[0]
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader that leaves ends this stage as it ends any other
    try:
        run(Network(path), name)
    except BadData as error:
        print(f"python-teacher: {error}", file=sys.stderr)
        return 65
    except (KeyError, TypeError, ValueError, struct.error, msgpack.UnpackException) as error:
        print(f"python-teacher: model or stream is not what it should be: {error!r}", file=sys.stderr)
        return 65
    except OSError as error:
        print(f"python-teacher: {error}", file=sys.stderr)
        return 66 if error.filename == path else 74
    return 0


if __name__ == "__main__":
    sys.exit(main())
