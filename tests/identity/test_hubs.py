from __future__ import annotations

import pytest

from identity.business_time import DAY_MS
from identity.hubs import partner_count
from identity.identifier import Identifier
from identity.policy import HubLimits


def met(*contacts: tuple[int, str]) -> list[tuple[int, Identifier]]:
    """(day, namespace and value in one letter each)."""
    return [(at * DAY_MS, Identifier(name[0], "", name[1:])) for at, name in contacts]


@pytest.mark.parametrize(
    ("contacts", "count"),
    [
        ([(0, "a1"), (0, "a2")], 0),
        ([(0, "a1"), (1, "a2"), (2, "a3")], 3),
        ([(0, "a1"), (1, "a1"), (2, "a1")], 0),
        ([(0, "a1"), (1, "a2"), (11, "a3")], 0),
        ([(0, "a1"), (1, "a2"), (10, "a3")], 3),
        ([(0, "a1"), (9, "a2"), (18, "a1"), (19, "a3")], 3),
        ([(0, "a1"), (0, "b1"), (0, "c1")], 0),
        ([(0, "a1"), (0, "b1"), (0, "c1"), (0, "d1")], 4),
    ],
)
def test_partners_are_counted_per_namespace_and_in_all_inside_a_window(
    contacts: list[tuple[int, str]], count: int
) -> None:
    assert partner_count(met(*contacts), HubLimits(max_accounts=2, max_total=3, window_days=10)) == count
    assert partner_count(met(*contacts[::-1]), HubLimits(max_accounts=2, max_total=3, window_days=10)) == count
