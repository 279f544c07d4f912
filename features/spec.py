"""What a feature and a tag are: declarations without behaviour, read by the engine, the tables and the documents.

A feature is one line in a theme module (`features/orders.py`, `features/relations.py`, ...): name, type, meaning, the
fact frame it is made from and a SQL aggregate over it. The engine turns all features of one fact frame into one
groupBy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

NAME = re.compile(r"^[a-z][a-z0-9_]*$")


class DeclarationError(ValueError):
    """A declaration contradicts another or itself; the message names both sides and what is allowed."""


def _checked_name(kind: str, name: str) -> None:
    if not NAME.match(name):
        raise DeclarationError(
            f"{kind} {name!r}: a name has lower-case letters, digits and underscores, like net_revenue_fen"
        )


@dataclass(frozen=True)
class Fact:
    """A frame of facts that already know their OneID; `columns`: name -> what it holds, the words features speak in."""

    name: str
    doc: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Feature:
    """One column of `features.customer_features`, aggregated over one fact frame.

    `sql` is a Spark SQL aggregate over the fact's columns; `default` is what people without such facts get.
    """

    name: str
    type: str
    doc: str
    fact: str
    sql: str
    default: str | None = None

    def __post_init__(self) -> None:
        _checked_name("feature", self.name)


@dataclass(frozen=True)
class Favourite:
    """The value of `by` that carries the greatest `weight` (a SQL aggregate) for a person; equal ones: the smallest."""

    name: str
    type: str
    doc: str
    fact: str
    by: str
    weight: str

    def __post_init__(self) -> None:
        _checked_name("favourite", self.name)


@dataclass(frozen=True)
class Derived:
    """One column computed from other features of the same person, in declared order."""

    name: str
    type: str
    doc: str
    sql: str

    def __post_init__(self) -> None:
        _checked_name("derived feature", self.name)


@dataclass(frozen=True)
class Theme:
    """The facts and features of one theme, the content of one module."""

    name: str
    facts: tuple[Fact, ...] = ()
    features: tuple[Feature | Favourite, ...] = ()
    derived: tuple[Derived, ...] = ()


@dataclass(frozen=True)
class Tag:
    """One tag: a SQL value over a person's features (null: the tag is not set) and why it is set.

    `reason` is a text with `{feature}` places, `{feature:yuan}` for an amount in fen; it holds absolute dates and
    figures only, so it changes when facts change and not every morning. `labels` name the values for people; a value
    without a label is shown as it is. `timed`: the value also depends on the business day (`as_of`). `profiling`: a
    person who refused profiling does not get it.
    """

    name: str
    label: str
    doc: str
    value: str
    reason: str
    labels: Mapping[str, str] = field(default_factory=dict)
    timed: bool = False
    profiling: bool = True

    def __post_init__(self) -> None:
        _checked_name("tag", self.name)
        if not self.reason.strip():
            raise DeclarationError(f"tag {self.name!r} has no reason; every tag says why, with figures")
        if self.timed != ("as_of" in re.findall(r"[a-z_]+", self.value)):
            raise DeclarationError(
                f"tag {self.name!r}: timed={self.timed} but its value {'does not use' if self.timed else 'uses'} as_of"
            )


@dataclass(frozen=True)
class Catalog:
    """All themes as one checked whole: names are unique and every feature names a declared fact."""

    themes: tuple[Theme, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        facts = {fact.name for fact in self.facts}
        for theme in self.themes:
            for feature in (*theme.features, *theme.derived):
                if feature.name in seen:
                    raise DeclarationError(
                        f"feature {feature.name!r} is declared in {seen[feature.name]!r} and in {theme.name!r}"
                    )
                seen[feature.name] = theme.name
            for feature in theme.features:
                if feature.fact not in facts:
                    raise DeclarationError(
                        f"feature {feature.name!r} names fact {feature.fact!r}; declared are {', '.join(sorted(facts))}"
                    )

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All fact frames in declared order."""
        return tuple(fact for theme in self.themes for fact in theme.facts)

    @property
    def aggregates(self) -> tuple[Feature, ...]:
        """All features that are plain aggregates."""
        return tuple(item for theme in self.themes for item in theme.features if isinstance(item, Feature))

    @property
    def favourites(self) -> tuple[Favourite, ...]:
        """All features that are a person's heaviest value."""
        return tuple(item for theme in self.themes for item in theme.features if isinstance(item, Favourite))

    @property
    def derived(self) -> tuple[Derived, ...]:
        """All features computed from other features, in declared order."""
        return tuple(item for theme in self.themes for item in theme.derived)

    @property
    def columns(self) -> tuple[Feature | Favourite | Derived, ...]:
        """All features in the order of the table's columns: theme by theme, derived ones last in each."""
        return tuple(item for theme in self.themes for item in (*theme.features, *theme.derived))
