from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from serving.contract.inputs import read_columns
from serving.errors import InputRefusedError
from tests.serving.sample import sample_inputs


def consents(**columns: Any) -> list[dict[str, list[Any]]]:
    found = read_columns(sample_inputs(consents=pa.table(columns)), "consents")
    return [{name: column.to_pylist() for name, column in part.items()} for part in found]


PLAIN: dict[str, Any] = {"one_id": ["a"], "purpose": ["marketing"], "status": ["granted"]}


def test_a_missing_column_is_named_with_what_is_asked_for() -> None:
    with pytest.raises(
        InputRefusedError, match=r"column purpose, status is missing; received one_id .*stated_at \(time\)"
    ):
        consents(one_id=["a"])


def test_an_optional_column_reads_as_nulls() -> None:
    assert consents(**PLAIN)[0]["source"] == [None]


def test_a_column_that_is_not_declared_is_left_out() -> None:
    assert "more" not in consents(**PLAIN, more=[1])[0]


def test_a_time_of_any_unit_reads_as_epoch_ms() -> None:
    microseconds = pa.array([1_740_758_400_123_456], pa.timestamp("us", tz="UTC"))
    assert consents(**PLAIN, stated_at=microseconds)[0]["stated_at"] == [1_740_758_400_123]


def test_a_dictionary_column_reads_as_its_values() -> None:
    encoded = pa.array(["granted"]).dictionary_encode()
    assert consents(**{**PLAIN, "status": encoded})[0]["status"] == ["granted"]


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(InputRefusedError, match="column conflict of type string does not read as flag"):
        consents(**PLAIN, conflict=["maybe"])


def test_an_empty_batch_gives_no_columns() -> None:
    assert consents(**{name: pa.array([], pa.string()) for name in PLAIN}) == []
