"""Ways to damage a small published lake, each of which `cdp verify` has to find and `cdp repair` to deal with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from serving.contract import SNAPSHOT_FILE

SHOP_FOLDER = Path("lake/gold/dim_shop")


def log(home: Path, version: int = 1) -> Path:
    return home / SHOP_FOLDER / "_delta_log" / f"{version:020d}.json"


def data(home: Path) -> Path:
    return sorted((home / SHOP_FOLDER).glob("*.parquet"))[0]


def present(home: Path) -> Path:
    return home / "snapshots" / (home / "CURRENT").read_text().strip()


def manifest(home: Path) -> Path:
    return present(home) / "manifest.json"


def serving(home: Path) -> Path:
    return present(home) / SNAPSHOT_FILE


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))


def reword(path: Path) -> None:
    """A change that leaves size and form as they were: one digit is another."""
    text = path.read_text(encoding="utf-8")
    place = next(n for n, sign in enumerate(text) if sign.isdigit() and n > len(text) // 2)
    path.write_text(f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}", encoding="utf-8")


def restate(path: Path) -> None:
    """The manifest says another business day."""
    body = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(body | {"as_of": "2020-01-01"}), encoding="utf-8")


Where = Callable[[Path], Path]
Harm = Callable[[Path], None]

KINDS: Mapping[str, tuple[Where, Harm, str]] = {
    "log missing": (log, remove, "log file of version 1 is missing"),
    "log empty": (log, empty, "log file of version 1 was changed or cut"),
    "log cut": (log, cut, "log file of version 1 was changed or cut"),
    "log edited": (log, reword, "log file of version 1 was changed or cut"),
    "data missing": (data, remove, "data file is missing"),
    "data empty": (data, empty, "data file is empty"),
    "data cut": (data, cut, "data file is cut or was changed"),
    "data edited": (data, flip, "data file was changed"),
    "manifest edited": (manifest, restate, "manifest is missing or damaged"),
    "serving damaged": (serving, flip, "serving snapshot is damaged"),
}
"""By name: the file that is damaged, what is done to it, and what is said of it."""
