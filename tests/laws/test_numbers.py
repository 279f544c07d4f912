"""No key takes a number for unique that is so only within a brand, shop, corp or mini-program."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.spec import Table
from pipelines.tables import ALL
from pipelines.tables.numbers import ALONE, NUMBERS


def faults(table: Table) -> list[str]:
    """Columns of the key that are not explained, and those whose key lacks what they count within."""
    found = [f"{table.full_name}: {name} is not explained" for name in table.key if name not in NUMBERS]
    for name in table.key:
        number = NUMBERS.get(name)
        lacking = [] if number is None else [one for one in number.within if one not in table.key]
        if lacking and (table.full_name, name) not in ALONE:
            found.append(f"{table.full_name}: {name} counts within {', '.join(lacking)}")
    return found


def test_every_key_holds_what_its_numbers_count_within() -> None:
    assert [fault for table in ALL.tables for fault in faults(table)] == []


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (("platform", "product_id", "sku_id"), "silver.products: product_id counts within product_scope"),
        (("corp_no",), "silver.products: corp_no is not explained"),
    ],
)
def test_a_key_that_takes_a_number_for_unique_is_told(key: tuple[str, ...], fault: str) -> None:
    assert faults(replace(ALL["silver.products"], key=key)) == [fault]


def test_nothing_is_explained_that_stands_in_no_key() -> None:
    used = {name for table in ALL.tables for name in table.key}
    assert sorted(set(NUMBERS) - used) == []
    assert [pair for pair in ALONE if pair[1] not in ALL[pair[0]].key] == []
