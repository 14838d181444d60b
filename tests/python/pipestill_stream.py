"""Streams as bytes, valid and invalid ones: the package's messages without its checks."""
import pathlib
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
from pipestill.crc32c import crc32c  # noqa: E402 (its place is known only now)
from pipestill.format import DTYPES, Sums, pack_message, sample_hashes  # noqa: E402

__all__ = ["DTYPES", "crc32c", "message", "stream"]


def message(kind, meta, data=None):
    """The bytes of a message, and the checksum of its metadata."""
    parts, crc = pack_message(kind, meta, data)
    return b"".join(parts), crc


def stream(tensors, batches, /, **header):
    """The bytes of a stream.

    tensors: a list of dicts with name, dtype, shape (of one sample) and maybe temperature.
    batches: a list of dicts from a tensor's name to an array whose first dimension is the samples; "epoch" may be there.
    header: more fields of the header, such as classes=10.
    """
    meta = {"format": 2, "run": "00" * 16, "tensors": tensors, "history": [], **header}
    out, sums = [message("header", meta)[0]], Sums()
    for seq, batch in enumerate(batches, header.get("first", 0)):
        data = [numpy.asarray(batch[t["name"]]).astype(DTYPES[t["dtype"]]).tobytes() for t in tensors]
        n, epoch = len(batch[tensors[0]["name"]]), int(batch.get("epoch", 0))
        packed, crc = message("batch", {"seq": seq, "epoch": epoch, "n": n, "crcs": [crc32c(part) for part in data]}, data)
        out.append(packed)
        sums.add(crc, n, sample_hashes(epoch, numpy.asarray(batch.get("id", ())).astype("u8")))
    return b"".join([*out, message("trailer", sums.to_meta())[0]])
