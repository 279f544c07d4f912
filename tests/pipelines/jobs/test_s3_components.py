"""The cluster's engines give the components of `identity.components`, and a wrong answer never passes for one."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from identity.components import EngineLimits, connected_components
from identity.dense import Keys
from pipelines.errors import IntegrityError
from pipelines.jobs import s3_components
from pipelines.jobs.s3_components import ComponentsRun, find_components

pytestmark = pytest.mark.spark

RUNS = {
    "one_task": ComponentsRun(forced="one_task"),
    "partitioned": ComponentsRun(forced="partitioned"),
    "distributed": ComponentsRun(forced="distributed", owners=3, rest_edges=0),
    "distributed, rest in one task": ComponentsRun(forced="distributed", owners=2),
}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


def edge_frame(spark: SparkSession, src: Keys, dst: Keys) -> DataFrame:
    return spark.createDataFrame(pa.table({"src": src, "dst": dst})).repartition(3)


def node_frame(spark: SparkSession, nodes: Keys) -> DataFrame:
    return spark.createDataFrame(pa.table({"node": nodes}))


def as_map(found: DataFrame) -> dict[int, int]:
    rows = found.collect()
    assert len({row["node"] for row in rows}) == len(rows), "every node has one component"
    return {row["node"]: row["component"] for row in rows}


def expected(src: Keys, dst: Keys, nodes: Keys | None = None) -> dict[int, int]:
    found = connected_components(src, dst, nodes)
    return dict(zip(found.nodes.tolist(), found.component.tolist(), strict=True))


@runs
def test_a_random_graph_with_isolated_nodes_has_its_components(spark: SparkSession, run: ComponentsRun) -> None:
    rng = np.random.default_rng(17)
    src, dst = rng.integers(-500, 500, (2, 600), dtype=np.int64)
    nodes = rng.integers(-900, 900, 300, dtype=np.int64)
    found = find_components(edge_frame(spark, src, dst), node_frame(spark, nodes), run=run)
    assert as_map(found) == expected(src, dst, nodes)


@runs
def test_a_shuffled_path_of_2_000_nodes_is_one_component(spark: SparkSession, run: ComponentsRun) -> None:
    order = np.random.default_rng(3).permutation(np.arange(2_000, dtype=np.int64))
    found = as_map(find_components(edge_frame(spark, order[:-1], order[1:]), run=run))
    assert set(found.values()) == {0}
    assert len(found) == 2_000


@pytest.mark.parametrize("limits", [EngineLimits(100, 200), EngineLimits(2, 200), EngineLimits(2, 3)])
def test_every_size_gives_the_same_components(spark: SparkSession, limits: EngineLimits) -> None:
    src, dst = np.array([5, 4, 8, 1, 1], np.int64), np.array([4, 9, 7, 1, -3], np.int64)
    assert as_map(find_components(edge_frame(spark, src, dst), run=ComponentsRun(limits))) == expected(src, dst)


def test_no_edges_have_no_components(spark: SparkSession) -> None:
    none = np.empty(0, np.int64)
    assert as_map(find_components(edge_frame(spark, none, none), run=RUNS["distributed"])) == {}


def test_the_proof_refuses_a_map_that_lost_a_merge(spark: SparkSession) -> None:
    pairs = spark.createDataFrame([(1, 2), (2, 3)], "a bigint, b bigint")
    wrong = spark.createDataFrame([(1, 1), (2, 1), (3, 3)], "node bigint, component bigint")
    with pytest.raises(IntegrityError, match="1 edges join two of them"):
        s3_components._prove(pairs, wrong)


def test_the_proof_refuses_a_map_that_lost_a_node(spark: SparkSession) -> None:
    pairs = spark.createDataFrame([(1, 2), (8, 9)], "a bigint, b bigint")
    wrong = spark.createDataFrame([(1, 1), (2, 1)], "node bigint, component bigint")
    with pytest.raises(IntegrityError, match="components are wrong"):
        s3_components._prove(pairs, wrong)


@pytest.mark.reference
@runs
def test_a_real_graph_has_its_published_components(spark: SparkSession, shared_data: Path, run: ComponentsRun) -> None:
    edges, wanted = (read_pairs(shared_data / "graphs" / f"us-power-grid_{part}.csv.gz") for part in ("edges", "wcc"))
    found = find_components(edge_frame(spark, edges[0], edges[1]), node_frame(spark, wanted[0]), run=run)
    assert as_map(found) == dict(zip(wanted[0].tolist(), wanted[1].tolist(), strict=True))


def read_pairs(path: Path) -> Keys:
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    return np.array([[int(a), int(b)] for a, b in rows], np.int64).T
