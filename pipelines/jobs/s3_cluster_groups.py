"""Whole groups on the executors: their evidence and what the registry knows of them, side by side in one partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from identity.identifier import key64
from pipelines.jobs.s3_answers import frames
from pipelines.jobs.s3_cluster_rows import ROWS, Observed
from pipelines.jobs.s3_cluster_scope import read_before, union
from pipelines.jobs.s3_compact import ObservationCompactor
from pipelines.jobs.s3_local import KINDS, answer_groups, group_rows, special_settings
from pipelines.jobs.s3_plain import PlainResolver, PlainSettings
from pipelines.jobs.s3_screen import GROUP, Group
from pipelines.jobs.s3_special import SpecialSettings
from pipelines.jobs.s3_work import HOMES, MAP, ONEIDS, RECORD, Work, decision_ends
from pipelines.store.lake import Lake
from pipelines.store.staging import Staged, run_staged

ROWS_PER_TASK = 400_000


@dataclass(frozen=True)
class Inputs:
    """What the groups of a run are made of: `nodes` (`key`, `component`) are their identifiers."""

    lake: Lake
    rows: Observed
    nodes: DataFrame
    aliases: DataFrame | None
    unlinked: DataFrame | None
    evidence: Staged


def gather(lake: Lake, work: Work, rows: DataFrame) -> Staged:
    """The compact evidence of all rows; stages `evidence` and `pairs`."""
    chosen = rows.where(F.col("kind") != "unlink").select(*ROWS)
    return run_staged(chosen, ObservationCompactor(work.rules), work.staging)


def resolve_groups(work: Work, inputs: Inputs) -> Staged:
    """Every group is resolved: plain ones in columns, the others by the rules one by one. The answers are staged."""
    state = _state(work, inputs)
    evidence = inputs.evidence.read(inputs.lake, "evidence")
    if evidence is None:
        return _resolve_special(work, inputs, None, state)
    placed = evidence.join(_keyed(inputs.nodes, "anchor"), "anchor")
    frame = _tagged({"evidence": placed} | state)
    tasks = _tasks(inputs)
    settings = PlainSettings(work.policy, work.identity_key)
    done = run_staged(frame.repartition(tasks, GROUP), PlainTask(settings), work.staging)
    special = done.read(inputs.lake, "special")
    done.add(_resolve_special(work, inputs, special, state))
    return done


def _tasks(inputs: Inputs) -> int:
    """One task per so many rows, at least as many as there are cores, so that a task's groups fit into its memory."""
    return max(inputs.lake.spark.sparkContext.defaultParallelism, inputs.evidence.rows["evidence"] // ROWS_PER_TASK + 1)


def _keyed(nodes: DataFrame, name: str) -> DataFrame:
    return nodes.select(F.col("key").alias(name), GROUP)


def _state(work: Work, inputs: Inputs) -> dict[str, DataFrame]:
    """What is known of the groups besides their evidence, by kind; kinds that cannot exist yet are left out."""
    found = {"marks": _marks(work, inputs)}
    if inputs.aliases is not None:
        found["aliases"] = inputs.aliases.join(_keyed(inputs.nodes, "key"), "key")
    if work.last is None:
        return found
    homes = read_before(inputs.lake, work, HOMES).select(F.col("identifier_key").alias("key"), "home")
    found["homes"] = homes.join(inputs.nodes, "key").persist()
    current = read_before(inputs.lake, work, MAP).where("valid_to IS NULL AND one_id IS NOT NULL")
    found["placed"] = current.select(F.col("identifier_key").alias("key"), "one_id").join(inputs.nodes, "key")
    records = read_before(inputs.lake, work, ONEIDS).select(
        "one_id", "status", "merged_into", "mint_seq", "founder_key", "ordinal"
    )
    founded = records.join(_keyed(inputs.nodes, "founder_key"), "founder_key").select("one_id", GROUP)
    owners = found["homes"].select(F.col("home").alias("one_id"), GROUP).union(founded).distinct()
    found["records"] = records.join(owners, "one_id")
    return found


def _marks(work: Work, inputs: Inputs) -> DataFrame:
    """Groups that hold a decision or an unlink."""
    ends = sorted({(key64(*end),) for decision in work.decisions for end in decision_ends(decision)})
    marked = inputs.lake.spark.createDataFrame(ends, "key bigint")
    if inputs.unlinked is not None:
        marked = marked.union(inputs.unlinked.select("anchor"))
    return marked.distinct().join(inputs.nodes, "key").select(GROUP, F.lit("decided").alias("reason"))


def _tagged(parts: Mapping[str, DataFrame]) -> DataFrame:
    """Rows of several kinds in one frame: `component`, and per kind a struct that is null in rows of other kinds."""
    types: dict[str, StructType] = {name: frame.drop(GROUP).schema for name, frame in parts.items()}
    tagged: list[DataFrame] = []
    for name, frame in parts.items():
        own = F.struct(*[name_ for name_ in frame.columns if name_ != GROUP])
        columns = [own.alias(kind) if kind == name else F.lit(None).cast(types[kind]).alias(kind) for kind in types]
        tagged.append(frame.select(GROUP, *columns))
    return union(tagged)


def _untagged(table: pa.Table) -> dict[str, pl.DataFrame]:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    kinds = [name for name in frame.columns if name != GROUP]
    return {kind: frame.select(GROUP, kind).filter(pl.col(kind).is_not_null()).unnest(kind) for kind in kinds}


EMPTY: Mapping[str, dict[str, pl.DataType]] = {
    "homes": {"key": pl.Int64(), "home": pl.String()},
    "records": {"one_id": pl.String(), "status": pl.String(), "merged_into": pl.String(), "mint_seq": pl.Int64()},
    "placed": {"key": pl.Int64(), "one_id": pl.String()},
    "aliases": {"form_key": pl.Int64(), "form_namespace": pl.String(), "form_scope": pl.String()}
    | {"form_value": pl.String(), "key": pl.Int64()}
    | {"namespace": pl.String(), "scope": pl.String(), "value": pl.String()},
    "marks": {"reason": pl.String()},
}


class PlainTask:
    """The plain groups of a partition, in columns."""

    def __init__(self, settings: PlainSettings) -> None:
        self._settings = settings

    def __call__(self, table: pa.Table) -> dict[str, pl.DataFrame]:
        given = _untagged(table)
        empty = {kind: pl.DataFrame(schema={GROUP: pl.Int64(), **columns}) for kind, columns in EMPTY.items()}
        return PlainResolver(self._settings)(Group(**(empty | given)))


class SpecialTask:
    """The other groups of a partition, one by one."""

    def __init__(self, settings: SpecialSettings) -> None:
        self._settings = settings

    def __call__(self, table: pa.Table) -> dict[str, pl.DataFrame]:
        given = _untagged(table)
        empty = {kind: pl.DataFrame(schema={GROUP: pl.Int64()}) for kind in KINDS}
        return frames(answer_groups(self._settings, group_rows(empty | given)))


def _resolve_special(work: Work, inputs: Inputs, special: DataFrame | None, state: Mapping[str, DataFrame]) -> Staged:
    """The groups that are not plain, with every sighting of their evidence."""
    groups = state["marks"].select(GROUP)
    wanted: list[DataFrame] = []
    if special is not None:
        groups = groups.union(special.select(GROUP))
        signatures = special.select("signature", GROUP).distinct()
        wanted.append(inputs.rows.rows.join(F.broadcast(signatures), "signature").select(GROUP, *ROWS))
    groups = groups.distinct().persist()
    if groups.isEmpty():
        return Staged()
    if inputs.unlinked is not None:
        unlinked = inputs.unlinked.join(_keyed(inputs.nodes, "anchor"), "anchor")
        wanted.append(unlinked.join(groups, GROUP, "left_semi").select(GROUP, *ROWS).dropDuplicates([GROUP, *RECORD]))
    if not wanted:
        return Staged()
    around = {kind: frame.join(groups, GROUP, "left_semi") for kind, frame in state.items() if kind != "marks"}
    frame = _tagged({"evidence": union(wanted)} | around)
    settings = special_settings(work)
    tasks = 2 * inputs.lake.spark.sparkContext.defaultParallelism
    return run_staged(frame.repartition(tasks, GROUP), SpecialTask(settings), work.staging)
