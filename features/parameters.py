"""Thresholds of features and tags: `conf/features/*.yaml`, one file per theme, with the shipped values as defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class ParameterError(ValueError):
    """A key or value of `conf/features` cannot be used; the message says what was found and what is allowed."""


@dataclass(frozen=True)
class Band:
    """Values below `below` (and not below the band before) belong to it; the last band has no upper bound."""

    name: str
    label: str
    below: int | None = None


def checked_bands(where: str, bands: tuple[Band, ...]) -> tuple[Band, ...]:
    """The bands themselves; bounds must rise, and only the last one is open."""
    bounds = [band.below for band in bands[:-1]]
    closed = [bound for bound in bounds if bound is not None]
    if not bands or bands[-1].below is not None or len(closed) != len(bounds) or closed != sorted(set(closed)):
        raise ParameterError(
            f"{where}: bands need rising 'below' bounds in all but the last band, found {[b.below for b in bands]}"
        )
    return bands


@dataclass(frozen=True)
class Orders:
    """Which orders count, and how amounts fall into bands (fen)."""

    include_internal: bool = False
    price_band: tuple[Band, ...] = (
        Band("low", "低客单", 10_000),
        Band("middle", "中客单", 30_000),
        Band("high", "高客单", 80_000),
        Band("top", "超高客单"),
    )
    spending_level: tuple[Band, ...] = (
        Band("light", "轻度消费", 50_000),
        Band("medium", "中度消费", 200_000),
        Band("heavy", "重度消费", 1_000_000),
        Band("top", "顶级消费"),
    )
    refund_prone_percent: int = 50
    refund_prone_orders: int = 3

    def __post_init__(self) -> None:
        checked_bands("orders.price_band", self.price_band)
        checked_bands("orders.spending_level", self.spending_level)


@dataclass(frozen=True)
class Rfm:
    """Bounds of the scores 1 to 5: days since the last purchase, kept orders, net revenue in fen.

    A score is high from `high_from` on.
    """

    recency_days: tuple[int, ...] = (30, 60, 90, 180)
    frequency: tuple[int, ...] = (2, 3, 5, 8)
    monetary_fen: tuple[int, ...] = (10_000, 30_000, 80_000, 200_000)
    high_from: int = 3

    def __post_init__(self) -> None:
        for name in ("recency_days", "frequency", "monetary_fen"):
            bounds = getattr(self, name)
            if len(bounds) != 4 or list(bounds) != sorted(set(bounds)):
                raise ParameterError(f"rfm.{name}: needs four rising bounds for five scores, found {list(bounds)}")
        if not 2 <= self.high_from <= 5:
            raise ParameterError(f"rfm.high_from: needs a score from 2 to 5, found {self.high_from}")


@dataclass(frozen=True)
class Lifecycle:
    """Days and orders that tell new, growing, mature, dormant and lost buyers apart."""

    new_days: int = 30
    mature_orders: int = 4
    dormant_days: int = 90
    lost_days: int = 365

    def __post_init__(self) -> None:
        if not 0 < self.new_days <= self.dormant_days < self.lost_days:
            raise ParameterError(
                "lifecycle: needs 0 < new_days <= dormant_days < lost_days, "
                f"found {self.new_days}, {self.dormant_days}, {self.lost_days}"
            )


@dataclass(frozen=True)
class Sessions:
    """How long nothing may happen within one session in a mini-program."""

    idle_minutes: int = 30

    def __post_init__(self) -> None:
        if not 1 <= self.idle_minutes <= 1440:
            raise ParameterError(f"sessions.idle_minutes: needs 1 to 1440 minutes, found {self.idle_minutes}")


@dataclass(frozen=True)
class Parameters:
    """All thresholds; the shipped values where a file or key is missing."""

    orders: Orders = field(default_factory=Orders)
    rfm: Rfm = field(default_factory=Rfm)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    sessions: Sessions = field(default_factory=Sessions)

    @classmethod
    def load(cls, directory: Path) -> Parameters:
        """The thresholds of all `<theme>.yaml` in a directory; ParameterError names the file and key it cannot use."""
        themes: dict[str, Any] = {}
        for path in sorted(directory.glob("*.yaml")):
            themes[path.stem] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        return cls.from_dict(themes)

    @classmethod
    def from_dict(cls, themes: Mapping[str, Any]) -> Parameters:
        """The thresholds of plain data, theme by theme; a missing key takes the shipped value."""
        types = {"orders": Orders, "rfm": Rfm, "lifecycle": Lifecycle, "sessions": Sessions}
        unknown = sorted(set(themes) - set(types))
        if unknown:
            raise ParameterError(f"conf/features: unknown theme {unknown[0]!r}; allowed are {', '.join(sorted(types))}")
        return cls(**{name: _theme(kind, name, themes[name]) for name, kind in types.items() if name in themes})


def _theme(kind: type[Any], name: str, values: Any) -> Any:
    allowed = {item.name: item for item in dataclasses.fields(kind)}
    if not isinstance(values, Mapping):
        raise ParameterError(f"conf/features/{name}.yaml: expected keys and values, found {type(values).__name__}")
    unknown = sorted(str(key) for key in values if key not in allowed)
    if unknown:
        raise ParameterError(
            f"conf/features/{name}.yaml: unknown key {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}"
        )
    shipped = kind()
    return kind(**{key: _like(f"{name}.{key}", getattr(shipped, key), value) for key, value in values.items()})


def _like(where: str, shipped: Any, value: Any) -> Any:
    if isinstance(shipped, tuple):
        if not isinstance(value, list) or not value:
            raise ParameterError(f"{where}: expected a list, found {type(value).__name__}")
        return tuple(_like(f"{where}[{index}]", shipped[0], item) for index, item in enumerate(value))
    if isinstance(shipped, Band):
        return _band(where, value)
    if type(value) is not type(shipped):
        raise ParameterError(f"{where}: expected {type(shipped).__name__}, found {type(value).__name__}")
    return value


def _band(where: str, value: Any) -> Band:
    if not isinstance(value, Mapping) or not {"name", "label"} <= set(value) <= {"name", "label", "below"}:
        raise ParameterError(f"{where}: a band has name, label and (but for the last) below")
    below = value.get("below")
    if below is not None and type(below) is not int:
        raise ParameterError(f"{where}.below: expected a whole number, found {type(below).__name__}")
    return Band(str(value["name"]), str(value["label"]), below)


SHIPPED = Parameters()
"""The shipped thresholds, equal to the files in `conf/features`."""
