"""Whatever stands where something else is expected, a record becomes facts or is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.base import Context, FeedParser, Parsed, Record, RecordRefusedError
from tests.pipelines.sources.private_domain import SETTINGS, fixture, make_context, records
from tests.pipelines.sources.test_private_goldens import CASES

WHOLE = st.integers(-(2**63), 2**64 - 1)
"""What a JSON decoder gives as a whole number; longer ones come as fractions."""

ODD = st.one_of(
    st.none(),
    st.booleans(),
    WHOLE,
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "0", "-1", "null", '"6986"', "1e400", "13912345678", "２０２５", "\x00", "a\x1fb", "💐", " ", "9" * 30]
    ),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.just([[None]]),
    st.just({"value": {"deep": 1}}),
    st.lists(WHOLE, max_size=2),
)
JSON_CASES = [case for case in CASES if case[0].endswith(".json")]


def places(value: Any, keys: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The keys that lead to every value of a record, containers included."""
    found = [keys] if keys else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        found += places(below, (*keys, key))
    return found


def spoilt(value: Any, keys: tuple[str | int, ...], odd: Any) -> Any:
    copied = orjson.loads(orjson.dumps(value))
    holder = copied
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = odd
    return copied


def outcome(parser: FeedParser, value: Any, context: Context) -> Parsed | RecordRefusedError:
    try:
        return parser.parse(Record(value, context, SETTINGS[parser.source]))
    except RecordRefusedError as refusal:
        return refusal


@pytest.mark.parametrize(("name", "parser", "known"), JSON_CASES, ids=[case[0] for case in JSON_CASES])
@settings(max_examples=25)
@given(data=st.data())
def test_one_odd_value_anywhere_is_read_or_refused(
    name: str, parser: FeedParser, known: Mapping[str, Any], data: st.DataObject
) -> None:
    record = data.draw(st.sampled_from(records(parser, fixture(name), **known)))
    keys = data.draw(st.sampled_from(places(record.value)))
    told = outcome(parser, spoilt(record.value, keys, data.draw(ODD)), record.context)
    if isinstance(told, RecordRefusedError):
        assert told.reason.isidentifier()
        assert "13912345678" not in told.detail
    else:
        assert {table for table, _ in told.rows} <= set(parser.tables)


@pytest.mark.parametrize("parser", [case[1] for case in CASES], ids=[case[0] for case in CASES])
@pytest.mark.parametrize("value", [None, [], "", 7, "[object Object]", True])
def test_a_record_that_is_no_object_is_refused(parser: FeedParser, value: Any) -> None:
    assert isinstance(outcome(parser, value, make_context(parser.feed)), RecordRefusedError)


@pytest.mark.parametrize("parser", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_an_empty_object_is_refused(parser: FeedParser) -> None:
    assert isinstance(outcome(parser, {}, make_context(parser.feed)), RecordRefusedError)
