"""A lake for identity tests: rows go in as the ingest would leave them, answers come out as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from identity.decision import Decision
from identity.errors import ObservationError
from identity.identifier import Identifier, parse_identifier
from identity.observation import normalise_observation
from identity.policy import Policy
from identity.token import node_token
from pipelines.jobs.s3_stitch import LOCAL_ROWS, StitchRequest, StitchResult, StitchSettings, stitch
from pipelines.jobs.shaping import OBSERVATIONS, REJECTIONS, VAULT, Shaped, Shaper
from pipelines.keys import Keys
from pipelines.sources.base import Context, Record, Settings
from pipelines.spec import Table
from pipelines.stewarding import decision_row
from pipelines.store.arrow import arrow_table
from pipelines.store.local import LocalLake
from pipelines.store.marks import Marks
from pipelines.store.versions import rows_of
from pipelines.tables import ALL

if TYPE_CHECKING:
    from pipelines.store.lake import Lake

Row = dict[str, Any]
KEY = "test key"
KEYS = Keys(identity=KEY, pepper="00" * 32, vault="11" * 32)


class IdentityLake:
    """One lake, stitched run by run."""

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        mix_keys: Mapping[str, str] | None = None,
        cluster: Callable[[], Lake] | None = None,
        keys: Keys = KEYS,
    ) -> None:
        self.lake = LocalLake(folder / "lake")
        self.keys = keys
        self.cluster = cluster
        self.policy = policy
        self.folder = folder
        self.shaper = Shaper(policy, keys, dict(mix_keys or {}))
        self.runs = 0

    def settings(self, policy: Policy | None = None) -> StitchSettings:
        rows = LOCAL_ROWS if self.cluster is None else -1
        return StitchSettings(
            policy or self.policy, self.keys.identity, self.folder / "staging", Marks(self.folder), local_rows=rows
        )

    def add(self, rows: Iterable[Mapping[str, Any]], day: str) -> None:
        """The observations are in silver, as ingested on a business day."""
        shaped = Shaped()
        record = Record({}, Context("observations", day), Settings("observations"))
        for row in rows:
            try:
                observation = normalise_observation(row, self.policy, day)
            except ObservationError:
                continue
            self.shaper._observe(observation, record, shaped)
        for name in (OBSERVATIONS, REJECTIONS, VAULT):
            self._add_new(ALL[name], _first(shaped.rows.get(name, []), ALL[name].key))

    def _add_new(self, table: Table, rows: list[Row]) -> None:
        known = {tuple(row) for row in self.lake.scan(table).select(table.key).collect().iter_rows()}
        new = [row for row in rows if tuple(row[name] for name in table.key) not in known]
        found = pl.from_arrow(arrow_table(table, new))
        assert isinstance(found, pl.DataFrame)
        self.lake.append(table, found)

    def stitch(self, day: str, **more: Any) -> StitchResult:
        self.runs += 1
        request = StitchRequest(day, f"r{self.runs:06d}-{day}", **more)
        return stitch(self.lake.root, self.settings(), request, self.cluster)

    def feed(self, rows: Iterable[Mapping[str, Any]], day: str) -> StitchResult:
        self.add(rows, day)
        return self.stitch(day)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """These are all decisions of the lake."""
        table = ALL["identity.steward_decisions"]
        rows = [
            decision_row(one)
            | {
                "a": self.stored(one.a),
                "b": self.stored(one.b) if one.b else None,
                "detached_from": [self.stored(other) for other in one.others],
            }
            for one in decisions
        ]
        found = pl.from_arrow(arrow_table(table, rows))
        assert isinstance(found, pl.DataFrame)
        self.lake.replace(table, self.lake.scan(table).collect(), found)

    def stored(self, identifier: Identifier | str) -> str:
        """The identifier as the lake writes it."""
        read = parse_identifier(identifier) if isinstance(identifier, str) else identifier
        return str(read._replace(value=node_token(self.keys.identity, read, self.policy.spec(read.namespace))))

    def rows(self, name: str, where: str = "true") -> list[Row]:
        return rows_of(self.lake.root, f"identity.{name}", f"SELECT * FROM t WHERE {where}")

    def clusters(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for row in self.rows("oneid_map", "valid_to IS NULL AND one_id IS NOT NULL"):
            found.setdefault(row["one_id"], set()).add(_name(row))
        return found

    def statuses(self) -> dict[str, str]:
        return {_name(row): row["status"] for row in self.rows("oneid_map", "valid_to IS NULL")}

    def redirects(self) -> dict[str, str]:
        return {row["one_id"]: row["merged_into"] for row in self.rows("oneids", "status = 'merged'")}

    def changes(self) -> list[tuple[Any, ...]]:
        """The changes of the last run, sorted."""
        return sorted(
            (row["change"], row["one_id"], tuple(row["others"]), tuple(sorted(row["identifiers"])), row["cause"])
            for row in self.rows("oneid_changes", f"run_id LIKE 'r{self.runs:06d}-%'")
        )

    def rejections(self) -> set[tuple[str, str, str]]:
        return {(row["observation_id"], row["source"], row["rule"]) for row in self.rows("rejections")}


def _name(row: Row) -> str:
    return f"{row['namespace']}:{row['scope']}:{row['value']}"


def _first(rows: list[Row], key: tuple[str, ...]) -> list[Row]:
    seen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        seen.setdefault(tuple(row[name] for name in key), row)
    return list(seen.values())
