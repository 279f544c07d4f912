"""Splink's clustering of the benchmark's graph, in a process of its own: two versions are measured in one run.

Run by `bench.identity` as `python -m bench._splink EDGES TABLE ANSWER FOLDER...`: so many edges, which also lie in the
Delta table, and the folders of its packages, first one first. Prints its version and the best seconds as JSON, of the
clustering alone and of the whole step from files to a file; the components go to the file ANSWER.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from bench._identity_graph import identity_graph
from identity.components import Components, distinct
from identity.dense import Keys

RUNS = 3


def cluster(src: Keys, dst: Keys) -> tuple[float, Components]:
    """Seconds and answer of Splink's clustering of deterministic edges in DuckDB.

    Only the clustering itself is timed, not the loading of its tables. Its cluster names are any member's, so minima
    are taken afterwards.
    """
    connection = duckdb.connect()
    connection.register("e", pa.table({"l": src, "r": dst}))
    connection.register("n", pa.table({"k": distinct(np.concatenate([src, dst]))}))
    connection.execute("CREATE TABLE edges AS SELECT l AS k_l, r AS k_r FROM e")
    connection.execute("CREATE TABLE nodes AS SELECT k FROM n")
    begun = time.perf_counter()
    table = _clusters(connection).arrow()
    reader = table.read_all() if hasattr(table, "read_all") else table
    seconds = time.perf_counter() - begun
    return seconds, _with_minima(*(reader.column(name).to_numpy() for name in ("k", "cluster_id")))


def whole_step(table: Path) -> float:
    """Seconds of the step as the product has it: edges from the table's files, clusters, the map to a file."""
    files = DeltaTable(str(table)).file_uris()
    with tempfile.TemporaryDirectory(prefix="bench-splink-") as target:
        begun = time.perf_counter()
        connection = duckdb.connect()
        connection.execute(f"CREATE TABLE edges AS SELECT src AS k_l, dst AS k_r FROM read_parquet({files})")
        connection.execute("CREATE TABLE nodes AS SELECT k_l AS k FROM edges UNION SELECT k_r FROM edges")
        _clusters(connection).write_parquet(f"{target}/map.parquet")
        return time.perf_counter() - begun


def _clusters(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    api = DuckDBAPI(connection=connection)
    found = cluster_pairwise_predictions_at_threshold("nodes", "edges", api, node_id_column_name="k")
    clusters: duckdb.DuckDBPyRelation = found.as_duckdbpyrelation().select("k, cluster_id")
    return clusters


def _with_minima(nodes: Keys, names: Keys) -> Components:
    codes = np.unique(names, return_inverse=True)[1]
    least = np.full(int(codes.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, codes, nodes)
    order = np.argsort(nodes)
    return Components(nodes[order], least[codes][order])


def main(edges: int, table: Path, answer: Path, folders: list[str]) -> None:
    """Measures several runs on one graph."""
    sys.path.extend(folders)
    import splink

    src, dst = identity_graph(edges)
    seconds = []
    for _ in range(RUNS):
        gc.collect()
        took, found = cluster(src, dst)
        seconds.append(took)
    np.savez(answer, nodes=found.nodes, component=found.component)
    whole = min(whole_step(table) for _ in range(RUNS))
    print(json.dumps({"version": splink.__version__, "seconds": min(seconds), "whole": whole}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
