"""Payloads of the private domain in tests: read as landing brings them, under the shipped settings of their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

from pipelines.jobs.records import RawRecord, make_record
from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError, Settings
from pipelines.sources.config import load_sources

ROOT = Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "tests" / "fixtures"
SETTINGS: Mapping[str, Settings] = load_sources(ROOT / "conf")
DAY = "2025-01-01"
RECEIVED_MS = 1735700800000
"""2025-01-01 11:06:40 in Shanghai."""

STEPS = (1, 86_400)
"""How far numbers are moved to see whether they matter: to the next code, and to the next day."""

WECHAT_APP = "wx0000000000000001"
BRAND_PLATFORM = "op_brand_01"
CORP = "ww0000000000000001"
SUITE = "ww5u1te00000000001"


def make_context(feed: str, **known: Any) -> Context:
    """A context of the brand's own app and corp, received on the day; `known` replaces parts of it."""
    given = {
        "interval": DAY,
        "received_ms": RECEIVED_MS,
        "brand": "brandA",
        "corp_id": CORP,
        "app_id": WECHAT_APP,
        "open_platform_id": BRAND_PLATFORM,
    }
    return Context(feed=feed, **(given | known))


def records(parser: FeedParser, payload: Any, **known: Any) -> list[Record]:
    """The records of one payload (bytes as they are, anything else as JSON), as the ingest layer makes them."""
    raw = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    context = make_context(parser.feed, **known)
    settings = SETTINGS[parser.source]
    return [
        make_record(RawRecord(1, element, bytes(part), context, "{}"), parser, settings)
        for element, part in enumerate(parser.split(raw, context))
    ]


def read(parser: FeedParser, payload: Any, **known: Any) -> list[Parsed]:
    """What the records of one payload say."""
    return [parser.parse(record) for record in records(parser, payload, **known)]


def read_one(parser: FeedParser, payload: Any, **known: Any) -> Parsed:
    """What the only record of a payload says."""
    (parsed,) = read(parser, payload, **known)
    return parsed


def rows(parsed: Parsed, table: str) -> list[dict[str, Any]]:
    """The rows for one silver table."""
    return [row for name, row in parsed.rows if name == f"silver.{table}"]


def one_row(parsed: Parsed, table: str) -> dict[str, Any]:
    """The only row for one silver table."""
    (row,) = rows(parsed, table)
    return row


def ids_of(observation: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The identifiers of an observation in short."""
    return [(one["namespace"], one["scope"], one["value"]) for one in observation["ids"]]


def fixture(name: str) -> bytes:
    """A composed payload, `tests/fixtures/<name>`."""
    return (FIXTURES / name).read_bytes()


def as_text(parsed: list[Parsed]) -> str:
    """What records say, as text for a golden file."""
    listed = [
        {
            "rows": [{"table": table, **{key: _plain(value) for key, value in row.items()}} for table, row in one.rows],
            "observations": one.observations,
            "unknown": one.unknown,
            "unknown_values": one.unknown_values,
        }
        for one in parsed
    ]
    return orjson.dumps(listed, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _plain(value: Any) -> Any:
    """Personal values as their kind only: golden files show that they are on their way to the vault."""
    return msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Every scalar of a record: its path with `[]` for elements, and the keys that lead to it."""
    yield from _leaves(value, path, ())


def _leaves(value: Any, path: str, keys: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key, (*keys, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[]", (*keys, place))
    else:
        yield path, keys


def changed(value: Any, keys: tuple[str | int, ...], step: int) -> Any:
    """A copy of the record with one scalar changed into another; numbers by the step."""
    copied = orjson.loads(orjson.dumps(value))
    holder = copied
    for key in keys[:-1]:
        holder = holder[key]
    old = holder[keys[-1]]
    holder[keys[-1]] = old + step if isinstance(old, (int, float)) and not isinstance(old, bool) else f"{old}7"
    return copied


def said(parser: FeedParser, value: Any, context: Context) -> tuple[Any, ...]:
    """What a record says apart from its own digest; a refusal says its reason."""
    settings = SETTINGS[parser.source]
    try:
        parsed = parser.parse(Record(value, context, settings))
    except RecordRefusedError as refusal:
        return ("refused", refusal.reason)
    return parsed.rows, parsed.observations, parsed.unknown, parsed.unknown_values


def cells(parser: FeedParser, value: Any, context: Context) -> tuple[Any, ...]:
    """What a record puts into silver: the cells of its rows and its identity observations; a refusal says its rule."""
    told = said(parser, value, context)
    return told if told[0] == "refused" else told[:2]


def usage(parser: FeedParser, value: Any, context: Context) -> dict[str, str]:
    """For each field of a record whether changing it changes a cell of silver: `used` or `unused`."""
    before = cells(parser, value, context)
    found: dict[str, str] = {}
    for path, keys in leaves(value):
        differs = any(cells(parser, changed(value, keys, step), context) != before for step in STEPS)
        if differs or path not in found:
            found[path] = "used" if differs else "unused"
    return found


def ignored_reason(parser: FeedParser, kind: str, path: str) -> str | None:
    """Why the shipped settings leave a field of a kind of record out, None when they do not."""
    plain = path.replace("[]", "")
    for key, reason in SETTINGS[parser.source].ignored.items():
        stated, separator, rest = key.partition(":")
        listed = (rest if separator else key).replace("[]", "")
        if separator and stated != kind:
            continue
        if plain == listed or plain.startswith(f"{listed}."):
            return reason
    return None
