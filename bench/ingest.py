"""How fast raw JSON becomes silver columns: the product beside Polars and DuckDB, same files, same run, two cores.

    python -m bench.ingest                                   50,000 orders and 200,000 events
    python -m bench.ingest --orders 300000 --events 1000000  as large as the figures in the documents
    python -m bench.ingest --orders 1000000 --events 4000000 --engines lake polars   five million rows, 20 minutes

Every engine runs in a process of its own and its answers are compared: a fast wrong answer fails the run. The bare
limit beside them is the time one core needs to read the same files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench._ingest_engines import CORES, ENGINES
from bench._ingest_files import FEEDS, write_files
from pipelines.clock import stopwatch

BLOCK = 1 << 22


def main() -> None:
    """Prints a Markdown table per feed; with `--out` also writes the figures as JSON."""
    options = _options()
    if options.engine:
        _run_here(options.engine, options.feed, Path(options.files), Path(options.staged))
        return
    home = Path(options.home or tempfile.mkdtemp(prefix="cdp-bench-ingest-"))
    folders = write_files(home, orders=options.orders, events=options.events)
    counts = dict(zip(FEEDS, (options.orders, options.events), strict=True))
    figures = [_measure(feed, folders[feed], counts[feed], home, options.engines) for feed in FEEDS]
    for one in figures:
        print(_table(one))
    if options.out:
        Path(options.out).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if not options.home:
        shutil.rmtree(home)


def _measure(feed: str, files: Path, rows: int, home: Path, engines: Sequence[str]) -> dict[str, Any]:
    """Each engine once; SystemExit when their answers differ."""
    size = sum(path.stat().st_size for path in files.glob("*.jsonl"))
    found: dict[str, Any] = {"feed": feed, "rows": rows, "bytes": size, "read_seconds": _read_all(files), "engines": {}}
    for engine in engines:
        staged = home / "staged" / feed / engine
        staged.mkdir(parents=True)
        found["engines"][engine] = _run_apart(engine, feed, files, staged)
        shutil.rmtree(staged)
    answers = {engine: one.pop("answers") for engine, one in found["engines"].items()}
    for asked in {name for answer in answers.values() for name in answer}:
        told = {engine: answer[asked] for engine, answer in answers.items() if asked in answer}
        if len(set(map(tuple, told.values()))) > 1:
            raise SystemExit(f"{feed}: the answers about {asked} differ: {json.dumps(told, indent=1)}")
    return found


def _run_apart(engine: str, feed: str, files: Path, staged: Path) -> dict[str, Any]:
    words = [
        "--engine", engine, "--feed", feed, "--files", str(files), "--staged", str(staged)
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bench.ingest", *words],
        env={**os.environ, "POLARS_MAX_THREADS": str(CORES)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{engine} failed: {done.stderr.strip().splitlines()[-1]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _run_here(engine: str, feed: str, files: Path, staged: Path) -> None:
    seconds, peak, answers = ENGINES[engine](feed, files, staged)
    print(json.dumps({"seconds": round(seconds, 3), "peak_mib": peak, "answers": answers}))


def _read_all(folder: Path) -> float:
    watch = stopwatch()
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as handle:
            while handle.read(BLOCK):
                pass
    return round(watch(), 3)


def _table(figures: dict[str, Any]) -> str:
    rows = figures["rows"]
    lines = [
        f"\n{figures['feed']}: {rows} records, {figures['bytes'] / 1e6:.0f} MB, {CORES} cores",
        "",
        "| engine | seconds | records/s | MB/s | peak MiB of a process |",
        "|---|---|---|---|---|",
    ]
    for engine, one in figures["engines"].items():
        seconds = max(one["seconds"], 1e-9)
        speed = f"{rows / seconds:.0f} | {figures['bytes'] / 1e6 / seconds:.1f}"
        lines.append(f"| {engine} | {one['seconds']} | {speed} | {one['peak_mib']} |")
    return "\n".join([*lines, f"| bare reading of the files | {figures['read_seconds']} | | | |"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--home", help="keep everything here instead of a temporary folder")
    parser.add_argument("--out", help="write the figures as JSON")
    for name in ("engine", "feed", "files", "staged"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
