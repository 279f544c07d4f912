"""A mapping proposed for an unknown file: from its headings, Chinese or English, and from what its cells look like.

Nothing of the content is repeated: samples are shown by their form only, a digit as 9, a letter as a, a Chinese
character as 字. A file whose headings say neither orders nor members is refused with what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import ConfigurationError
from pipelines.imports.cells import clean, is_rounded
from pipelines.imports.headings import Names, Words, find_field, load_words
from pipelines.imports.mapping import FOLDER, KEYS, ImportMapping, load_mapping
from pipelines.imports.tables import read_rows
from pipelines.sources.base import RecordRefusedError
from pipelines.sources.table_values import amount_of, table_number, table_time

ROWS = 500
"""Rows that are looked at."""

LEAST_COLUMNS = 3
"""Columns by which a file is known for what it is: a member number alone is in many tables."""

_MOST_VALUES = 40
_LONGEST_SAMPLE = 24
_TIMES = ("_at",)
_AMOUNTS = frozenset(
    {"price", "amount", "discount", "line_total", "line_freight", "freight", "subsidy", "refund_amount"}
    | {"order_paid", "order_list", "order_discount"}
)
_NUMBERS = frozenset({"quantity", "points"})
_PHONE = re.compile(r"^(?:\+?86)?1[0-9*]{10}$", re.ASCII)


@dataclass(frozen=True)
class Column:
    """A column of the file: its heading, what its cells look like, the form of one, and the field it is taken for."""

    heading: str
    kind: str
    sample: str
    field: str | None = None


@dataclass(frozen=True)
class Guess:
    """A proposed mapping with what it is drawn from; `ready` names a mapping that comes with the product and fits."""

    mapping: ImportMapping
    columns: Sequence[Column]
    unknown_values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ready: str | None = None
    notes: Sequence[str] = ()

    def as_yaml(self) -> str:
        """The mapping file, with a comment on every column."""
        shown = self.mapping.model_dump(exclude_defaults=True) | {"feed": self.mapping.feed}
        order = [name for name in ImportMapping.model_fields if name in shown]
        body = yaml.safe_dump({name: shown[name] for name in order}, allow_unicode=True, sort_keys=False, width=110)
        notes = [f"# {line}" for line in self._notes()]
        return "\n".join(notes) + "\n" + body

    def _notes(self) -> Iterator[str]:
        if self.ready:
            yield f"The mapping {self.ready} fits this file: `--mapping {self.ready}` does the same."
        yield "Proposed from the headings and the form of the cells; check every line before using it."
        for column in self.columns:
            use = f"-> {column.field}" if column.field else "not used"
            yield f"{column.heading}: {column.kind}, like {column.sample or 'nothing'} {use}"
        for name, values in self.unknown_values.items():
            yield f"{name}: no word of ours for {', '.join(values)}; add them under values"
        yield from self.notes


def guess(path: Path, conf: Path) -> Guess:
    """The mapping proposed for a table file; a file that says neither orders nor members is refused (exit 2)."""
    words = load_words(conf)
    rows = [row for row in islice(read_rows(path, _heading_rule(words)), ROWS) if not row.reason]
    if not rows:
        raise _untold(path, "the file has no whole row below its headings")
    headings = [name for name in rows[0].cells if name]
    columns = {name: [clean(row.cells.get(name)) for row in rows] for name in headings}
    ready = _ready(conf, headings)
    if ready is not None:
        return Guess(ready, list(_described(columns, _used_by(ready, headings))), ready=ready.mapping)
    best = _best(columns, words)
    if best is None:
        raise _untold(path, _why_untold(columns, words))
    feed, fields = best
    return _proposed(path, columns, words, feed, fields)


def _proposed(
    path: Path, columns: Mapping[str, list[Any]], words: Words, feed: str, fields: Mapping[str, str]
) -> Guess:
    states = sorted({str(cell) for cell in columns[fields["status"]] if cell is not None}) if "status" in fields else []
    known = {state: words.statuses[state] for state in states if state in words.statuses}
    strange = [_word(state) for state in states if state not in words.statuses] if len(states) <= _MOST_VALUES else []
    merged = _is_merged(columns[fields[KEYS[feed]]])
    fields, notes = _with_payment(feed, fields)
    mapping = ImportMapping.model_validate(
        {
            "mapping": re.sub(r"\W+", "_", path.stem).strip("_").lower() or "export",
            "feed": feed,
            "columns": fields,
            "optional": sorted(set(fields) - {KEYS[feed]}),
            "constants": {"platform": "file"} if feed == "orders_file" else {},
            "values": {"status": known} if known else {},
            "fill_down": _filled_down(columns, fields) if merged else [],
        }
    )
    unknown = {"status": strange} if strange else {}
    described = list(_described(columns, {heading: name for name, heading in reversed(fields.items())}))
    return Guess(mapping, described, unknown, notes=notes)


def _with_payment(feed: str, fields: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Orders without a time of payment: paid when they were made where they have no state either, else for a person."""
    if feed != "orders_file" or "paid_at" in fields:
        return dict(fields), []
    if "created_at" in fields and "status" not in fields:
        note = "paid_at: the table has no time of payment and no state: taken for paid when made"
        return {**fields, "paid_at": fields["created_at"]}, [note]
    return dict(fields), ["paid_at: the table has no time of payment; orders count nothing until a column is named"]


def _best(columns: Mapping[str, list[Any]], words: Words) -> tuple[str, dict[str, str]] | None:
    """The feed that more columns speak for, with the heading of each of its fields."""
    orders = _fields(columns, words.orders)
    members = _fields(columns, words.members)
    worth = {"price", "amount", "order_paid", "line_total", "order_list", "quantity", "paid_at", "status"}
    if "order_id" in orders and worth & set(orders):
        return "orders_file", orders
    if "member_id" in members and "order_id" not in orders:
        return "observations", members
    return None


def _fields(columns: Mapping[str, list[Any]], known: Names) -> dict[str, str]:
    """Field -> heading: of several columns for a field the one whose heading is more usual, if its cells agree."""
    found: dict[str, tuple[int, str]] = {}
    for heading, cells in columns.items():
        named = find_field(heading, known)
        if named is None:
            continue
        name, rank = named
        if _agrees(name, cells) and (name not in found or rank < found[name][0]):
            found[name] = (rank, heading)
    return {name: found[name][1] for name in known if name in found}


def _agrees(name: str, cells: Iterable[Any]) -> bool:
    """Whether nearly all cells can be read as the field; an empty column agrees with everything."""
    stated = [cell for cell in cells if cell is not None]
    reader: Callable[[Any], Any]
    if name.endswith(_TIMES):
        reader = lambda cell: table_time(cell, name)
    elif name in _AMOUNTS:
        reader = lambda cell: amount_of(cell, name)
    elif name in _NUMBERS:
        reader = lambda cell: table_number(cell, name)
    else:
        return True
    return sum(1 for cell in stated if not _readable(reader, cell)) <= len(stated) // 10


def _readable(reader: Callable[[Any], Any], cell: Any) -> bool:
    try:
        return reader(cell) is not None
    except RecordRefusedError:
        return False


def _is_merged(keys: Sequence[Any]) -> bool:
    return bool(keys) and keys[0] is not None and any(key is None for key in keys)


def _filled_down(columns: Mapping[str, list[Any]], fields: Mapping[str, str]) -> list[str]:
    """Fields that are empty wherever the key is: what stands once per order."""
    key = fields[KEYS["orders_file"]] if "order_id" in fields else fields["member_id"]
    below = [place for place, value in enumerate(columns[key]) if value is None]
    return [name for name, heading in fields.items() if all(columns[heading][place] is None for place in below)]


def _described(columns: Mapping[str, list[Any]], fields: Mapping[str, str]) -> Iterator[Column]:
    for heading, cells in columns.items():
        stated = [cell for cell in cells if cell is not None]
        sample = _form(str(stated[0])) if stated else ""
        yield Column(heading, _kind(stated), sample, fields.get(heading))


def _kind(stated: Sequence[Any]) -> str:
    if not stated:
        return "empty"
    if any(is_rounded(cell) for cell in stated):
        return "rounded number"
    if all(_PHONE.match(str(cell)) for cell in stated):
        return "phone"
    if all(re.fullmatch(r"\d{9,20}", str(cell), re.ASCII) for cell in stated):
        return "number of an id's length"
    for kind, reader in (("whole number", table_number), ("amount", amount_of), ("time", table_time)):
        if all(_readable(lambda cell, read=reader: read(cell, ""), cell) for cell in stated):  # type: ignore[misc]
            return kind
    return "category" if len(set(map(str, stated))) <= max(len(stated) // 5, 1) else "text"


def _word(state: str) -> str:
    """A state as it is written if it is a word, else its form only."""
    return state if len(state) <= _LONGEST_SAMPLE and not any(letter.isdigit() for letter in state) else _form(state)


def _form(value: str) -> str:
    """What a cell looks like, without what it says.

    >>> _form("2025-01-01 11:02"), _form("李 SKU-01")
    ('9999-99-99 99:99', '字 aaa-99')
    """
    shown = re.sub(r"\d", "9", value)
    shown = re.sub(r"[A-Za-z]", "a", shown)
    shown = re.sub(r"[^\W\d_a]", "字", shown)
    return shown if len(shown) <= _LONGEST_SAMPLE else shown[: _LONGEST_SAMPLE - 1] + "…"


def _ready(conf: Path, headings: Sequence[str]) -> ImportMapping | None:
    """The ready mapping whose columns the file has, at least three; of several the one that finds more of them."""
    fitting: list[tuple[int, str, ImportMapping]] = []
    for path in sorted((conf / FOLDER).glob("*.yaml")):
        mapping = load_mapping(path)
        found = {name for name in mapping.columns if any(one in headings for one in mapping.headings(name))}
        needed = set(mapping.columns) - set(mapping.optional)
        if needed <= found and len(found) >= LEAST_COLUMNS:
            fitting.append((-len(found), mapping.mapping, mapping))
    return min(fitting, key=lambda one: one[:2])[2] if fitting else None


def _used_by(mapping: ImportMapping, headings: Sequence[str]) -> dict[str, str]:
    """Heading -> field of those that the mapping takes from the file."""
    found: dict[str, str] = {}
    for name in mapping.columns:
        heading = next((one for one in mapping.headings(name) if one in headings), None)
        if heading is not None:
            found.setdefault(heading, name)
    return found


def _heading_rule(words: Words) -> Callable[[Sequence[Any]], bool]:
    def is_heading(cells: Sequence[Any]) -> bool:
        known = (find_field(cell, names) for cell in cells for names in (words.orders, words.members))
        return sum(1 for one in known if one is not None) > 1

    return is_heading


def _why_untold(columns: Mapping[str, list[Any]], words: Words) -> str:
    """What the headings lack: a number, or beside an order's number whatever is worth counting."""
    number = _fields(columns, words.orders).get("order_id")
    if number is None:
        return f"no column of {', '.join(columns)} is an order number or a member number"
    others = ", ".join(name for name in columns if name != number) or "none"
    return (
        f"{number} is an order number, but no other column ({others}) is known for a price, an amount, a quantity, a "
        "time of payment or a state"
    )


def _untold(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot tell what the file holds: {why}",
        where=str(path),
        hint="write the mapping by hand after conf/mappings/member_list.yaml or tmall_orders_export.yaml, then "
        "`cdp ingest --feed orders_file --mapping YOURS.yaml FILE`",
    )
