"""CRC-32C, the format's checksum: by google-crc32c if it is installed, otherwise by numpy.

numpy has no carry-less multiplication, so long data are shortened first. One multiple of the polynomial has only four terms:

    x^(8 C) + x^(8 B) + x^(8 A) + 1

So a byte may be removed if it is added (exclusive or) at three places C - B, C - A and C bytes later. That needs no table, and
thousands of bytes move at once. Squaring doubles a polynomial's exponents, so twice, four times … these distances are valid,
too: long data take large steps, and small ones towards the end. The rest, about C bytes, goes through a table of what a byte
contributes at each distance from the end.
"""
from __future__ import annotations

import functools

import numpy

try:
    import google_crc32c
except ImportError:  # not on Debian, and not needed
    google_crc32c = None

A, B, C = 426, 1362, 5685
STEPS = (C - B, C - A, C)  # distances at which a removed byte is added; the first is also how many bytes move at once
SCALES = (64, 16, 4, 1)
SEGMENT = 1 << 20  # bytes that are worked on at once: a copy that stays in the cache
LANE = 1024  # bytes of one look-up in the table


@functools.cache
def _byte_table() -> numpy.ndarray:
    table = numpy.arange(256, dtype="u4")
    for _ in range(8):
        table = table >> 1 ^ numpy.where(table & 1, 0x82F63B78, 0).astype("u4")
    return table


@functools.cache
def _lane_tables() -> tuple[numpy.ndarray, numpy.ndarray]:
    """The table of what a byte becomes when 0 to LANE - 1 others follow it, and where each place of a lane begins in it."""
    rows = numpy.empty((LANE, 256), dtype="u4")
    rows[-1] = _byte_table()
    for place in range(LANE - 2, -1, -1):
        rows[place] = rows[place + 1] >> 8 ^ rows[-1][rows[place + 1] & 255]
    return rows.reshape(-1), numpy.arange(0, LANE * 256, 256)


def _shorten(data: numpy.ndarray) -> numpy.ndarray:
    """Data of at most C bytes, or a few more, with the same checksum; `data` is used up."""
    for scale in SCALES:
        width, *others = (step * scale for step in STEPS)
        keep = others[-1]
        if len(data) < 2 * keep and scale > 1:
            continue
        begin = 0
        while (count := min(width, len(data) - keep - begin)) > 0:
            part = data[begin:begin + count]
            for step in (width, *others):
                target = data[begin + step:begin + step + count]
                numpy.bitwise_xor(target, part, out=target)
            begin += count
        data = data[begin:]
    return data


def _through_table(crc: int, data: numpy.ndarray) -> int:
    """The register after at most LANE bytes; `data` is used up."""
    if len(data) < 4:
        for byte in data.tolist():
            crc = crc >> 8 ^ int(_byte_table()[(crc ^ byte) & 255])
        return crc
    table, places = _lane_tables()
    data[:4] ^= numpy.frombuffer(crc.to_bytes(4, "little"), "u1")
    return int(numpy.bitwise_xor.reduce(table.take(places[-len(data):] + data)))


def _segment(crc: int, data: numpy.ndarray) -> int:
    """The register after one segment; `data` is used up."""
    if len(data) > C:
        data[:4] ^= numpy.frombuffer(crc.to_bytes(4, "little"), "u1")
        data, crc = _shorten(data), 0
    first = len(data) % LANE
    crc = _through_table(crc, data[:first])
    for begin in range(first, len(data), LANE):
        crc = _through_table(crc, data[begin:begin + LANE])
    return crc


def crc32c_numpy(data) -> int:
    """The CRC-32C of bytes or of an array of u8, by numpy alone."""
    whole, crc = numpy.frombuffer(data, "u1"), 0xFFFFFFFF
    for begin in range(0, len(whole), SEGMENT):
        crc = _segment(crc, whole[begin:begin + SEGMENT].copy())
    return crc ^ 0xFFFFFFFF


def crc32c_google(data) -> int:
    """The same by google-crc32c. It refuses objects that may change meanwhile, so all but bytes become arrays."""
    return google_crc32c.value(data if isinstance(data, bytes) else numpy.frombuffer(data, "u1"))


crc32c = crc32c_numpy if google_crc32c is None else crc32c_google
"""The CRC-32C (RFC 3720, appendix B.4) of bytes, or of anything that holds them in one piece; 0 to 2^32 - 1."""
