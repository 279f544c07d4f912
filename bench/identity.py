"""How fast components are found: our engines beside networkx and Splink, on the same graph of 64-bit keys, in one run.

    python -m bench.identity --edges 4_400_000          everything that is installed
    python -m bench.identity --only one_task --scale     ours alone from 1 M to 20 M edges

Splink is no dependency of the product: `make bench ONLY=identity` installs it beside it, into a folder of the cache.
Every engine's answer is compared with the others': a fast wrong answer fails the run.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import write_deltalake

from bench._identity_graph import identity_graph
from identity.components import ENGINES, Components, connected_components, distinct
from identity.dense import Keys
from identity.identifier import key64

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCALE = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000)
BORDER_SAMPLE = 1_000_000
REPEATED = 3
"""The best of so many runs counts: the first one pays for what is compiled, loaded and allocated once."""

PEERS = Path(os.environ.get("CDP_CACHE", ".cache")) / "peers"
"""Where the packages of bench/peers.txt are; searched after the product's own."""


@dataclass
class Bench:
    """One graph, the right answer, and the rows measured so far."""

    src: Keys
    dst: Keys
    truth: Components
    rows: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, name: str, work: Callable[[], Components | None], times: int = 1) -> None:
        """The best of several times is kept, and every answer compared."""
        best = float("inf")
        for _ in range(times):
            gc.collect()
            begun = time.perf_counter()
            found = work()
            best = min(best, time.perf_counter() - begun)
            if found is not None and not same(found, self.truth):
                raise SystemExit(f"{name}: the components are wrong")
        self.add(name, best)

    def add(self, name: str, seconds: float) -> None:
        """A row of the result, shown at once."""
        self.rows.append({"engine": name, "seconds": round(seconds, 2)})
        print(f"{name:48s} {seconds:8.2f} s", flush=True)


def same(a: Components, b: Components) -> bool:
    """Whether two answers name the same components."""
    return bool(np.array_equal(a.nodes, b.nodes) and np.array_equal(a.component, b.component))


def run_networkx(src: Keys, dst: Keys) -> Components:
    """networkx on the same keys."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_edges_from(zip(src.tolist(), dst.tolist(), strict=True))
    pairs = [(node, min(part)) for part in nx.connected_components(graph) for node in part]
    table = np.array(pairs, dtype=np.int64)
    order = np.argsort(table[:, 0])
    return Components(table[order, 0], table[order, 1])


def run_splink(src: Keys, dst: Keys) -> Components:
    """Splink's clustering in DuckDB, deterministic edges; its cluster names are any member's, so minima are taken."""
    import duckdb
    from splink import DuckDBAPI
    from splink.clustering import cluster_pairwise_predictions_at_threshold

    connection = duckdb.connect()
    connection.register("e", pa.table({"l": src, "r": dst}))
    connection.register("n", pa.table({"k": distinct(np.concatenate([src, dst]))}))
    connection.execute("CREATE TABLE edges AS SELECT l AS k_l, r AS k_r FROM e")
    connection.execute("CREATE TABLE nodes AS SELECT k FROM n")
    found = cluster_pairwise_predictions_at_threshold(
        "nodes", "edges", DuckDBAPI(connection=connection), node_id_column_name="k"
    )
    table = found.as_duckdbpyrelation().select("k, cluster_id").arrow()
    reader = table.read_all() if hasattr(table, "read_all") else table
    nodes, cluster = (reader.column(name).to_numpy() for name in ("k", "cluster_id"))
    codes = np.unique(cluster, return_inverse=True)[1]
    least = np.full(int(codes.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, codes, nodes)
    order = np.argsort(nodes)
    return Components(nodes[order], least[codes][order])


def string_border(count: int) -> None:
    """Identifiers as text become keys: the border that every string pays once, outside the components."""
    for number in range(count):
        key64("wx_openid", "wx0000000000000001", f"oExample{number:020d}")


@contextmanager
def spark_session(folder: Path) -> Iterator[SparkSession]:
    """A session for the cluster engines."""
    from pipelines.session import build_session

    session = build_session(work_dir=folder, memory="6g")
    try:
        yield session
    finally:
        session.stop()


def measure_in_process(bench: Bench, folder: Path) -> None:
    """The same step without a JVM, as the stitcher takes it up to its bound of rows."""
    edges, target = str(folder / "edges"), str(folder / "in_process")

    def step() -> Components:
        frame = pl.scan_delta(edges).collect()
        found = connected_components(frame["src"].to_numpy(), frame["dst"].to_numpy())
        table = pa.table({"node": found.nodes, "component": found.component})
        write_deltalake(target, table, mode="overwrite")
        return found

    bench.measure("Delta to Delta in this process", step, REPEATED)


def measure_spark(bench: Bench, folder: Path) -> None:
    """The whole Spark step of each engine: edges from Delta, components, the map to Delta."""
    from pipelines.jobs.s3_components import ComponentsRun, find_components

    edges = folder / "edges"
    runs = {
        "one_task": ComponentsRun(forced="one_task"),
        "partitioned": ComponentsRun(forced="partitioned"),
        "distributed": ComponentsRun(forced="distributed"),
        "distributed, rounds to the end": ComponentsRun(forced="distributed", rest_edges=0),
    }
    with spark_session(folder / "spark") as spark:
        small = spark.createDataFrame([(1, 2)], "src bigint, dst bigint")
        find_components(small, run=runs["one_task"]).write.format("delta").save(str(folder / "warm"))
        for name, settings in runs.items():
            target = str(folder / name.replace(" ", "_"))

            def step(settings: ComponentsRun = settings, target: str = target) -> Components | None:
                found = find_components(spark.read.format("delta").load(str(edges)), run=settings)
                found.write.format("delta").mode("overwrite").save(target)
                return None

            bench.measure(f"Spark step, {name}", step, REPEATED)
            table = spark.read.format("delta").load(target).toArrow().sort_by("node")
            found = Components(table["node"].to_numpy(), table["component"].to_numpy())
            if not same(found, bench.truth):
                raise SystemExit(f"Spark step, {name}: the components are wrong")


def measure_all(edges: int, only: str | None) -> Bench:
    """All engines on one graph of about so many edges."""
    src, dst = identity_graph(edges)
    bench = Bench(src, dst, connected_components(src, dst))
    found = distinct(bench.truth.component).size
    print(f"{src.size:,} edges, {bench.truth.nodes.size:,} nodes, {found:,} components")
    if only in (None, "splink") and find_spec("splink"):
        bench.measure("Splink, DuckDB clustering", lambda: run_splink(src, dst), REPEATED)
    for name, engine in ENGINES.items():
        if only in (None, name):
            bench.measure(f"in process, {name}", lambda engine=engine: engine(src, dst), REPEATED)  # type: ignore[misc]
    if only in (None, "networkx"):
        bench.measure("networkx", lambda: run_networkx(src, dst))
    if only in (None, "border"):
        begun = time.perf_counter()
        string_border(BORDER_SAMPLE)
        bench.add("string border, 1 M identifiers to keys, 1 core", time.perf_counter() - begun)
    if only in (None, "spark"):
        folder = Path(tempfile.mkdtemp(prefix="bench-identity-"))
        try:
            write_deltalake(str(folder / "edges"), pa.table({"src": src, "dst": dst}))
            measure_in_process(bench, folder)
            measure_spark(bench, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return bench


def measure_scale() -> list[dict[str, Any]]:
    """Ours alone over growing graphs: seconds per million edges, and the peak memory so far."""
    rows = []
    for edges in SCALE:
        src, dst = identity_graph(edges)
        seconds = float("inf")
        for _ in range(REPEATED):
            gc.collect()
            begun = time.perf_counter()
            connected_components(src, dst)
            seconds = min(seconds, time.perf_counter() - begun)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        rows.append({"edges": int(src.size), "seconds": round(seconds, 2), "peak_mib": peak})
        print(f"{src.size:>12,} edges {seconds:7.2f} s {seconds / src.size * 1e6:6.3f} s per million {peak:7,} MiB")
    return rows


def main(arguments: list[str]) -> None:
    """Measures, prints one line per row, and writes them as JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.identity", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--edges", type=int, default=4_400_000, help="edges of the graph, about")
    parser.add_argument("--only", help="one_task, partitioned, distributed, networkx, splink, border or spark")
    parser.add_argument("--scale", action="store_true", help="ours alone from 1 M to 20 M edges")
    parser.add_argument("--json", type=Path, help="file for the rows")
    given = parser.parse_args(arguments)
    sys.path.append(str(PEERS))
    rows = measure_scale() if given.scale else measure_all(given.edges, given.only).rows
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
