"""History: what each run answered, and all changes ever made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from identity.business_time import parse_day
from identity.decision import Decision
from identity.identifier import Identifier
from identity.policy import Policy


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its number, business day, and the policy and decisions it worked with."""

    number: int
    as_of: str
    policy: Policy
    decisions: tuple[Decision, ...]


class History:
    """The answers of all runs, kept as what changed from one to the next."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._answers: dict[Identifier, list[tuple[int, str]]] = {}

    def record(self, run: Run, before: Mapping[Identifier, str], after: Mapping[Identifier, str]) -> None:
        """What the run answers from now on, empty for an identifier that belongs to nobody."""
        self.runs.append(run)
        for identifier in before.keys() | after.keys():
            now = after.get(identifier, "")
            if before.get(identifier, "") != now:
                self._answers.setdefault(identifier, []).append((run.number, now))

    def run_of(self, day: str) -> Run | None:
        """The last run of a business day, else of the last day before it that had one; None before the first.

        Raises BusinessDateError."""
        parse_day(day)
        known = [run for run in self.runs if run.as_of <= day]
        return max(known, key=lambda run: (run.as_of, run.number), default=None)

    def answer(self, names: Iterable[Identifier], run: int) -> str:
        """The OneID a run answered for the first of the names it knew, empty when for none."""
        for name in names:
            answers = self._answers.get(name, [])
            place = bisect_right(answers, run, key=lambda answer: answer[0])
            if place and answers[place - 1][1]:
                return answers[place - 1][1]
        return ""

    def answers(self, run: int, identifiers: Iterable[Identifier]) -> dict[Identifier, str]:
        """What a run answered for each of the identifiers that had a OneID."""
        found = {identifier: self.answer((identifier,), run) for identifier in identifiers}
        return {identifier: one_id for identifier, one_id in found.items() if one_id}
