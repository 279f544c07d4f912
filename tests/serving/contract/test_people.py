from __future__ import annotations

import pyarrow as pa
import pytest

from serving.contract import people
from serving.contract.people import Numbering, number_people, read_registry
from serving.errors import InputsDisagreeError
from tests.serving.sample import ANNA, BOB, CROWD, GONE, RETIRED, VISITOR, sample_inputs


def test_the_living_are_active_people_and_visitors_in_order() -> None:
    living = [person.one_id for person in read_registry(sample_inputs()).living]
    assert living == sorted([ANNA, BOB, VISITOR, *CROWD])


def test_the_retired_lead_to_the_living_or_to_nothing() -> None:
    assert read_registry(sample_inputs()).retired == {RETIRED: ANNA, GONE: None}


def test_redirects_in_a_circle_end() -> None:
    rows = [("a", "b"), ("b", "a")]
    oneids = pa.table({"one_id": [a for a, _ in rows], "status": ["merged"] * 2, "merged_into": [b for _, b in rows]})
    assert set(read_registry(sample_inputs(oneids=oneids)).retired) == {"a", "b"}


@pytest.mark.parametrize("vector_from", [0, 10])
def test_numbers_are_the_same_row_by_row_and_all_at_once(monkeypatch: pytest.MonkeyPatch, vector_from: int) -> None:
    monkeypatch.setattr(people, "_VECTOR_FROM", vector_from)
    numbering = Numbering(number_people(["a", "b"], start=5))
    assert numbering.numbers_of(pa.array(["b", None, "x", "a"])).to_pylist() == [6, None, None, 5]
    assert numbering.length == 7


def test_a_stranger_is_counted_and_refused() -> None:
    with pytest.raises(InputsDisagreeError, match="tags names 2 OneIDs"):
        Numbering({"a": 0}).owners_of("tags", pa.array(["a", "x", None, "y"]))
