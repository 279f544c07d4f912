"""Platform values: exact, tolerant in form, and refused where they cannot be read."""

from __future__ import annotations

import pytest

from pipelines.sources.base import RecordRefusedError
from pipelines.sources.fields import (
    business_date,
    epoch_s,
    fen_of_yuan,
    flag,
    identifier,
    integer,
    items,
    objects,
    rfc3339,
    text,
    top_time,
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [('"6986"', "6986"), (" a ", "a"), (True, "true"), ("", None), ("  ", None), ({}, None), ([1], None)],
)
def test_text_is_trimmed_and_unquoted(said: object, meant: str | None) -> None:
    assert text(said) == meant


@pytest.mark.parametrize("none", [0, "0", "", None, '"0"'])
def test_zero_and_empty_are_no_id(none: object) -> None:
    assert identifier(none) is None


def test_an_id_beyond_double_precision_keeps_its_digits() -> None:
    assert identifier(3660207428038974332) == "3660207428038974332"


@pytest.mark.parametrize("rounded", [3.6602074280389745e18, 1.0])
def test_an_id_that_was_a_fraction_is_refused(rounded: float) -> None:
    with pytest.raises(RecordRefusedError, match="rounded_id"):
        identifier(rounded)


@pytest.mark.parametrize("broken", ["12,3x", 1.5, {"a": 1}, [1], "1e3", "1.05", ".0"])
def test_what_is_no_whole_number_is_refused(broken: object) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: n"):
        integer(broken, "n")


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [
        ("188.00", 18800),
        ("0.05", 5),
        ("7", 700),
        ("7.5", 750),
        ("-0.10", -10),
        ("1,299.50", 129950),
        (19.99, 1999),
        ("", None),
    ],
)
def test_yuan_become_fen_exactly(yuan: object, fen: int | None) -> None:
    assert fen_of_yuan(yuan, "p") == fen


@pytest.mark.parametrize("broken", ["1.005", "12,3x", "NaN", "Infinity", "１.００x", "1.0.0"])
def test_an_amount_is_refused_and_never_rounded(broken: str) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: p"):
        fen_of_yuan(broken, "p")


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2025-01-01 11:02:10", 1735700530000),
        ("2025-01-01T00:00:00", 1735660800000),
        ("2024-02-29 23:59:59", 1709222399000),
        ("2025-01-01 11:02:10.0", 1735700530000),
        ("2025-01-01 11:02:10.123456", 1735700530123),
        ("", None),
        *((never, None) for never in ("0", "0000-00-00 00:00:00", "0000-00-00", "0001-01-01 00:00:00")),
    ],
)
def test_local_times_are_those_of_shanghai(said: str, moment: int | None) -> None:
    assert top_time(said, "t") == moment


@pytest.mark.parametrize(
    "broken",
    [
        "2025-02-29 00:00:00",
        "2025-01-01 24:00:00",
        "2025-01-01 00:60:00",
        "2025-01-01",
        "01/02/2025 00:00:00",
        "0000-01-00 00:00:00",
    ],
)
def test_a_local_time_that_does_not_exist_is_refused(broken: str) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: t"):
        top_time(broken, "t")


@pytest.mark.parametrize(("said", "moment"), [(0, None), ("0", None), (1735700530, 1735700530000)])
def test_zero_seconds_are_not_1970(said: object, moment: int | None) -> None:
    assert epoch_s(said, "t") == moment


def test_seconds_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(RecordRefusedError, match="outside 1970 to 9999"):
        epoch_s(1735700530000, "t")


def test_the_first_instant_of_a_language_is_no_time() -> None:
    assert rfc3339("0001-01-01T00:00:00Z", "t") is None


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="without offset"):
        rfc3339("2022-09-02T10:27:50", "t")


def test_the_business_day_turns_at_midnight_in_shanghai() -> None:
    assert [business_date(moment) for moment in (1735660799999, 1735660800000, None)] == [
        "2024-12-31",
        "2025-01-01",
        None,
    ]


def test_a_flag_is_read_from_text_and_number() -> None:
    assert [flag(said, "f") for said in ("true", 1, "0", False, "")] == [True, True, False, False, None]
    with pytest.raises(RecordRefusedError, match="bad_value: f"):
        flag("maybe", "f")


def test_a_single_object_is_a_list_of_one() -> None:
    assert list(items({"a": 1}, "l")) == [{"a": 1}]
    assert objects(None, "l") == []
    with pytest.raises(RecordRefusedError, match="bad_shape: l"):
        objects(["x"], "l")


@pytest.mark.parametrize(
    ("value", "listed"), [("a", ["a"]), (7, [7]), ('["a", 7]', ["a", 7]), ('{"a": 1}', [{"a": 1}])]
)
def test_a_single_value_is_a_list_of_one(value: object, listed: list[object]) -> None:
    assert list(items(value, "l")) == listed


@pytest.mark.parametrize("value", ["x", 7, True, ["x"], '["x"]'])
def test_what_is_no_object_is_no_list_of_objects(value: object) -> None:
    with pytest.raises(RecordRefusedError, match="bad_shape: l"):
        objects(value, "l")
