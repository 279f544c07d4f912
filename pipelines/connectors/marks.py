"""What has been pulled up to when, per source, and which stretches are lost: one small file, replaced whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipelines.connectors.windows import Window
from pipelines.errors import IntegrityError
from serving.contract.spool import sync_folder

FILE = "pull_marks.json"


@dataclass(frozen=True)
class Gap:
    """A stretch that the platform no longer gave when it was asked for."""

    source: str
    start: int
    end: int


class Marks:
    """The marks of a home; every change is on disk before the call returns."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._marks: dict[str, int] = {}
        self._gaps: list[Gap] = []
        if self._path.exists():
            self._read()

    def of(self, source: str) -> int | None:
        """Epoch seconds up to which the source is in the landing; None before its first window."""
        return self._marks.get(source)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Every gap ever found, in the order it was found or last grew."""
        return tuple(self._gaps)

    def reach(self, source: str, until: int) -> None:
        """The source is in the landing up to there; a mark never moves back."""
        if until > self._marks.get(source, -1):
            self._marks[source] = until
            self._write()

    def lose(self, source: str, window: Window) -> None:
        """The window is lost for the source; a gap that grew while its source failed is told with its new end."""
        gap = Gap(source, window.start, window.end)
        known = next((one for one in self._gaps if (one.source, one.start) == (gap.source, gap.start)), None)
        if known is not None and known.end >= gap.end:
            return
        self._gaps = [one for one in self._gaps if one is not known] + [gap]
        self._write()

    def _read(self) -> None:
        try:
            document: Any = orjson.loads(self._path.read_bytes())
            self._marks = {str(source): int(until) for source, until in document["marks"].items()}
            self._gaps = [Gap(str(gap["source"]), int(gap["start"]), int(gap["end"])) for gap in document["gaps"]]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise IntegrityError(
                "the marks of earlier pulls cannot be read",
                where=str(self._path),
                hint="restore the file, or delete it to pull all that the platforms still know",
            ) from None

    def _write(self) -> None:
        document = {"marks": dict(sorted(self._marks.items())), "gaps": [vars(gap) for gap in self._gaps]}
        beside = self._path.with_name(f".{FILE}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as handle:
            handle.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            handle.flush()
            os.fsync(handle.fileno())
        beside.replace(self._path)
        sync_folder(self._path.parent)
