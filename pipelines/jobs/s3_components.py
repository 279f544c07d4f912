"""Components on the cluster: the engines of `identity.components` over edges that wait in Parquet files.

`one_task` contracts the whole graph in one task, `partitioned` contracts parts of it before that, `distributed` never
brings the graph together: each round hangs nodes under the smallest of their parts' roots, and only roots that meet go
on; its answer is checked against every edge. Tasks read and leave files, so that neither edges nor answers pass through
the JVM row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from identity.components import (
    Components,
    EngineLimits,
    EngineName,
    broken_edges,
    choose_engine,
    connected_components,
    hook_forests,
)
from pipelines.errors import IntegrityError
from pipelines.memory import reused_memory
from pipelines.store.lake import Lake
from pipelines.store.staging import Staged, count_rows, run_on_files, run_staged, stage_rows

HASHED = "shuffle_hash"
"""Nodes are unique and a partition of them fits into memory, so that nothing has to be sorted for a join."""

BROADCAST_ROWS = 2_000_000
"""A map of so many nodes is sent to every task rather than shuffled."""

NODES, FOREST, REST = "nodes", "forest", "rest"


@dataclass(frozen=True)
class ComponentsRun:
    """How components are found: the limits that choose the engine, or the engine that is forced.

    `parts`: tasks that contract a part of the edges each. `owners`: partitions of a distributed round. `rest_edges`:
    what is left after a distributed round is finished in one task below so many edges.
    """

    limits: EngineLimits = field(default_factory=EngineLimits)
    forced: EngineName | None = None
    parts: int = 2
    owners: int = 8
    rest_edges: int = 5_000_000


def find_components(lake: Lake, edges: Sequence[str], folder: Path, *, run: ComponentsRun | None = None) -> list[str]:
    """Parquet files in the folder with every node and the smallest key it is connected to: `node`, `component`.

    `edges`: Parquet files with the keys `src` and `dst`; a node without edges has one to itself. Raises IntegrityError
    when an answer leaves an edge between two components.
    """
    settings = run or ComponentsRun()
    rows = count_rows(edges)
    if not rows:
        return []
    engine = choose_engine(rows, settings.limits, forced=settings.forced)
    if engine == "distributed":
        return _distributed(lake, edges, folder, settings)
    if engine == "partitioned":
        edges = run_on_files(lake, edges, Contracting(FOREST), folder, tasks=settings.parts).files[FOREST]
    return run_on_files(lake, edges, Contracting(NODES), folder, tasks=1).files[NODES]


class Contracting:
    """The task that stages the forest of its edges under a name: every node once, with the smallest it reaches there.

    `proven`: every edge is checked against it, so that who checks the rows of all forests has checked all edges.
    """

    def __init__(self, name: str, *, proven: bool = False) -> None:
        self._name = name
        self._proven = proven

    def __call__(self, edges: pa.Table) -> Mapping[str, pl.DataFrame]:
        src, dst = (column.to_numpy() for column in edges.columns)
        with reused_memory():
            found = connected_components(src, dst)
            _refuse(broken_edges(src, dst, found) if self._proven else 0)
        return {self._name: _frame(found)}


class Hooking:
    """The task of an owner of nodes in a round: stages the nodes' parents and, as a forest, the edges that go on."""

    def __init__(self, level: int) -> None:
        self._level = level

    def __call__(self, forest: pa.Table) -> Mapping[str, pl.DataFrame]:
        with reused_memory():
            hooks = hook_forests(*(column.to_numpy() for column in forest.columns))
            parents = pl.DataFrame({"node": hooks.nodes, "parent": hooks.parent})
            rest = connected_components(hooks.src, hooks.dst)
        return {_hooks(self._level): parents, _forest(self._level + 1): _frame(rest)}


def _frame(found: Components) -> pl.DataFrame:
    return pl.DataFrame({"node": found.nodes, "component": found.component})


def _hooks(level: int) -> str:
    return f"hooks{level}"


def _forest(level: int) -> str:
    return f"{FOREST}{level}"


def _distributed(lake: Lake, edges: Sequence[str], folder: Path, run: ComponentsRun) -> list[str]:
    staged = run_on_files(lake, edges, Contracting(_forest(0), proven=True), folder, tasks=run.parts)
    level = 0
    while level == 0 or staged.rows.get(_forest(level), 0) > run.rest_edges:
        forest = lake.read_staged(staged.files[_forest(level)])
        staged.add(run_staged(forest.repartition(run.owners, "node"), Hooking(level), folder))
        level += 1
    left = staged.files.get(_forest(level), [])
    staged.add(run_on_files(lake, left, Contracting(REST), folder, tasks=1))
    answer = stage_rows(_resolved(lake, staged, level), NODES, folder).files[NODES]
    _prove(lake.read_staged(staged.files[_forest(0)]), lake.read_staged(answer))
    return answer


def _resolved(lake: Lake, staged: Staged, levels: int) -> DataFrame:
    """The components of all nodes: of each round's nodes those of their parents, given the next round's."""
    found, rows = staged.read(lake, REST), staged.rows.get(REST, 0)
    for level in reversed(range(levels)):
        hooks = lake.read_staged(staged.files[_hooks(level)])
        if found is None:
            found = hooks.withColumnRenamed("parent", "component")
        else:
            roots = found.select(F.col("node").alias("parent"), "component")
            sent = roots.hint("broadcast" if rows <= BROADCAST_ROWS else HASHED)
            joined = hooks.join(sent, "parent", "left")
            found = joined.select("node", F.coalesce("component", "parent").alias("component"))
        rows = staged.rows[_hooks(level)]
    assert found is not None, "there is at least one round"
    return found


def _prove(forests: DataFrame, found: DataFrame) -> None:
    """All rows of the forests lie within one component: the nodes of a root agree with each other and with the root."""
    named = found.select("node", F.col("component").alias("answer")).hint(HASHED)
    nodes = forests.join(named, "node", "left")
    answers = [F.min("answer").alias("least"), F.max("answer").alias("greatest")]
    roots = nodes.groupBy("component").agg(*answers, F.count_if(F.col("answer").isNull()).alias("unanswered"))
    checked = roots.join(named.withColumnRenamed("node", "component"), "component", "left")
    _refuse(checked.where("unanswered > 0 OR least <> greatest OR NOT least <=> answer").count())


def _refuse(broken: int) -> None:
    if broken:
        raise IntegrityError(
            f"components are wrong: {broken} edges join two of them",
            where="identity.edges",
            hint="run again with another engine and report the lake's versions",
        )
