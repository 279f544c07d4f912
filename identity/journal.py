"""The journal: every row that was accepted, as it came, and every row that was refused whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from identity.errors import ObservationError
from identity.observation import NormalisedObservation, normalise_observation
from identity.policy import Policy

Record = tuple[str, str]


class Entry(NamedTuple):
    """An accepted row, the business day it arrived on and the run that took it in."""

    raw: Mapping[str, Any]
    interval: str
    run: int


class RowRejected(NamedTuple):
    """A row refused whole: it is no observation, or its id is taken by other content."""

    observation_id: str
    source: str
    rule: str
    run: int


class Journal:
    """Accepted rows in order of arrival; read again under any policy, because a reject list may change."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.rejected: dict[tuple[str, str, str], RowRejected] = {}
        self._contents: dict[Record, str] = {}
        self._read: dict[str, list[NormalisedObservation]] = {}

    def accept(self, rows: Iterable[Mapping[str, Any]], policy: Policy, *, interval: str, run: int) -> int:
        """The rows of a run are taken in; how many were new. The same content again is a duplicate."""
        read = self._read_so_far(policy)
        before = len(self.entries)
        for raw in rows:
            try:
                observation = normalise_observation(raw, policy, interval)
            except ObservationError as error:
                self._reject(_text(raw, "observation_id"), _text(raw, "source"), f"malformed_row:{error.field}", run)
                continue
            known = self._contents.get((observation.source, observation.observation_id))
            if known is None:
                self._contents[observation.source, observation.observation_id] = observation.content
                self.entries.append(Entry(dict(raw), interval, run))
                read.append(observation)
            elif known != observation.content:
                self._reject(observation.observation_id, observation.source, "other_content", run)
        return len(self.entries) - before

    def observations(
        self, policy: Policy, *, until_run: int | None = None, places: Iterable[int] | None = None
    ) -> list[NormalisedObservation]:
        """All accepted rows as the policy reads them; `until_run` leaves out what later runs took in, `places` what
        stands elsewhere in the order of arrival."""
        read = self._read_so_far(policy)
        if until_run is None and places is None:
            return list(read)
        wanted = range(len(read)) if places is None else places
        return [read[place] for place in wanted if until_run is None or self.entries[place].run <= until_run]

    def of_run(self, policy: Policy, run: int) -> list[NormalisedObservation]:
        """The rows one run took in."""
        read = self._read_so_far(policy)
        return [row for row, entry in zip(read, self.entries, strict=True) if entry.run == run]

    def _read_so_far(self, policy: Policy) -> list[NormalisedObservation]:
        read = self._read.setdefault(policy.digest(), [])
        for entry in self.entries[len(read) :]:
            read.append(normalise_observation(entry.raw, policy, entry.interval))
        return read

    def _reject(self, observation_id: str, source: str, rule: str, run: int) -> None:
        self.rejected.setdefault((observation_id, source, rule), RowRejected(observation_id, source, rule, run))


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key) if isinstance(raw, Mapping) else ""
    return value if isinstance(value, str) else ""
