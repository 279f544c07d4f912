"""Thresholds: read from files, checked, shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.parameters import SHIPPED, ParameterError, Parameters

CONF = Path(__file__).resolve().parents[2] / "conf" / "features"


def test_the_shipped_files_hold_the_shipped_values() -> None:
    assert Parameters.load(CONF) == SHIPPED


def test_a_missing_folder_gives_the_shipped_values(tmp_path: Path) -> None:
    assert Parameters.load(tmp_path / "nothing") == SHIPPED


def test_a_missing_key_takes_the_shipped_value() -> None:
    changed = Parameters.from_dict({"rfm": {"high_from": 4}})
    assert (changed.rfm.high_from, changed.rfm.frequency) == (4, SHIPPED.rfm.frequency)


def test_bands_are_read_from_their_parts() -> None:
    bands = [{"name": "a", "label": "甲", "below": 5}, {"name": "b", "label": "乙"}]
    assert [band.name for band in Parameters.from_dict({"orders": {"price_band": bands}}).orders.price_band] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("themes", "message"),
    [
        ({"colours": {}}, "unknown theme 'colours'; allowed are lifecycle, orders, rfm"),
        ({"rfm": {"speed": 1}}, "unknown key 'speed'; allowed are frequency"),
        ({"rfm": []}, "expected keys and values, found list"),
        ({"rfm": {"high_from": "3"}}, "rfm.high_from: expected int, found str"),
        ({"rfm": {"high_from": 9}}, "needs a score from 2 to 5, found 9"),
        ({"rfm": {"frequency": [2, 2, 3, 4]}}, "rfm.frequency: needs four rising bounds"),
        ({"rfm": {"frequency": 3}}, "rfm.frequency: expected a list, found int"),
        ({"lifecycle": {"lost_days": 10}}, "needs 0 < new_days <= dormant_days < lost_days, found 30, 90, 10"),
        ({"orders": {"price_band": [{"name": "a"}]}}, "a band has name, label"),
        ({"orders": {"price_band": [{"name": "a", "label": "x", "below": "9"}]}}, "expected a whole number, found str"),
        ({"orders": {"price_band": [{"name": "a", "label": "x", "below": 9}]}}, "need rising 'below' bounds"),
        ({"orders": {"include_internal": 1}}, "orders.include_internal: expected bool, found int"),
    ],
)
def test_what_cannot_be_used_is_named(themes: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Parameters.from_dict(themes)
