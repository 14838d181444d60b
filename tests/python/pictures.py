"""Pictures as files, made with numpy and zlib alone, and some JPEG files with the pixels that Pillow decodes."""
import base64
import io
import struct
import tarfile
import zlib

import numpy as np


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_rows(width, height, depth, colour, rows, *chunks, interlace=0):
    """A PNG file of packed rows, each after the number of its filter."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"".join(rows)))
            + chunk(b"IEND", b""))


def png(array):
    """A PNG file of an array of bytes, or of numbers of 16 bits: [height, width] is grey, [height, width, n] has 1 to 4 channels."""
    array = np.asarray(array)
    height, width = array.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[array.shape[2] if array.ndim == 3 else 1]
    rows = [b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in array]
    return png_of_rows(width, height, 8 * array.itemsize, colour, rows)


def pnm(array, most=255):
    """A PPM or PGM file."""
    height, width = array.shape[:2]
    return b"P%d\n# a comment\n%d %d\n%d\n" % (6 if array.ndim == 3 else 5, width, height, most) + array.astype("u1").tobytes()


def tar(path, files, mode="w", form=tarfile.PAX_FORMAT):
    """A tar file of pairs of a name and bytes."""
    with tarfile.open(path, mode, format=form) as file:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


# Base64, shape and SHA-256 of the pixels.
JPEGS = {
    "colour": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYV"
        "pQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAT"
        "ABUDASIAAhEBAxEB/8QAGAABAQEBAQAAAAAAAAAAAAAAAAQFBgH/xAAdEAACAgIDAQAAAAAAAAAAAAAAAwIEMWEBIlER/8QAGAEBAAMBAAAAAA"
        "AAAAAAAAAABgMEBQf/xAAdEQACAgMAAwAAAAAAAAAAAAAAAQIEBSExERIi/9oADAMBAAIRAxEAPwDl00tF6aWjTTS0XppaNS7k+7Isdd5syl0u"
        "uAdEul1wA7LJ76LIXflHiYR8Lkwj5wAVrrZzXHN6LYQj8xwAA7NvyLYN+qP/2Q==",
        (19, 21, 3), "ad678b7994261ee601d3d686bb1d69469211d009fd4075cd6f6dcecd206490ac"),
    "progressive": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYV"
        "pQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wgARCAAT"
        "ABUDAREAAhEBAxEB/8QAFwABAAMAAAAAAAAAAAAAAAAAAwECBf/EABcBAQEBAQAAAAAAAAAAAAAAAAQDBgX/2gAMAwEAAhADEAAAAcvsScb3K6"
        "9cu5HuRsJzTke5Hf/EABcQAQEBAQAAAAAAAAAAAAAAAAEAAhD/2gAIAQEAAQUCMRiMRiMRiI5//8QAGBEAAwEBAAAAAAAAAAAAAAAAAAIDITH/"
        "2gAIAQMBAT8Bm5NxXwm5NxXwmTF4f//EABcRAAMBAAAAAAAAAAAAAAAAAAACAwH/2gAIAQIBAT8Beg9Rqj1HoNUfR9G0/8QAFBABAAAAAAAAAA"
        "AAAAAAAAAAMP/aAAgBAQAGPwIf/8QAFxABAQEBAAAAAAAAAAAAAAAAAQAQIf/aAAgBAQABPyHK4bXCJEgL/9oADAMBAAIAAwAAABA8OP1f/8QA"
        "FhEBAQEAAAAAAAAAAAAAAAAAAQAg/9oACAEDAQE/ENDkiZM2f//EABgRAAMBAQAAAAAAAAAAAAAAAAABECER/9oACAECAQE/EJ2lvQcOGdP/xA"
        "AZEAEAAwEBAAAAAAAAAAAAAAAAAVFhETH/2gAIAQEAAT8QxYqTFipKSlDm8h//2Q==",
        (19, 21, 3), "4b0398807519756d206d4ab78cd228e6a4eff288910b71961f060f10aa47c2ce"),
    "grey": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYV"
        "pQYEpRUk//wAALCAATABUBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAABgf/xAAYEAADAQEAAAAAAAAAAAAAAAAABUIEM//aAAgBAQAAPwAUnkdp"
        "5G2DgQ5PI7TyNsHAhyeR2nkbYOB//9k=",
        (19, 21), "8014a9bd757fbeef32770f60e6b9c84d2ddd64f9e9aef6ec4d8c8d5d6564dd56"),
    "cmyk": (
        "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFaUG"
        "BKUVJP/8AAFAgAEwAVBEMRAE0RAFkRAEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAAGBQf/xAAjEAABAQcFAQEAAAAAAAAAAAAABAIDBRUhMUIB"
        "EzNSYiIS/9oADgRDAE0AWQBLAAA/AIqD4kZJ/JaLFd6nTi7g+Ik/kwliu9QWyDgEn8mI/V/dwcOg+J0CT+TbWK71BdwfESfyYKxXeoLZBwCT+T"
        "Efq/u4OHQfEsdp310KJY01WoLuD4jad9dDCWNNVqC2QcA2nfXQxH7TX7uD/9k=",
        (19, 21, 3), "1094d2731cf5c0e4c5528788eaac94cb584dd0b92ac54e240e2f42e19df3c6ed"),
}


def jpeg(name):
    return base64.b64decode(JPEGS[name][0])
