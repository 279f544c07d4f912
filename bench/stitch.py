"""What a day costs the stitcher of a large lake: one per cent new evidence against a stitch of everything.

Run: `python -m bench.stitch --people 2000000` (10 M identifiers); conflicts, hubs and the registry are part of both.
Up to `--local-rows` observations everything is stitched in this process, more on the cluster, as in the product.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench._stitch_lake import lake_in, write_day, write_history
from pipelines.clock import stopwatch
from pipelines.jobs.s3_stitch import LOCAL_ROWS, StitchRequest, StitchSettings, stitch
from pipelines.policies import read_policy
from pipelines.store.marks import Marks

if TYPE_CHECKING:
    from pipelines.store.lake import Lake

DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")
SHARE = 0.01
POLICY = Path(__file__).resolve().parents[1] / "conf" / "identity.yaml"


def main() -> None:
    """Prints a line per stitch; with `--out` also writes the figures as JSON."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bench-stitch-", dir=options.work))
    try:
        rows = measure(folder, options.people, options.local_rows, options.memory)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    full = rows[0]["seconds"]
    for row in rows:
        row["of_full"] = round(row["seconds"] / full, 3)
        print(f"{row['stitch']:<24} {row['new']:>12,} new {row['seconds']:>8.1f} s {row['of_full']:>7.1%} of full")
    print(f"peak of this process {rows[-1]['peak_mib']:,} MiB")
    if options.out:
        Path(options.out).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def measure(folder: Path, people: int, local_rows: int, memory: str) -> list[dict[str, Any]]:
    """The full stitch of the history, and days of one per cent after it."""
    lake = lake_in(folder)
    settings = StitchSettings(
        read_policy(POLICY), "bench key", folder / "staging", Marks(folder), local_rows=local_rows
    )
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        cluster = _cluster(stack, folder, memory)
        for number, day in enumerate(DAYS):
            if number:
                new = write_day(lake, people, int(rows[0]["new"] * SHARE), number, day)
            else:
                new = write_history(lake, people, day)
            watch = stopwatch()
            result = stitch(lake.root, settings, StitchRequest(day, f"r{number}-{day}"), cluster)
            seconds = round(watch(), 1)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            name = f"day of {SHARE:.0%}" if number else "everything"
            rows.append({"stitch": name, "new": new, "seconds": seconds, "peak_mib": peak})
            figures = {name: value for (name, dimension), value in result.figures.items() if not dimension}
            print(f"{day}: {seconds} s {json.dumps(figures, sort_keys=True)}", flush=True)
    return rows


def _cluster(stack: ExitStack, folder: Path, memory: str) -> Callable[[], Lake]:
    """A lake with a Spark session, started when it is first asked for."""

    def start() -> Lake:
        from pipelines.session import build_session
        from pipelines.store.lake import Lake

        session = build_session(work_dir=folder / "spark", memory=memory)
        stack.callback(session.stop)
        return Lake(session, folder / "lake")

    return start


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=2_000_000)
    parser.add_argument("--local-rows", type=int, default=LOCAL_ROWS)
    parser.add_argument("--memory", default="8g", help="memory of the Spark session")
    parser.add_argument("--work", help="make the lake in this folder")
    parser.add_argument("--out", help="write the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
