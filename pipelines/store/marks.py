"""Durable marks beside the lake: small files that say a step was begun and not finished."""

from __future__ import annotations

import os
from pathlib import Path


class Marks:
    """Marks of one lake, each a file in `<home>/marks`; setting and clearing survive a power cut."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "marks"

    def is_set(self, name: str) -> bool:
        """Whether the mark is there."""
        return (self.folder / name).exists()

    def text(self, name: str) -> str | None:
        """What the mark says, None without it."""
        path = self.folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None

    def set(self, name: str, text: str = "") -> None:
        """The mark is on disk and says the text, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{name}.new"
        with draft.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(draft, self.folder / name)
        sync_folder(self.folder)

    def clear(self, name: str) -> None:
        """The mark is gone."""
        (self.folder / name).unlink(missing_ok=True)
        if self.folder.is_dir():
            sync_folder(self.folder)


def sync_folder(folder: Path) -> None:
    """The folder's entries are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
