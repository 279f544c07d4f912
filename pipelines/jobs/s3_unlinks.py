"""What unlinks finally withdraw, over chains of unlinks."""

from __future__ import annotations

from collections.abc import Iterable


def root_targets(unlinks: Iterable[tuple[str, ...]]) -> list[tuple[str, str, str]]:
    """(source, unlink, retracted row) with the row at the end of each chain of unlinks; circles lead nowhere.

    >>> root_targets([("s", "u1", "o"), ("s", "u2", "u1"), ("s", "a", "b"), ("s", "b", "a")])
    [('s', 'u1', 'o'), ('s', 'u2', 'o')]
    """
    rows = list(unlinks)
    retracts = {(source, name): target for source, name, target in rows}
    found = []
    for source, name, _ in rows:
        seen, here = {name}, retracts[source, name]
        while (source, here) in retracts and here not in seen:
            seen.add(here)
            here = retracts[source, here]
        if (source, here) not in retracts:
            found.append((source, name, here))
    return sorted(found)
