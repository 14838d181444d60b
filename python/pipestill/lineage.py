"""Lineage: what made each tensor, as a map from origins to entries; see "Lineage" in docs/stream-format.md."""
from __future__ import annotations

import hashlib
import json
import os
import re
import typing

from .errors import BadData

ORIGIN = re.compile(r"[0-9a-f]{64}")


def number_text(number: float) -> str:
    """A number as C's %.17g writes it, which is its form in an entry."""
    return format(float(number), ".17g")


def origin_of(entry: dict) -> str:
    """The SHA-256 of an entry, which is the origin of the tensor that it is about."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def entry_texts(settings: dict[str, typing.Any]) -> dict[str, str | list[str]]:
    """Settings in the form of an entry: texts, or lists of texts. None is left out."""
    def text(value: typing.Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return number_text(value) if isinstance(value, float) else str(value)

    return {key: [text(item) for item in value] if isinstance(value, (list, tuple)) else text(value)
            for key, value in settings.items() if value is not None}


def check_lineage(lineage: typing.Any) -> None:
    """Refuses a lineage with an entry that is not what its key says. Raises BadData."""
    if not isinstance(lineage, dict):
        raise BadData("header: its lineage is not a map")
    for key, entry in lineage.items():
        good = isinstance(entry, dict) and isinstance(entry.get("stage"), str) and all(
            isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
            for value in entry.values())
        if not good:
            raise BadData(f"header: lineage: the entry {key:.16} is not a map of texts")
        if (origin := origin_of(entry)) != key:
            raise BadData(f"header: lineage: the entry {key:.16} has the digest {origin:.16}: it was changed")
