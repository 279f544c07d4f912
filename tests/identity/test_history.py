from __future__ import annotations

from identity.history import History, Run
from identity.identifier import Identifier
from identity.policy import Policy

A, B, C = (Identifier("n", "", name) for name in "abc")


def history(policy: Policy) -> History:
    found = History()
    found.record(Run(1, "2025-03-01", policy, ()), {}, {A: "1", B: "2"})
    found.record(Run(2, "2025-03-04", policy, ()), {A: "1", B: "2"}, {A: "1", B: "1"})
    found.record(Run(3, "2025-03-04", policy, ()), {A: "1", B: "1"}, {B: "1", C: "3"})
    return found


def test_each_run_answers_what_it_knew(shipped: Policy) -> None:
    found = history(shipped)
    assert [found.answer((B,), run) for run in (0, 1, 2, 3)] == ["", "2", "1", "1"]
    assert [found.answer((A,), run) for run in (1, 2, 3)] == ["1", "1", ""]
    assert found.answers(2, (A, B, C)) == {A: "1", B: "1"}
    assert found.answers(3, (A, B, C)) == {B: "1", C: "3"}


def test_the_first_known_name_answers(shipped: Policy) -> None:
    assert history(shipped).answer((C, B), 1) == "2"


def test_a_day_is_answered_by_its_last_run_else_by_the_day_before(shipped: Policy) -> None:
    found = history(shipped)
    days = {day: found.run_of(day) for day in ("2025-02-28", "2025-03-01", "2025-03-03", "2025-03-04", "2026-01-01")}
    assert [run.number if run else None for run in days.values()] == [None, 1, 1, 3, 3]
