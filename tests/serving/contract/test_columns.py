from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyroaring import BitMap

from serving.contract.columns import BitmapBuilder, FeatureArrays, as_numbers, number_kind
from serving.contract.packing import unpack_numbers


def sets(builder: BitmapBuilder) -> dict[tuple[str, str, str], list[int]]:
    return {(kind, name, value): list(BitMap.deserialize(bits)) for kind, name, value, _, bits in builder.rows()}


def test_each_person_joins_the_bitmap_of_its_row() -> None:
    builder = BitmapBuilder()
    builder.add_column(
        "tag", names=pa.array(["a", "b", "a", "a"]), values=pa.array(["x", "x", "y", "x"]), people=[7, 1, 2, 3]
    )
    assert sets(builder) == {("tag", "a", "x"): [3, 7], ("tag", "a", "y"): [2], ("tag", "b", "x"): [1]}


def test_batches_add_up() -> None:
    builder = BitmapBuilder()
    for people in ([1, 2], [2, 9]):
        builder.add_column("tag", names=pa.array(["a", "a"]), values=pa.array(["x", "x"]), people=people)
    assert sets(builder) == {("tag", "a", "x"): [1, 2, 9]}


def test_a_bitmap_that_lost_everybody_is_left_out() -> None:
    builder = BitmapBuilder({("tag", "a", "x"): BitMap([1]), ("tag", "a", "y"): BitMap([1, 2])})
    builder.remove(BitMap([1]))
    assert sets(builder) == {("tag", "a", "y"): [2]}


def test_a_bitmap_says_how_many_people_it_holds() -> None:
    builder = BitmapBuilder()
    builder.add(("tag", "a", "x"), [5, 5, 6])
    assert builder.rows()[0][3] == 2


@pytest.mark.parametrize(
    ("values", "dtype", "kind", "number"),
    [
        ([3, None], pa.int64(), "int", 3.0),
        ([2.5, None], pa.float32(), "float", 2.5),
        ([Decimal("1.25"), None], pa.decimal128(9, 2), "float", 1.25),
        ([True, None], pa.bool_(), "bool", 1.0),
        ([dt.date(1970, 1, 11), None], pa.date32(), "date", 10.0),
        ([dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), None], pa.timestamp("us", tz="UTC"), "time", 1000.0),
    ],
    ids=["int", "float", "decimal", "bool", "date", "time"],
)
def test_numbers_of_every_kind_are_kept_and_nulls_are_nan(
    values: list[Any], dtype: pa.DataType, kind: str, number: float
) -> None:
    first, second = as_numbers(pa.array(values, dtype)).tolist()
    assert (number_kind(dtype), first, math.isnan(second)) == (kind, number, True)


@pytest.mark.parametrize("dtype", [pa.string(), pa.list_(pa.int64())])
def test_what_is_no_number_is_no_numeric_feature(dtype: pa.DataType) -> None:
    arrays = FeatureArrays(2)
    arrays.put("f", pa.nulls(1, dtype), people=[0])
    assert arrays.names == []


def test_a_feature_grows_with_the_people() -> None:
    arrays = FeatureArrays(3)
    arrays.keep("f", kind="int", numbers=np.array([1.0, 2.0]))
    arrays.clear([0])
    arrays.put("f", pa.array([9]), people=[2])
    (name, group, kind, numbers), *_ = arrays.rows(lambda name: f"group of {name}")
    assert (name, group, kind) == ("f", "group of f", "int")
    assert unpack_numbers(numbers)[1:].tolist() == [2.0, 9.0]
