"""Categories of a platform as words of ours: looked up in the source's YAML, and a signal where it has no entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.sources.base import Parsed, RecordRefusedError, Settings
from pipelines.sources.fields import text

UNKNOWN = "unknown"


def category(parsed: Parsed, settings: Settings, table: str, raw: Any, *, path: str) -> str | None:
    """The word for a raw category, None where it is not set; a value without entry is `unknown`, and a signal.

    `table` names the value map in the source's YAML, `path` the field for the signal.
    """
    code = text(raw)
    if code is None:
        return None
    word = settings.value_maps.get(table, {}).get(code)
    if word is None:
        parsed.unknown_values.append((path, code))
        return UNKNOWN
    return word


def known_code(parsed: Parsed, settings: Settings, table: str, raw: Any, *, path: str) -> str | None:
    """The raw code itself, None where it is not set; one that the value map does not name is a signal."""
    code = text(raw)
    if code is not None and code not in settings.value_maps.get(table, {}):
        parsed.unknown_values.append((path, code))
    return code


def as_object(value: Any, what: str) -> dict[str, Any]:
    """The record as an object; anything else is refused."""
    if not isinstance(value, dict):
        raise RecordRefusedError("bad_shape", f"{what}: expected an object")
    return value


def refuse_stated(value: Mapping[str, Any]) -> None:
    """A record that an import already found to be no row of its table is refused as it says, with its line."""
    if "refused" in value:
        raise RecordRefusedError(str(value["refused"]), f"line {value.get('line')} of the file: {value.get('detail')}")
