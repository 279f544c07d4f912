"""The same record in the other forms that platforms send: numbers as texts, quoted, nulls for absent fields, objects as
JSON text, single elements for lists. What it says stays the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from pipelines.sources.base import FeedParser, Record
from tests.pipelines.sources import test_private_goldens, test_public_goldens
from tests.pipelines.sources.private_domain import fixture, records, said
from tests.pipelines.sources.public_domain import PUBLIC
from tests.pipelines.sources.test_private_dirt import places

CASES: tuple[tuple[str, FeedParser, Mapping[str, Any]], ...] = (
    *(case for case in test_private_goldens.CASES if case[0].endswith(".json")),
    *((f"{name}.json", parser, {**PUBLIC, "method": method}) for name, parser, method in test_public_goldens.CASES),
)
FREE = {"properties"}
"""Free properties keep the form that their sender chose."""

DEEP = {"content", "extend", "data", "after_sale_info", "post_addr", "orders", "external_contact", "phone_info"}
"""Objects that come as JSON text in one place or another."""

each = pytest.mark.parametrize(("name", "parser", "known"), CASES, ids=[case[0] for case in CASES])


def of(name: str, parser: FeedParser, known: Mapping[str, Any]) -> list[Record]:
    return records(parser, fixture(name), **known)


def rewritten(value: Any, change: Callable[[Any], Any]) -> Any:
    """The record with every scalar changed, free properties left alone."""
    if isinstance(value, dict):
        return {key: inner if key in FREE else rewritten(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [rewritten(inner, change) for inner in value]
    return change(value)


def as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


def as_quoted(value: Any) -> Any:
    return f'"{value}"' if type(value) is int else value


def as_number(value: Any) -> Any:
    whole = isinstance(value, str) and value.isascii() and value.isdigit() and value[0] != "0"
    return int(value) if whole and len(value) < 19 else value


def as_word(value: Any) -> Any:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


@each
@pytest.mark.parametrize("change", [as_text, as_quoted, as_number, as_word])
def test_numbers_and_texts_say_the_same(
    name: str, parser: FeedParser, known: Mapping[str, Any], change: Callable[[Any], Any]
) -> None:
    for record in of(name, parser, known):
        other = rewritten(record.value, change)
        assert said(parser, other, record.context) == said(parser, record.value, record.context)


def outcomes(parser: FeedParser, record: Record, keys: tuple[str | int, ...]) -> tuple[Any, Any, Any]:
    """What the record says with a field null, empty and absent; a refusal counts as one whatever its rule."""
    value = orjson.loads(orjson.dumps(record.value))
    holder = value
    for key in keys[:-1]:
        holder = holder[key]
    told = []
    for other in (None, "", ...):
        if other is ...:
            del holder[keys[-1]]
        else:
            holder[keys[-1]] = other
        answer = said(parser, value, record.context)
        told.append("refused" if answer[0] == "refused" else answer[:3])
    return told[0], told[1], told[2]


@each
def test_a_null_or_empty_field_is_an_absent_one(name: str, parser: FeedParser, known: Mapping[str, Any]) -> None:
    for record in of(name, parser, known):
        for keys in places(record.value):
            if isinstance(keys[-1], str) and not FREE & set(keys[:-1]) and keys[-1] not in ("data", "props"):
                null, empty, absent = outcomes(parser, record, keys)
                assert null == absent, keys
                assert empty == absent, keys


@each
def test_an_object_may_come_as_json_text(name: str, parser: FeedParser, known: Mapping[str, Any]) -> None:
    for record in of(name, parser, known):
        before = said(parser, record.value, record.context)
        for keys in places(record.value):
            if keys[-1] in DEEP and len(keys) == 1 and isinstance(record.value[keys[0]], dict):
                other = {**record.value, keys[0]: orjson.dumps(record.value[keys[0]]).decode()}
                assert said(parser, other, record.context) == before, keys


@each
def test_a_list_of_one_may_come_as_its_element(name: str, parser: FeedParser, known: Mapping[str, Any]) -> None:
    for record in of(name, parser, known):
        before = said(parser, record.value, record.context)
        for key, inner in record.value.items() if isinstance(record.value, dict) else ():
            if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], dict):
                assert said(parser, {**record.value, key: inner[0]}, record.context) == before, key
