"""Appending to thousands of files with a bounded amount of memory and no file left open."""

from pathlib import Path

import orjson

_FLUSH_AT = 48 * 1024 * 1024


class Appender:
    """Text lines gathered per file and written in large pieces; the target folder must be fresh."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held_by: dict[str, bytearray] = {}
        self._held = 0

    def append(self, path: str, line: bytes) -> None:
        """The line, which ends with a line feed, follows what the file already holds."""
        held = self._held_by.get(path)
        if held is None:
            held = self._held_by[path] = bytearray()
        # Copied, because a serialiser's own buffer is several times as large as the line in it.
        held += line
        self._held += len(line)
        if self._held > _FLUSH_AT:
            self.flush()

    def append_json(self, path: str, row: object) -> None:
        """The row follows as one line of JSON."""
        self.append(path, orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Everything gathered is in its file."""
        for path, held in self._held_by.items():
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("ab") as handle:
                handle.write(held)
        self._held_by.clear()
        self._held = 0
