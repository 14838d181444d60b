"""Writes pipestill streams with msgpack and numpy alone; docs/stream-format.md is the definition."""
import msgpack
import numpy

DTYPES = {"u8": "<u1", "i32": "<i4", "u64": "<u8", "f32": "<f4", "f16": "<f2", "u16": "<u2"}


def _crc32c_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def _sample_hash(epoch, sample):
    mask = 2**64 - 1
    value = (sample * 0x9E3779B97F4A7C15 + epoch) & mask
    for _ in range(2):
        value = (value ^ value >> 32) * 0xD6E8FEB86659FD93 & mask
    return value ^ value >> 32


def _message(kind, meta, **more):
    packed = msgpack.packb(meta)
    return msgpack.packb({"kind": kind, "meta": packed, "crc": crc32c(packed), **more}), crc32c(packed)


def stream(tensors, batches, /, **header):
    """The bytes of a stream.

    tensors: a list of dicts with name, dtype, shape (of one sample) and maybe temperature.
    batches: a list of dicts from a tensor's name to an array whose first dimension is the samples; "epoch" may be there.
    header: more fields of the header, such as classes=10.
    """
    meta = {"format": 2, "run": "00" * 16, "tensors": tensors, "history": [], **header}
    out = [_message("header", meta)[0]]
    samples = batch_checksum = sample_checksum = 0
    for seq, batch in enumerate(batches, header.get("first", 0)):
        data = [numpy.asarray(batch[t["name"]]).astype(DTYPES[t["dtype"]]).tobytes() for t in tensors]
        n = len(batch[tensors[0]["name"]])
        epoch = int(batch.get("epoch", 0))
        message, crc = _message(
            "batch", {"seq": seq, "epoch": epoch, "n": n, "crcs": [crc32c(d) for d in data]}, data=data)
        out.append(message)
        samples += n
        batch_checksum += crc
        sample_checksum += sum(_sample_hash(epoch, int(i)) for i in batch.get("id", ()))
    trailer = {
        "batches": len(batches),
        "samples": samples,
        "batch_checksum": batch_checksum % 2**64,
        "sample_checksum": sample_checksum % 2**64,
    }
    out.append(_message("trailer", trailer)[0])
    return b"".join(out)
