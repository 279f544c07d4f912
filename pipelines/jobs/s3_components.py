"""Components on the cluster: the engines of `identity.components` over tables of edges.

`one_task` streams all edges into one task, `partitioned` contracts each partition before that, `distributed` never
brings the graph together: each round hangs nodes under smaller neighbours where their edges lie, and only the roots
go on; its answer is checked against every edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from identity.components import (
    Components,
    EngineLimits,
    EngineName,
    choose_engine,
    connected_components,
    hook_partition,
)
from identity.dense import Keys
from pipelines.errors import IntegrityError

MAP = "node bigint, component bigint"
ROUND = "kind tinyint, a bigint, b bigint"
HOOK, EDGE = 0, 1
HASHED = "shuffle_hash"
"""Nodes are unique and a partition of them fits into memory, so that nothing has to be sorted for a join."""


@dataclass(frozen=True)
class ComponentsRun:
    """How components are found: the limits that choose the engine, or the engine that is forced.

    `owners`: partitions of a distributed round. `rest_edges`: what is left after a distributed round is finished in one
    task below so many edges.
    """

    limits: EngineLimits = field(default_factory=EngineLimits)
    forced: EngineName | None = None
    owners: int = 8
    rest_edges: int = 5_000_000


def find_components(edges: DataFrame, nodes: DataFrame | None = None, *, run: ComponentsRun | None = None) -> DataFrame:
    """Every node with the smallest key it is connected to: columns `node`, `component`.

    `edges`: `src`, `dst`; `nodes`: `node`, further nodes that may have no edge. Raises IntegrityError when the
    distributed engine's answer leaves an edge between two components.
    """
    settings = run or ComponentsRun()
    pairs = edges.select(F.col("src").alias("a"), F.col("dst").alias("b"))
    if nodes is not None:
        pairs = pairs.unionByName(nodes.select(F.col("node").alias("a"), F.col("node").alias("b")))
    count = 0 if settings.forced else pairs.count()
    engine = choose_engine(count, settings.limits, forced=settings.forced)
    if engine == "distributed":
        return _distributed(pairs, settings)
    if engine == "partitioned":
        pairs = _contract(pairs)
    return _contract(pairs.coalesce(1)).toDF("node", "component")


def _contract(pairs: DataFrame) -> DataFrame:
    """Each partition's edges as its forest: every node once, with the smallest node it reaches inside the partition."""
    return pairs.mapInArrow(_contract_batches, "a bigint, b bigint")


def _contract_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    src, dst = _two_columns(list(batches))
    found = connected_components(src, dst)
    yield from _batches({"a": found.nodes, "b": found.component})


def _two_columns(batches: list[pa.RecordBatch], first: str = "a", second: str = "b") -> tuple[Keys, Keys]:
    schema = pa.schema([(first, pa.int64()), (second, pa.int64())])
    table = pa.Table.from_batches([batch.select([first, second]).cast(schema) for batch in batches], schema)
    return table.column(0).to_numpy(), table.column(1).to_numpy()


def _batches(columns: dict[str, Keys]) -> Iterator[pa.RecordBatch]:
    yield from pa.table({name: pa.array(column) for name, column in columns.items()}).to_batches(max_chunksize=1 << 17)


def _cut(frame: DataFrame) -> DataFrame:
    """The rows as they are now, without the plan that made them: plans nested over many rounds grow beyond bounds."""
    return frame.localCheckpoint(eager=True, storageLevel=StorageLevel.MEMORY_AND_DISK)


def _distributed(pairs: DataFrame, run: ComponentsRun) -> DataFrame:
    edges = _cut(_contract(pairs))
    levels: list[DataFrame] = []
    while (left := edges.count()) > run.rest_edges or (not levels and left):
        hooks, edges = _one_round(edges, run.owners)
        levels.append(hooks)
    found = _contract(edges.coalesce(1)).toDF("node", "component")
    for hooks in reversed(levels):
        found = _resolve_level(hooks, found)
    found = _cut(found)
    _prove(pairs, found)
    return found


def _one_round(edges: DataFrame, owners: int) -> tuple[DataFrame, DataFrame]:
    """The nodes' parents after one round, and the edges that still join two trees, between their roots."""
    sided = edges.select("a", "b", F.lit(True).alias("forward")).unionByName(
        edges.where("a <> b").select(F.col("b").alias("a"), F.col("a").alias("b"), F.lit(False).alias("forward"))
    )
    rows = _cut(sided.repartition(owners, "a").mapInArrow(_hook_batches, ROUND))
    hooks = rows.where(F.col("kind") == HOOK).select(F.col("a").alias("node"), F.col("b").alias("parent"))
    half = rows.where(F.col("kind") == EDGE).select("a", F.col("b").alias("root"))
    joined = half.join(hooks.hint(HASHED), F.col("a") == F.col("node")).where("root <> parent")
    rest = _contract(joined.select(F.col("root").alias("a"), F.col("parent").alias("b")))
    return hooks, _cut(rest.where("a <> b"))


def _hook_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The owned nodes' parents, and each edge with its near end replaced by that end's parent, keyed by the far end."""
    parts = list(batches)
    if not parts:
        return
    table = pa.Table.from_batches(parts)
    owned, other = table.column("a").to_numpy(), table.column("b").to_numpy()
    forward = table.column("forward").to_numpy()
    hooks = hook_partition(owned, other)
    near = Components(hooks.owned, hooks.parent)
    yield from _round_batches(HOOK, near.nodes, near.component)
    yield from _round_batches(EDGE, other[forward], near.of(owned[forward]))


def _round_batches(kind: int, a: Keys, b: Keys) -> Iterator[pa.RecordBatch]:
    for start in range(0, a.size, 1 << 17):
        part = slice(start, start + (1 << 17))
        size = a[part].size
        columns = [pa.repeat(pa.scalar(kind, pa.int8()), size), pa.array(a[part]), pa.array(b[part])]
        yield pa.RecordBatch.from_arrays(columns, names=["kind", "a", "b"])


def _resolve_level(hooks: DataFrame, found: DataFrame) -> DataFrame:
    """The components of one round's nodes, given those of the roots that went on."""
    roots = found.select(F.col("node").alias("parent"), "component")
    return hooks.join(roots.hint(HASHED), "parent", "left").select(
        "node", F.coalesce("component", "parent").alias("component")
    )


def _prove(pairs: DataFrame, found: DataFrame) -> None:
    left = found.toDF("a", "a_component").hint(HASHED)
    right = found.toDF("b", "b_component").hint(HASHED)
    checked = pairs.join(left, "a", "left").join(right, "b", "left")
    broken = checked.where(
        ~F.col("a_component").eqNullSafe(F.col("b_component")) | F.col("a_component").isNull()
    ).count()
    if broken:
        raise IntegrityError(
            f"components are wrong: {broken} edges join two of them",
            where="identity.edges",
            hint="run again with another engine and report the lake's versions",
        )
