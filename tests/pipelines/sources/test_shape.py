"""Known fields: used, ignored with a reason, or a signal."""

from __future__ import annotations

import pytest

from pipelines.sources.shape import Shape

SHAPE = Shape("order", ["id", "address.city", "lines[].sku", "lines[].info.state"])


def test_used_and_ignored_fields_are_no_signal() -> None:
    record = {"id": 1, "note": "x", "address": {"city": "a", "zip": "b"}, "lines": [{"sku": 1, "info": {"state": 2}}]}
    assert SHAPE.unknown(record, {"note": "free text", "address.zip": "finer than needed"}) == {}


def test_an_unknown_field_is_named_by_its_full_path_once() -> None:
    record = {"id": 1, "lines": [{"info": {"mood": 1}}, {"info": {"mood": 2}, "hue": 3}], "address": {"zip": 4}}
    assert SHAPE.unknown(record, {}) == {"lines[].info.mood": 1, "lines[].hue": 3, "address.zip": 4}


def test_an_ignored_object_hides_everything_below() -> None:
    assert Shape("order", ["id"]).unknown({"id": 1, "parcel": {"no": 1}}, {"parcel": "no customer fact"}) == {}


def test_a_reason_for_one_kind_is_none_for_another() -> None:
    ignored = {"order:note": "free text", "refund:note": "other", "any": "everywhere"}
    assert Shape("order", []).unknown({"note": 1, "any": 2}, ignored) == {}
    assert Shape("member", []).unknown({"note": 1, "any": 2}, ignored) == {"note": 1}


def test_other_settings_are_other_known_fields() -> None:
    shape = Shape("order", [])
    assert shape.unknown({"note": 1}, {"note": "free text"}) == {}
    assert shape.unknown({"note": 1}, {}) == {"note": 1}


def test_a_field_below_one_listed_as_a_whole_is_a_mistake_of_the_listing() -> None:
    with pytest.raises(ValueError, match=r"address\.city lies below address"):
        SHAPE.unknown({}, {"address": "personal"})


def test_a_list_where_an_object_was_expected_is_looked_into() -> None:
    assert SHAPE.unknown({"address": [{"zip": 1}], "lines": {"hue": 2}}, {}) == {"address[].zip": 1, "lines.hue": 2}


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_has_no_fields(value: object) -> None:
    assert SHAPE.unknown(value, {}) == {}
