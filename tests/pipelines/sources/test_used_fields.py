"""Every field that a parser claims to use changes a cell of silver or of an observation; none is named for show. The
report, kind by kind, says of each field that it is used or why it is left out.

Proven on the composed answers of `tests/fixtures` and on `variants.jsonl`: records in which a field that stands in for
another, or counts only beside a certain state, is brought to bear. Being refused for another value is no use.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines import sources
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import Context, FeedParser
from pipelines.sources.shape import Shape
from tests.pipelines.sources import test_private_goldens, test_public_goldens
from tests.pipelines.sources.private_domain import FIXTURES, SETTINGS, cells, fixture, leaves, make_context, records
from tests.pipelines.sources.public_domain import PUBLIC, public_context

Proof = dict[Shape, set[str]]
GUARDS = {"frame": {"topic"}}
"""Fields that only say whether the record is one of this kind."""


OTHER_WORDS = {"granted": ("withdrawn",), "withdrawn": ("granted",), "bind": ("unbind",), "unbind": ("bind",)}
"""Words of ours for which only another of ours will do."""


def shapes() -> dict[Shape, str]:
    """Every kind of record that a parser reads, with the module that reads it."""
    found: dict[Shape, str] = {}
    for module in pkgutil.iter_modules(sources.__path__):
        for value in vars(importlib.import_module(f"{sources.__name__}.{module.name}")).values():
            for one in value.values() if isinstance(value, dict) else (value,):
                if isinstance(one, Shape):
                    found.setdefault(one, module.name)
    return found


def corpus() -> Iterator[tuple[FeedParser, Any, Context]]:
    """The composed records with the contexts they are read in."""
    for name, parser, known in test_private_goldens.CASES:
        if name.endswith(".json"):
            yield from ((parser, record.value, record.context) for record in records(parser, fixture(name), **known))
    for name, parser, method in test_public_goldens.CASES:
        found = records(parser, fixture(f"{name}.json"), **{**PUBLIC, "method": method})
        yield from ((parser, record.value, record.context) for record in found)
    for line in (FIXTURES / "variants.jsonl").read_bytes().splitlines():
        row = orjson.loads(line)
        context_of = public_context if row["side"] == "public" else make_context
        yield FEED_PARSERS[row["feed"]], row["record"], context_of(row["feed"], **row["context"])


def others(value: Any, keys: tuple[str | int, ...]) -> Iterator[Any]:
    """The record with one scalar changed in several ways, or left out."""

    def with_value(new: Any, *, absent: bool = False) -> Any:
        copied = orjson.loads(orjson.dumps(value))
        holder = copied
        for key in keys[:-1]:
            holder = holder[key]
        if absent:
            del holder[keys[-1]]
        else:
            holder[keys[-1]] = new
        return copied

    old: Any = value
    for key in keys:
        old = old[key]
    if isinstance(old, bool):
        yield with_value(not old)
    elif isinstance(old, (int, float)):
        yield from map(with_value, (old + 1, old + 86_400, 0))
    else:
        yield from map(with_value, (f"{old}7", "77", "", *OTHER_WORDS.get(str(old), ())))
    if isinstance(keys[-1], str):
        yield with_value(None, absent=True)


def plain(path: str) -> str:
    return path.replace("[]", "")


def claimed(shape: Shape) -> set[str]:
    return {plain(path) for path in shape.used} - GUARDS.get(shape.kind, set())


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> Proof:
    """The fields of each kind of record whose change changed what the record says."""
    read: list[Shape] = []
    unknown = Shape.unknown

    def noted(shape: Shape, value: Any, ignored: Mapping[str, str]) -> dict[str, Any]:
        read.append(shape)
        return unknown(shape, value, ignored)

    monkeypatch.setattr(Shape, "unknown", noted)
    found: Proof = {shape: set() for shape in shapes()}
    for parser, value, context in corpus():
        read.clear()
        before = cells(parser, value, context)
        assert before[0] != "refused", f"{parser.feed}: {before}"
        kinds = list(dict.fromkeys(read))
        open_paths = {path for shape in kinds for path in claimed(shape) - found[shape]}
        for path, keys in leaves(value):
            above = [known for known in open_paths if plain(path) == known or plain(path).startswith(f"{known}.")]
            if above and any(_differs(cells(parser, other, context), before) for other in others(value, keys)):
                for shape in kinds:
                    found[shape].update(claimed(shape).intersection(above))
                open_paths.difference_update(above)
    return found


def _differs(after: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    return after[0] != "refused" and after != before


def test_every_field_that_is_claimed_to_be_used_changes_a_cell(proven: Proof) -> None:
    idle = {f"{shapes()[shape]} {shape.kind}": sorted(claimed(shape) - paths) for shape, paths in proven.items()}
    assert {kind: paths for kind, paths in idle.items() if paths} == {}


def test_the_report_says_of_every_field_that_it_is_used_or_why_not(golden: Callable[[str, Path], None]) -> None:
    source_of = {parser.parse.__module__.rpartition(".")[2]: parser.source for parser in FEED_PARSERS.values()}
    text = []
    for shape, module in sorted(shapes().items(), key=lambda one: (one[1], one[0].kind)):
        ignored = shape.ignored_paths(SETTINGS[source_of.get(module, module.partition("_")[0])].ignored)
        told = dict.fromkeys(shape.used, "used") | {path: f"ignored: {reason}" for path, reason in ignored.items()}
        text += [f"{module} {shape.kind}", *(f"  {path}: {verdict}" for path, verdict in sorted(told.items())), ""]
    golden("\n".join(text), FIXTURES / "fields.txt")


def test_a_field_that_changes_nothing_is_found(proven: Proof) -> None:
    idle = Shape("claim", ["claim_id", "idle"])
    (claim,) = (shape for shape in proven if shape.kind == "claim")
    assert claimed(idle) - proven[claim] == {"idle"}
