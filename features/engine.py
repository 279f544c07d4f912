"""Declared features computed: one groupBy per fact frame, joined to the people; frames in, frame out, no session.

Every function takes frames that already know their OneID (`one_id`) and works the same on all people or on a few: the
caller restricts the facts to the people it wants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from features.spec import Catalog, DeclarationError, Derived, Favourite

_WORD = re.compile(r"[a-z_][a-z0-9_]*")

Hold = Callable[[DataFrame], DataFrame]
"""Keeps a frame in memory and gives it back, so that one long plan falls into short ones."""


def build_features(
    people: DataFrame,
    facts: Mapping[str, DataFrame],
    catalog: Catalog,
    *,
    definition: str,
    hold: Hold = lambda frame: frame,
) -> DataFrame:
    """One row per person with every declared feature.

    `people`: `one_id`, `is_visitor`. `facts`: by fact name, each with `one_id` and the fact's declared columns; facts
    of other people are ignored. Result: `one_id`, `is_visitor`, the features in declared order, `definition`.
    DeclarationError names a fact that was not handed over.
    """
    missing = sorted({fact.name for fact in catalog.facts} - set(facts))
    if missing:
        raise DeclarationError(
            f"features need the fact frames {', '.join(missing)}; handed over were {', '.join(sorted(facts))}"
        )
    joined = people
    for fact in catalog.facts:
        for part in _aggregated(facts[fact.name], fact.name, catalog):
            joined = joined.join(hold(part), "one_id", "left")
    return _finished(joined, catalog, definition)


def _aggregated(fact: DataFrame, name: str, catalog: Catalog) -> list[DataFrame]:
    columns = [fn.expr(feature.sql).alias(feature.name) for feature in catalog.aggregates if feature.fact == name]
    parts = [fact.groupBy("one_id").agg(*columns)] if columns else []
    return parts + [_favourite(fact, item) for item in catalog.favourites if item.fact == name]


def _favourite(fact: DataFrame, favourite: Favourite) -> DataFrame:
    """The heaviest value of each person; among equals the smallest value, so that the result never depends on order."""
    weighed = (
        fact.select("*", fn.expr(favourite.by).alias("_value"))
        .where("_value IS NOT NULL")
        .groupBy("one_id", "_value")
        .agg(fn.expr(favourite.weight).alias("_weight"))
        .where("_weight > 0")
    )
    return weighed.groupBy("one_id").agg(fn.expr("min_by(_value, struct(-_weight, _value))").alias(favourite.name))


def _finished(joined: DataFrame, catalog: Catalog, definition: str) -> DataFrame:
    plain: list[Column] = [fn.col("one_id"), fn.col("is_visitor")]
    for feature in catalog.aggregates:
        value = feature.name if feature.default is None else f"coalesce({feature.name}, {feature.default})"
        plain.append(fn.expr(f"CAST({value} AS {feature.type})").alias(feature.name))
    plain.extend(fn.col(favourite.name) for favourite in catalog.favourites)
    ordered = [item.name for item in catalog.columns]
    whole = joined.select(*plain)
    for step in _steps(catalog.derived):
        whole = whole.select("*", *(fn.expr(f"CAST({item.sql} AS {item.type})").alias(item.name) for item in step))
    return whole.select("one_id", "is_visitor", *ordered, fn.lit(definition).alias("definition"))


def _steps(derived: Sequence[Derived]) -> list[list[Derived]]:
    """The derived features in as few steps as can be, each from features of earlier steps only."""
    steps: list[list[Derived]] = []
    place: dict[str, int] = {}
    for item in derived:
        words = set(_WORD.findall(item.sql))
        at = max((place[name] + 1 for name in words & place.keys()), default=0)
        place[item.name] = at
        if at == len(steps):
            steps.append([])
        steps[at].append(item)
    return steps
