"""The cluster's engines give the components of `identity.components`, and a wrong answer never passes for one."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from identity.components import Components, EngineLimits, connected_components
from identity.dense import Keys
from pipelines.errors import IntegrityError
from pipelines.jobs import s3_components
from pipelines.jobs.s3_components import ComponentsRun, Contracting, find_components
from pipelines.store.lake import Lake

pytestmark = pytest.mark.spark
MAP = "node bigint, component bigint"

RUNS = {
    "one_task": ComponentsRun(forced="one_task"),
    "partitioned": ComponentsRun(forced="partitioned"),
    "distributed": ComponentsRun(forced="distributed", owners=3, rest_edges=0),
    "distributed, rest in one task": ComponentsRun(forced="distributed", owners=2),
}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


def components(lake: Lake, src: Keys, dst: Keys, nodes: Keys | None = None, *, run: ComponentsRun) -> dict[int, int]:
    """The map that the engine leaves for edges that lie in three files; nodes without edges have one to themselves."""
    alone = np.empty(0, np.int64) if nodes is None else nodes
    table = pa.table({"src": np.concatenate([src, alone]), "dst": np.concatenate([dst, alone])})
    folder = Path(lake.root)
    folder.mkdir(parents=True, exist_ok=True)
    edges = [str(folder / f"edges{part}.parquet") for part in range(3)]
    for part, file in enumerate(edges):
        pq.write_table(table.take(np.arange(part, table.num_rows, 3)), file, row_group_size=100)
    found = [pq.read_table(file) for file in find_components(lake, edges, folder / "staging", run=run)]
    rows = pa.concat_tables(found) if found else pa.table({"node": [], "component": []})
    answer = dict(zip(rows["node"].to_pylist(), rows["component"].to_pylist(), strict=True))
    assert len(answer) == rows.num_rows, "every node has one component"
    return answer


def expected(src: Keys, dst: Keys, nodes: Keys | None = None) -> dict[int, int]:
    found = connected_components(src, dst, nodes)
    return dict(zip(found.nodes.tolist(), found.component.tolist(), strict=True))


@runs
def test_a_random_graph_with_isolated_nodes_has_its_components(lake: Lake, run: ComponentsRun) -> None:
    rng = np.random.default_rng(17)
    src, dst = rng.integers(-500, 500, (2, 600), dtype=np.int64)
    nodes = rng.integers(-900, 900, 300, dtype=np.int64)
    assert components(lake, src, dst, nodes, run=run) == expected(src, dst, nodes)


@runs
def test_a_shuffled_path_of_2_000_nodes_is_one_component(lake: Lake, run: ComponentsRun) -> None:
    order = np.random.default_rng(3).permutation(np.arange(2_000, dtype=np.int64))
    found = components(lake, order[:-1], order[1:], run=run)
    assert set(found.values()) == {0}
    assert len(found) == 2_000


@pytest.mark.parametrize("limits", [EngineLimits(100, 200), EngineLimits(2, 200), EngineLimits(2, 3)])
def test_every_size_gives_the_same_components(lake: Lake, limits: EngineLimits) -> None:
    src, dst = np.array([5, 4, 8, 1, 1], np.int64), np.array([4, 9, 7, 1, -3], np.int64)
    assert components(lake, src, dst, run=ComponentsRun(limits)) == expected(src, dst)


def test_no_edges_have_no_components(lake: Lake) -> None:
    none = np.empty(0, np.int64)
    assert components(lake, none, none, run=RUNS["distributed"]) == {}


def test_the_proof_refuses_a_map_that_lost_a_merge(spark: SparkSession) -> None:
    forests = spark.createDataFrame([(1, 1), (2, 1), (2, 2), (3, 2)], MAP)
    wrong = spark.createDataFrame([(1, 1), (2, 1), (3, 3)], MAP)
    with pytest.raises(IntegrityError, match="1 edges join two of them"):
        s3_components._prove(forests, wrong)


def test_the_proof_refuses_a_map_whose_root_went_another_way_than_its_nodes(spark: SparkSession) -> None:
    forests = spark.createDataFrame([(2, 1), (3, 1), (5, 5)], MAP)
    wrong = spark.createDataFrame([(1, 1), (2, 0), (3, 0), (5, 5)], MAP)
    with pytest.raises(IntegrityError, match="1 edges join two of them"):
        s3_components._prove(forests, wrong)


def test_the_proof_accepts_the_right_map(spark: SparkSession) -> None:
    forests = spark.createDataFrame([(1, 1), (2, 1), (2, 2), (3, 2), (9, 9)], MAP)
    s3_components._prove(forests, spark.createDataFrame([(1, 1), (2, 1), (3, 1), (9, 9)], MAP))


def test_a_task_refuses_a_forest_that_breaks_one_of_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    torn = Components(np.array([1, 2]), np.array([1, 2]))
    monkeypatch.setattr(s3_components, "connected_components", lambda src, dst: torn)
    with pytest.raises(IntegrityError, match="1 edges join two of them"):
        Contracting("nodes", proven=True)(pa.table({"src": [1], "dst": [2]}))


def test_the_proof_refuses_a_map_that_lost_a_node(spark: SparkSession) -> None:
    forests = spark.createDataFrame([(1, 1), (2, 1), (8, 8), (9, 8)], MAP)
    for kept in ([1, 2], [1, 2, 8], [1, 2, 9]):
        wrong = spark.createDataFrame([(node, min(node, 8) if node > 2 else 1) for node in kept], MAP)
        with pytest.raises(IntegrityError, match="components are wrong"):
            s3_components._prove(forests, wrong)


@pytest.mark.reference
@runs
def test_a_real_graph_has_its_published_components(lake: Lake, shared_data: Path, run: ComponentsRun) -> None:
    edges, wanted = (read_pairs(shared_data / "graphs" / f"us-power-grid_{part}.csv.gz") for part in ("edges", "wcc"))
    found = components(lake, edges[0], edges[1], wanted[0], run=run)
    assert found == dict(zip(wanted[0].tolist(), wanted[1].tolist(), strict=True))


def read_pairs(path: Path) -> Keys:
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    return np.array([[int(a), int(b)] for a, b in rows], np.int64).T
