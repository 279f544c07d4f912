"""Settings no world can be made from are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.simulate import Dirt, SimulationConfig, SimulationRefusedError


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("people", 0, "1 to 50000000"),
        ("days", 0, "1 to 3660"),
        ("shards", 65, "1 to 64"),
        ("page_size", 101, "1 to 100"),
        ("avg_orders_per_person", -1, "0 to 1000"),
        ("seed", -1, "0 to"),
        ("start", "2025-13-01", "a date written YYYY-MM-DD"),
    ],
)
def test_a_setting_out_of_range_is_named(setting: str, value: Any, allowed: str) -> None:
    with pytest.raises(SimulationRefusedError, match=f"{setting}: received {value!r}, allowed {allowed}"):
        SimulationConfig(**{setting: value})


def test_a_share_above_one_is_named() -> None:
    with pytest.raises(SimulationRefusedError, match=r"dirt.gifts: received 1.5, allowed 0 to 1"):
        Dirt(gifts=1.5)


def test_people_are_dealt_into_cells_without_loss() -> None:
    config = SimulationConfig(people=1_234)
    dealt = [number for cell in range(config.cells) for number in config.people_of(cell)]
    assert dealt == list(range(1_234))


def test_the_default_world_has_the_promised_ratios() -> None:
    config = SimulationConfig()
    assert (config.avg_orders_per_person, config.avg_events_per_person) == (5.0, 20.0)
