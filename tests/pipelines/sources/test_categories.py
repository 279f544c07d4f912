"""Categories: the words of the value maps, and signals for what they do not name."""

from __future__ import annotations

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError, Settings
from pipelines.sources.categories import as_object, category, known_code

SETTINGS = Settings("wecom", value_maps={"gender": {"1": "male"}})


def test_a_known_category_is_its_word() -> None:
    parsed = Parsed()
    assert category(parsed, SETTINGS, "gender", 1, path="gender") == "male"
    assert parsed.unknown_values == []


def test_an_unknown_category_is_unknown_and_a_signal() -> None:
    parsed = Parsed()
    assert category(parsed, SETTINGS, "gender", "7", path="person.gender") == "unknown"
    assert parsed.unknown_values == [("person.gender", "7")]


def test_an_unknown_code_stays_as_it_is_and_is_a_signal() -> None:
    parsed = Parsed()
    assert known_code(parsed, SETTINGS, "gender", 7, path="gender") == "7"
    assert parsed.unknown_values == [("gender", "7")]


def test_what_is_not_set_is_none_and_no_signal() -> None:
    parsed = Parsed()
    assert category(parsed, SETTINGS, "gender", None, path="gender") is None
    assert known_code(parsed, SETTINGS, "gender", "", path="gender") is None
    assert parsed.unknown_values == []


def test_a_record_that_is_no_object_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_shape: contact"):
        as_object(["x"], "contact")
