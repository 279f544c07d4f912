"""Evidence: what observations state, repeated rows gathered into one record, and which identifiers hang together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from identity.identifier import Identifier
from identity.observation import Kind, NormalisedObservation, StatedId

Pair = tuple[Identifier, Identifier]


class Sighting(NamedTuple):
    """One row that stated the evidence: when it happened (UTC epoch ms), its id, the business day it arrived."""

    event_ms: int
    observation_id: str
    interval: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One statement of one source with every row that made it.

    `ids` keep the order of the row (a `replace` reads it); `valid_to`: UTC epoch ms at which its links end; `rule`
    names the rule that derived the statement, empty for what a source stated itself.
    """

    source: str
    kind: Kind
    ids: tuple[StatedId, ...]
    sightings: tuple[Sighting, ...]
    retracts: str = ""
    valid_to: int | None = None
    rule: str = ""


class Row(NamedTuple):
    """One sighting of one statement. `linking`: the distinct identifiers it links, in the order of the row."""

    event_ms: int
    source: str
    observation_id: str
    kind: Kind
    ids: tuple[StatedId, ...]
    linking: tuple[Identifier, ...]
    retracts: str
    valid_to: int | None
    rule: str

    @property
    def record(self) -> tuple[str, str]:
        """What identifies the row: its source and its id there."""
        return self.source, self.observation_id


def gather_evidence(observations: Iterable[NormalisedObservation]) -> list[Evidence]:
    """Rows that state the same are one record with several sightings; the order of the rows does not matter."""
    found: dict[tuple[object, ...], list[Sighting]] = {}
    for row in observations:
        ids = row.ids if row.kind == "replace" else tuple(sorted(row.ids))
        signature = (row.source, row.kind, ids, row.retracts, row.valid_to_ms)
        found.setdefault(signature, []).append(Sighting(row.event_ms, row.observation_id, row.interval))
    gathered = [
        Evidence(source, kind, ids, tuple(sorted(sightings)), retracts, valid_to)  # type: ignore[arg-type]  # typed tuple key
        for (source, kind, ids, retracts, valid_to), sightings in found.items()
    ]
    return sorted(gathered, key=lambda one: (one.source, one.sightings[0], one.kind))


def expand(evidence: Iterable[Evidence]) -> list[Row]:
    """Every sighting as a row, in order of time, source and id."""
    rows = []
    for one in evidence:
        linking = tuple(dict.fromkeys(stated.identifier for stated in one.ids if stated.linking))
        said = (one.kind, one.ids, linking, one.retracts, one.valid_to, one.rule)
        rows += [Row(seen.event_ms, one.source, seen.observation_id, *said) for seen in one.sightings]
    return sorted(rows, key=lambda row: (row.event_ms, row.source, row.observation_id, row.rule, row.kind))


def raw_pairs(evidence: Iterable[Evidence], *, candidates: bool = False) -> list[Pair]:
    """The pairs that tie identifiers to one group: whoever is reachable over them must be resolved together.

    All pairs ever stated, also suspended and withdrawn ones, each row as a star; decisions add theirs
    (`Decision.pairs`). Candidates tie nothing unless `candidates` is on, which the inference of recipients needs.
    An unlink has no pairs of its own: it belongs to the group of the observation it withdraws.
    """
    return sorted(set(_stars(evidence, candidates=candidates)))


def _stars(evidence: Iterable[Evidence], *, candidates: bool) -> Iterator[Pair]:
    for one in evidence:
        if one.kind == "unlink":
            continue
        every = candidates or one.kind in ("unbind", "replace")
        tied = sorted({stated.identifier for stated in one.ids if every or stated.linking})
        yield from ((tied[0], other) for other in tied[1:])


def rename(evidence: Sequence[Evidence], names: Mapping[Identifier, Identifier]) -> list[Evidence]:
    """The evidence with hashed forms of a known number under that number: one node, whatever form it was seen in."""
    return [_renamed(one, names) if any(s.identifier in names for s in one.ids) else one for one in evidence]


def _renamed(one: Evidence, names: Mapping[Identifier, Identifier]) -> Evidence:
    ids = tuple(dict.fromkeys(s._replace(identifier=names.get(s.identifier, s.identifier)) for s in one.ids))
    return Evidence(one.source, one.kind, ids, one.sightings, one.retracts, one.valid_to, one.rule)
