"""Who somebody is, why, and since when: questions to the lake's identity tables, answered without a JVM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import networkx as nx

from identity.business_time import day_end_ms, parse_day
from identity.decision import Decision
from identity.explain import Explainer
from identity.identifier import Identifier, key64
from identity.lookup import KnownToday, holder_at
from identity.resolution import NOBODY, Resolution
from pipelines.errors import CdpError, ConfigurationError, ExitCode
from pipelines.group_evidence import GroupEvidence, LakeReader, read_groups
from pipelines.jobs.s3_marker import RUN, VERSION
from pipelines.refused import refused_links, shared_refusals
from pipelines.store.versions import UnreadableError, dataset, rows_of

Answer = dict[str, Any]
MAP = "identity.oneid_map"
UNKNOWN: Answer = {"one_id": None, "status": "unknown", "candidates": []}


class Lookup:
    """Answers from one lake. `decisions`: all of them; `as_of`: business day of the last stitch."""

    def __init__(self, reader: LakeReader, decisions: Iterable[Decision], as_of: str) -> None:
        self._reader = reader
        self._decisions = tuple(decisions)
        self._as_of = as_of

    def find(self, texts: Iterable[str], *, at: str | None = None, known_at: str | None = None) -> list[Answer]:
        """One answer per text: OneID, status, candidates and sightings; status `unknown` for what nobody ever named.

        `at`: who held it on a business day, by what is known today; `known_at`: what the run of that day answered.
        Raises BusinessDateError.
        """
        for day in (at, known_at):
            if day is not None:
                parse_day(day)
        meant = [(text, self._reader.names(text)) for text in texts]
        rows = self._rows([names for _, names in meant], known_at)
        answers = []
        for text, names in meant:
            identifier = next((name for name in names if name in rows), None)
            answer = UNKNOWN if identifier is None else _shown(rows[identifier])
            if at is not None and identifier is not None:
                answer = self._at(identifier, at, answer)
            answers.append({"identifier": _masked(text, identifier or next(iter(names), None)), **answer})
        return answers

    def _rows(self, asked: list[tuple[Identifier, ...]], known_at: str | None) -> dict[Identifier, Answer]:
        """The map's rows for what was asked; other names of it are looked for only where its own is not there."""
        if known_at is not None:
            return self._rows_known_at([name for names in asked for name in names], known_at)
        rows = self._reader.current(names[0] for names in asked if names)
        missing = [names for names in asked if names and names[0] not in rows]
        return rows | self._reader.present(name for names in missing for name in names[1:])

    def explain(self, a: str, b: str, *, at: str | None = None) -> Answer:
        """Why two identifiers are one person, or why not, also on a past business day."""
        first, second = (self._reader.stored(text) for text in (a, b))
        if first is None or second is None:
            return {"linked": False, "path": [], "refused": refused_links(self._reader, a, b)}
        groups = read_groups(self._reader, (first, second), self._decisions)
        resolution = groups.resolve(self._reader, self._as_of, until=at)
        ends = (groups.names.get(end, end) for end in (first, second))
        found = Explainer(resolution, self._decisions).explain(*ends)
        if found["linked"] or found["refused"] or at is not None:
            return found
        return found | {"refused": shared_refusals(self._reader, (first, second))}

    def graph(self, text: str) -> nx.MultiGraph[str]:
        """The cluster of an identifier and the links to it that are refused: nodes with status, edges with evidence."""
        identifier = self._known(text)
        groups = read_groups(self._reader, (identifier,), self._decisions)
        resolution = groups.resolve(self._reader, self._as_of)
        return cluster_graph(resolution, groups.names.get(identifier, identifier))

    def _known(self, text: str) -> Identifier:
        identifier = self._reader.stored(text)
        if identifier is None or not self._reader.current([identifier]):
            raise CdpError(
                ExitCode.REFUSED,
                "the identifier is not in the lake",
                where=MAP,
                hint="see `cdp identity lookup --help`",
            )
        return identifier

    def _at(self, identifier: Identifier, day: str, answer: Answer) -> Answer:
        groups = read_groups(self._reader, (identifier,), self._decisions)
        then = groups.resolve(self._reader, self._as_of, until=day)
        name = groups.names.get(identifier, identifier)
        if name not in then.placements:
            return UNKNOWN
        one_id = holder_at((name,), day_end_ms(day), then, self._today(groups))
        return answer | {"one_id": one_id or None, "at": day, "status": then.placements[name].status}

    def _today(self, groups: GroupEvidence) -> KnownToday:
        """The groups as they are now, with what the registry knows of their identifiers."""
        now = groups.resolve(self._reader, self._as_of)
        forms: dict[Identifier, list[Identifier]] = {}
        for form, number in groups.names.items():
            forms.setdefault(number, []).append(form)
        members = [identifier for part in now.parts for identifier in part.identifiers]
        placed = self._reader.current(members)
        owners = [
            next((placed[one]["one_id"] or "" for one in part.identifiers if one in placed), "") for part in now.parts
        ]
        return KnownToday(
            now,
            owners,
            groups.registry(self._reader),
            lambda one: replace(one, aliases=tuple(sorted(forms.get(one.identifier, ())))),
        )

    def _rows_known_at(self, identifiers: list[Identifier], day: str) -> dict[Identifier, Answer]:
        version = self._map_version(day)
        if version is None:
            return {}
        try:
            rows = dataset(self._reader.lake, MAP, version)
            found = [] if rows is None else rows.to_table().to_pylist()
        except (UnreadableError, OSError, FileNotFoundError):
            raise ConfigurationError(
                f"what was known on {day} was cleaned up: the map's version {version} is gone",
                where=MAP,
                hint="vacuum with a longer retention keeps older answers",
            ) from None
        keys = {key64(*identifier): identifier for identifier in identifiers}
        current = (row for row in found if row["valid_to"] is None and row["identifier_key"] in keys)
        return {keys[row["identifier_key"]]: row for row in current}

    def _map_version(self, day: str) -> int | None:
        """The version of the map that the last run up to a day left, None before the first."""
        query = f"SELECT * FROM t WHERE as_of <= $day::DATE AND metric IN ('{RUN}', '{VERSION}')"
        rows = rows_of(self._reader.lake, "identity.report", query, {"day": day})
        runs = [row for row in rows if row["metric"] == RUN]
        if not runs:
            return None
        last = max(runs, key=lambda row: (row["as_of"], row["value"]))["run_id"]
        return next(int(row["value"]) for row in rows if row["run_id"] == last and row["dimension"] == MAP)


def _shown(row: Answer) -> Answer:
    times = {name: row[name].isoformat() if row[name] else None for name in ("first_seen", "last_seen", "valid_from")}
    return {"one_id": row["one_id"], "status": row["status"], "candidates": row["candidates"] or [], **times}


def _masked(text: str, identifier: Identifier | None) -> str:
    """What was asked for, without a personal value."""
    if identifier is None:
        return "(refused)"
    return (
        str(identifier)
        if identifier.value in text
        else f"{identifier.namespace}:{identifier.scope}:…{identifier.value[-4:]}"
    )


def cluster_graph(resolution: Resolution, identifier: Identifier) -> nx.MultiGraph[str]:
    """The identifiers of a cluster, and those whose link to it is refused, with all edges between them."""
    graph: nx.MultiGraph[str] = nx.MultiGraph()
    part = resolution.part_of(identifier)
    inside = {identifier} if part == NOBODY else set(resolution.parts[part].identifiers)
    for edge in resolution.edges:
        if edge.a in inside or edge.b in inside:
            records = " ".join(f"{source}/{observation}" for source, observation in edge.observations)
            graph.add_edge(str(edge.a), str(edge.b), rule=edge.rule, refusal=edge.refusal, observations=records)
    graph.add_nodes_from(str(name) for name in sorted(inside))
    for name, placement in resolution.placements.items():
        if str(name) in graph:
            graph.add_node(str(name), status=placement.status, inside=name in inside)
    return graph
