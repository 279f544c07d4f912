"""How fast components are found: our engines beside networkx and Splink, on the same graph of 64-bit keys, in one run.

    python -m bench.identity --edges 4_400_000          everything that is installed
    python -m bench.identity --scale                     ours alone from 1 M to 20 M edges

Splink is no dependency of the product: `make bench ONLY=identity` installs it beside it, into a folder of the cache,
in two versions: that of today, and the last of the line before it.
Every engine's answer is compared with the others': a fast wrong answer fails the run.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import networkx as nx
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from pyarrow.dataset import dataset

from bench._identity_graph import identity_graph
from identity.components import ENGINES, Components, connected_components, distinct
from identity.dense import Keys
from identity.identifier import key64
from pipelines.memory import reused_memory

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.jobs.s3_components import ComponentsRun

Answer = TypeVar("Answer")

SCALE = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000)
BORDER_SAMPLE = 1_000_000
REPEATED = 3
"""The best of so many runs counts: the first one pays for what is compiled, loaded and allocated once."""

PEERS = Path(os.environ.get("CDP_CACHE", ".cache")) / "peers"
"""Where the packages of bench/peers.txt are, and in `splink4` an older Splink; searched after the product's own."""


@dataclass
class Bench:
    """One graph, the right answer, and the rows measured so far."""

    src: Keys
    dst: Keys
    truth: Components
    rows: list[dict[str, Any]] = field(default_factory=list)

    def measure(self, name: str, work: Callable[[], Components | None], times: int = 1) -> None:
        """The best of several times is kept, and every answer compared."""

        def check(found: Components | None) -> None:
            if found is not None and not same(found, self.truth):
                raise SystemExit(f"{name}: the components are wrong")

        self.add(name, best_seconds(work, times, check))

    def add(self, name: str, seconds: float) -> None:
        """A row of the result, shown at once."""
        self.rows.append({"engine": name, "seconds": round(seconds, 2)})
        print(f"{name:48s} {seconds:8.2f} s", flush=True)


def best_seconds(
    work: Callable[[], Answer], times: int = REPEATED, check: Callable[[Answer], None] | None = None
) -> float:
    """The seconds of the best of several runs; each answer is checked, beside the clock."""
    best = float("inf")
    for _ in range(times):
        gc.collect()
        begun = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - begun)
        if check is not None:
            check(found)
    return round(best, 2)


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


def measure_splink(bench: Bench, edges: int, table: Path) -> None:
    """Splink, the version of today and the last one before, each in a process of its own on the same graph."""
    for folders in ([PEERS], [PEERS / "splink4", PEERS]):
        if not (folders[0] / "splink").exists():
            continue
        with tempfile.TemporaryDirectory(prefix="bench-splink-") as work:
            answer = Path(work) / "answer.npz"
            words = [str(edges), str(table), str(answer), *map(str, folders)]
            done = subprocess.run(
                [sys.executable, "-m", "bench._splink", *words], stdout=subprocess.PIPE, check=True, text=True
            )
            said = json.loads(done.stdout.splitlines()[-1])
            with np.load(answer) as found:
                right = same(Components(found["nodes"], found["component"]), bench.truth)
        if not right:
            raise SystemExit(f"Splink {said['version']}: the components are wrong")
        bench.add(f"Splink {said['version']}, DuckDB clustering", said["seconds"])
        bench.add(f"Splink {said['version']}, whole step, file to file", said["whole"])


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


def find_reusing(src: Keys, dst: Keys, engine: Callable[..., Components] = connected_components) -> Components:
    """The components as the product's steps find them, which reuse the memory of their arrays."""
    with reused_memory():
        return engine(src, dst)


def in_process_step(edges: str, target: str) -> Components:
    """The whole step without a JVM, as the stitcher takes it up to its bound of rows: Delta to Delta."""
    frame = pl.scan_delta(edges).collect()
    found = find_reusing(frame["src"].to_numpy(), frame["dst"].to_numpy())
    write_deltalake(target, pa.table({"node": found.nodes, "component": found.component}), mode="overwrite")
    return found


def spark_step(spark: SparkSession, edges: str, target: str, run: ComponentsRun) -> None:
    """The whole step on Spark: edges from Delta, components by its tasks, what they left to Delta."""
    from pipelines.jobs.s3_components import find_components
    from pipelines.store.lake import Lake

    folder = Path(f"{target}-staged")
    files = find_components(Lake(spark, folder), DeltaTable(edges).file_uris(), folder, run=run)
    write_deltalake(target, dataset(files).scanner().to_reader(), mode="overwrite")
    shutil.rmtree(folder)


def measure_spark(bench: Bench, folder: Path) -> None:
    """The whole Spark step of each engine."""
    from pipelines.jobs.s3_components import ComponentsRun

    runs = {
        "one_task": ComponentsRun(forced="one_task"),
        "partitioned": ComponentsRun(forced="partitioned"),
        "distributed": ComponentsRun(forced="distributed"),
        "distributed, rounds to the end": ComponentsRun(forced="distributed", rest_edges=0),
    }
    with spark_session(folder / "spark") as spark:
        write_deltalake(str(folder / "two"), pa.table({"src": [1], "dst": [2]}))
        spark_step(spark, str(folder / "two"), str(folder / "warm"), runs["one_task"])
        for name, run in runs.items():
            target = str(folder / name.replace(" ", "_"))

            def step(run: ComponentsRun = run, target: str = target) -> None:
                spark_step(spark, str(folder / "edges"), target, run)

            bench.measure(f"Spark step, {name}", step, REPEATED)
            table = DeltaTable(target).to_pyarrow_table().sort_by("node")
            found = Components(table["node"].to_numpy(), table["component"].to_numpy())
            if not same(found, bench.truth):
                raise SystemExit(f"Spark step, {name}: the components are wrong")


def measure_all(edges: int, only: str | None) -> Bench:
    """All engines on one graph of about so many edges."""
    src, dst = identity_graph(edges)
    bench = Bench(src, dst, connected_components(src, dst))
    found = distinct(bench.truth.component).size
    print(f"{src.size:,} edges, {bench.truth.nodes.size:,} nodes, {found:,} components")
    for name, engine in ENGINES.items():
        if only in (None, name):
            bench.measure(f"in process, {name}", partial(find_reusing, src, dst, engine), REPEATED)
    if only in (None, "networkx"):
        bench.measure("networkx", lambda: run_networkx(src, dst))
    if only in (None, "border"):
        begun = time.perf_counter()
        string_border(BORDER_SAMPLE)
        bench.add("string border, 1 M identifiers to keys, 1 core", time.perf_counter() - begun)
    folder = Path(tempfile.mkdtemp(prefix="bench-identity-"))
    try:
        write_deltalake(str(folder / "edges"), pa.table({"src": src, "dst": dst}))
        if only in (None, "splink"):
            measure_splink(bench, edges, folder / "edges")
        if only in (None, "spark"):
            step = partial(in_process_step, str(folder / "edges"), str(folder / "in_process"))
            bench.measure("Delta to Delta in this process", step, REPEATED)
            measure_spark(bench, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return bench


def measure_scale(only: str | None) -> list[dict[str, Any]]:
    """Ours alone over growing graphs: seconds of the bare step and of the whole steps, and this process's peak memory.

    The engine of the Spark step is the one that the product would choose.
    """
    folder = Path(tempfile.mkdtemp(prefix="bench-identity-"))
    rows = []
    try:
        with ExitStack() as stack:
            spark = stack.enter_context(spark_session(folder / "spark")) if only in (None, "spark") else None
            for edges in SCALE:
                row = _scale_row(edges, spark, folder)
                rows.append(row)
                print("  ".join(f"{name} {value:,}" for name, value in row.items()), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def _scale_row(edges: int, spark: SparkSession | None, folder: Path) -> dict[str, Any]:
    src, dst = identity_graph(edges)
    bare = best_seconds(lambda: find_reusing(src, dst))
    place, target = str(folder / f"edges{edges}"), str(folder / f"map{edges}")
    write_deltalake(place, pa.table({"src": src, "dst": dst}))
    row = {"edges": int(src.size), "bare": bare, "in_process": best_seconds(lambda: in_process_step(place, target))}
    if spark is not None:
        from pipelines.jobs.s3_components import ComponentsRun

        row["spark"] = best_seconds(lambda: spark_step(spark, place, target, ComponentsRun()))
    row["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    shutil.rmtree(place)
    shutil.rmtree(target)
    return row


def main(arguments: list[str]) -> None:
    """Measures, prints one line per row, and writes them as JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.identity", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--edges", type=int, default=4_400_000, help="edges of the graph, about")
    parser.add_argument("--only", help="one_task, partitioned, distributed, networkx, splink, border or spark")
    parser.add_argument("--scale", action="store_true", help="ours alone from 1 M to 20 M edges")
    parser.add_argument("--json", type=Path, help="file for the rows")
    given = parser.parse_args(arguments)
    rows = measure_scale(given.only) if given.scale else measure_all(given.edges, given.only).rows
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
