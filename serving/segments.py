"""Segments: conditions over tags, layers and numeric features, answered with bitmaps over a snapshot's people."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pyroaring import BitMap

from identity.business_time import day_start_ms, parse_day, parse_instant
from identity.errors import IdentityError
from serving.store import FeatureColumn, Snapshot

MAX_DEPTH = 8
MAX_CONDITIONS = 100
Bound = float | str
Name = Annotated[str, Field(min_length=1, max_length=120)]


class SegmentRefused(Exception):  # noqa: N818 - an answer, not a failure
    """A condition names what the snapshot does not have, or asks too much; says where and what is allowed."""

    def __init__(self, problem: str, *, allowed: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.allowed = allowed


class _Condition(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)


class TagIs(_Condition):
    """People who carry the tag: with that value, one of those values, or any."""

    tag: Name
    value: Name | None = None
    any_of: Annotated[list[Name] | None, Field(alias="in", min_length=1, max_length=100)] = None

    @model_validator(mode="after")
    def _one_form(self) -> TagIs:
        if self.value is not None and self.any_of is not None:
            raise ValueError("give `value` or `in`, not both")
        return self


class LayerIs(_Condition):
    """People who stand in the relation layer."""

    layer: Name


class FeatureIn(_Condition):
    """People whose feature lies in the range; times and dates may be written YYYY-MM-DD or RFC 3339."""

    feature: Name
    gt: Bound | None = None
    gte: Bound | None = None
    lt: Bound | None = None
    lte: Bound | None = None

    @model_validator(mode="after")
    def _bounded(self) -> FeatureIn:
        if all(bound is None for bound in (self.gt, self.gte, self.lt, self.lte)):
            raise ValueError("give at least one of gt, gte, lt, lte")
        return self


class AllOf(_Condition):
    """People who fit every condition."""

    all_of: Annotated[list[Condition], Field(alias="and", min_length=1, max_length=50)]


class AnyOf(_Condition):
    """People who fit at least one condition."""

    some_of: Annotated[list[Condition], Field(alias="or", min_length=1, max_length=50)]


class NoneOf(_Condition):
    """People who do not fit the condition."""

    none_of: Annotated[Condition, Field(alias="not")]


_FORMS = ("and", "or", "not", "tag", "layer", "feature")


def _form(value: Any) -> str | None:
    """Which form a condition has, by the word it starts with."""
    if isinstance(value, Mapping):
        return next((form for form in _FORMS if form in value), None)
    forms: dict[type, str] = {
        AllOf: "and",
        AnyOf: "or",
        NoneOf: "not",
        TagIs: "tag",
        LayerIs: "layer",
        FeatureIn: "feature",
    }
    return forms.get(type(value))


Condition = Annotated[
    Annotated[AllOf, Tag("and")]
    | Annotated[AnyOf, Tag("or")]
    | Annotated[NoneOf, Tag("not")]
    | Annotated[TagIs, Tag("tag")]
    | Annotated[LayerIs, Tag("layer")]
    | Annotated[FeatureIn, Tag("feature")],
    Discriminator(
        _form, custom_error_type="condition_form", custom_error_message=f"a condition has one of {', '.join(_FORMS)}"
    ),
]


class PreviewRequest(BaseModel):
    """A segment to count, with a sample of at most `sample` people."""

    model_config = ConfigDict(extra="forbid", strict=True)

    where: Condition
    sample: Annotated[int, Field(ge=0, le=20)] = 10


def people_of(condition: Condition, snapshot: Snapshot, within: BitMap) -> BitMap:
    """The people of `within` who fit the condition; SegmentRefused names what the snapshot does not have."""
    size, depth = _extent(condition)
    if size > MAX_CONDITIONS or depth > MAX_DEPTH:
        raise SegmentRefused(
            f"{size} conditions in {depth} levels", allowed=f"{MAX_CONDITIONS} conditions in {MAX_DEPTH} levels"
        )
    return _people(condition, snapshot, within)


def _people(condition: Condition, snapshot: Snapshot, within: BitMap) -> BitMap:
    match condition:
        case AllOf():
            for part in condition.all_of:
                within = _people(part, snapshot, within)
            return within
        case AnyOf():
            return BitMap.union(*(_people(part, snapshot, within) for part in condition.some_of))
        case NoneOf():
            return within - _people(condition.none_of, snapshot, within)
        case TagIs():
            return within & _tagged(condition, snapshot)
        case LayerIs():
            return within & _in_layer(condition, snapshot)
        case FeatureIn():
            return within & _in_range(condition, snapshot)


def _extent(condition: Condition) -> tuple[int, int]:
    """How many conditions there are and how deep they nest."""
    match condition:
        case AllOf():
            parts = [_extent(part) for part in condition.all_of]
        case AnyOf():
            parts = [_extent(part) for part in condition.some_of]
        case NoneOf():
            parts = [_extent(condition.none_of)]
        case _:
            return 1, 1
    return 1 + sum(size for size, _ in parts), 1 + max(depth for _, depth in parts)


def _tagged(condition: TagIs, snapshot: Snapshot) -> BitMap:
    values = snapshot.bitmaps("tag", condition.tag)
    if not values:
        raise SegmentRefused(f"there is no tag {condition.tag!r}", allowed="GET /v1/segments/vocabulary")
    if condition.value is not None:
        return values.get(condition.value, BitMap())
    wanted = condition.any_of if condition.any_of is not None else list(values)
    return BitMap.union(*(values.get(value, BitMap()) for value in wanted))


def _in_layer(condition: LayerIs, snapshot: Snapshot) -> BitMap:
    layers = snapshot.bitmaps("layer", "relation")
    if condition.layer not in layers:
        raise SegmentRefused(f"there is no layer {condition.layer!r}", allowed=", ".join(sorted(layers)))
    return layers[condition.layer]


def _in_range(condition: FeatureIn, snapshot: Snapshot) -> BitMap:
    column = snapshot.feature(condition.feature)
    if column is None:
        raise SegmentRefused(f"there is no feature {condition.feature!r}", allowed="GET /v1/segments/vocabulary")
    fits = ~np.isnan(column.numbers)
    with np.errstate(invalid="ignore"):
        for name, bound in condition.model_dump(include={"gt", "gte", "lt", "lte"}, exclude_none=True).items():
            fits &= _compared(column.numbers, name, _number(bound, column, condition.feature))
    return BitMap(array("I", np.flatnonzero(fits).astype(np.uint32).tobytes()))


def _compared(
    numbers: npt.NDArray[np.float64], name: Literal["gt", "gte", "lt", "lte"] | str, bound: float
) -> npt.NDArray[np.bool_]:
    if name == "gt":
        return numbers > bound
    if name == "gte":
        return numbers >= bound
    return numbers < bound if name == "lt" else numbers <= bound


def _number(bound: Bound, column: FeatureColumn, feature: str) -> float:
    """The bound as the feature's numbers are written: a day of a time is its first instant in Asia/Shanghai."""
    if not isinstance(bound, str):
        return bound
    try:
        if column.kind == "date":
            return float((parse_day(bound) - date(1970, 1, 1)).days)
        if column.kind == "time":
            return float(day_start_ms(bound) if len(bound) == 10 else parse_instant(bound, feature))
    except IdentityError as error:
        raise SegmentRefused(f"the bound of {feature} is no day or time", allowed="YYYY-MM-DD, RFC 3339") from error
    raise SegmentRefused(f"the bound of {feature} is a text", allowed=f"numbers for a feature of kind {column.kind}")


def spread_sample(people: BitMap, size: int) -> list[int]:
    """At most `size` people, evenly spread over the set, the same for the same set.

    >>> spread_sample(BitMap(range(0, 100, 10)), 3)
    [0, 30, 60]
    """
    taken = min(size, len(people))
    return [people[place * len(people) // taken] for place in range(taken)]
