"""Which fields of a record are known: the ones a parser uses and the ones its source ignores with a reason.

A path runs from the record to the field, `sku_order_list[].room_id`; `[]` marks the elements of a list. In a source's
YAML an ignored path may be led by the kind of record it belongs to, `order:sku_order_list[].biz_desc`; without a kind
it holds for every kind of the source. What is neither used nor ignored is a signal, never silently dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class _Level:
    """The known keys of one object and, for those that are looked into, the level below."""

    __slots__ = ("below", "keys")

    def __init__(self) -> None:
        self.keys: frozenset[str] = frozenset()
        self.below: tuple[tuple[str, _Level], ...] = ()


class Shape:
    """The known fields of one kind of record, compiled once per source settings."""

    def __init__(self, kind: str, used: Iterable[str]) -> None:
        self.kind = kind
        self.used = frozenset(used)
        self._compiled: tuple[Mapping[str, str], _Level] | None = None

    def unknown(self, value: Any, ignored: Mapping[str, str]) -> dict[str, Any]:
        """The fields of the record that are neither used nor ignored, by full path, each with its first value.

        >>> Shape("order", ["id", "lines[].sku"]).unknown({"id": 1, "lines": [{"sku": 2, "hue": 3}]}, {})
        {'lines[].hue': 3}
        """
        compiled = self._compiled
        if compiled is None or compiled[0] is not ignored:
            compiled = self._compiled = (ignored, self._compile(ignored))
        found: dict[str, Any] = {}
        if isinstance(value, dict):
            _walk(compiled[1], value, "", found)
        return found

    def ignored_paths(self, ignored: Mapping[str, str]) -> dict[str, str]:
        """The ignored paths that hold for this kind of record, with their reasons."""
        return {
            path: reason
            for kind, path, reason in ((*_split_kind(key), reason) for key, reason in ignored.items())
            if kind in ("", self.kind)
        }

    def _compile(self, ignored: Mapping[str, str]) -> _Level:
        paths = {path.replace("[]", "") for path in (*self.used, *self.ignored_paths(ignored))}
        tree: dict[str, Any] = {}
        for path in sorted(paths):
            parts = path.split(".")
            level = tree
            for depth, part in enumerate(parts):
                above = ".".join(parts[:depth])
                if depth and above in paths:
                    raise ValueError(f"{self.kind}: {path} lies below {above}, which is listed as a whole")
                level = level.setdefault(part, {})
        return _level(tree)


def _split_kind(key: str) -> tuple[str, str]:
    kind, separator, path = key.partition(":")
    return (kind, path) if separator else ("", key)


def _level(tree: Mapping[str, Any]) -> _Level:
    level = _Level()
    level.keys = frozenset(tree)
    level.below = tuple((key, _level(inner)) for key, inner in tree.items() if inner)
    return level


def _walk(level: _Level, value: dict[str, Any], path: str, found: dict[str, Any]) -> None:
    if not level.keys.issuperset(value):
        for key, inner in value.items():
            if key not in level.keys:
                found.setdefault(path + key, inner)
    for key, below in level.below:
        inner = value.get(key)
        if not inner:
            continue
        if isinstance(inner, dict):
            _walk(below, inner, f"{path}{key}.", found)
        elif isinstance(inner, list):
            within = f"{path}{key}[]."
            for element in inner:
                if isinstance(element, dict):
                    _walk(below, element, within, found)
