"""The whole pipeline on a simulated brand: seconds, rows per second and peak memory of every job.

Run: `python -m bench.pipeline --people 200000 --days 90`. The bare limit beside each run is the time one core needs to
read the same landing files from disk (`cat > /dev/null` in Python), so that figures compare between machines.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench._brand import business_day, make_brand, say, settings_of
from pipelines.cli.common import cluster_session
from pipelines.clock import stopwatch
from pipelines.runner import RunRequest, run_pipeline

BLOCK = 1 << 22


def main() -> None:
    """Prints a Markdown table; with `--out` also writes the figures as JSON."""
    options = _options()
    home = Path(options.home or tempfile.mkdtemp(prefix="cdp-bench-"))
    settings = settings_of(home, {"CDP_SPARK__MEMORY": options.memory})
    simulated = _brand(home, options.people, options.days)
    if options.simulate_only:
        return
    limit = read_all(settings.landing)
    last = max(path.name for path in settings.landing.glob("*/????-??-??"))
    watch = stopwatch()
    with cluster_session(settings) as cluster:
        report = run_pipeline(cluster, settings, RunRequest(business_day(0).isoformat(), last), say)
    total = watch()
    jobs = [
        {"job": job["job"], "seconds": job["seconds"], "peak_mib": job["peak_mib"]}
        for job in report["jobs"]  # type: ignore[attr-defined]  # a list of jobs
    ]
    figures = {"simulated": simulated, "read_seconds": limit, "total_seconds": round(total, 1), "jobs": jobs}
    print(_table(figures))
    if options.out:
        Path(options.out).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if not options.home:
        shutil.rmtree(home)


def _brand(home: Path, people: int, days: int) -> dict[str, Any]:
    """The simulated brand in the folder, made when it is not there yet; gives counts per feed."""
    known = home / "simulated.json"
    if not known.is_file():
        known.write_text(json.dumps(make_brand(home, people, days)), encoding="utf-8")
    simulated: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
    return simulated


def read_all(folder: Path) -> float:
    """Seconds to read every landing file once."""
    watch = stopwatch()
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open("rb") as handle:
            while handle.read(BLOCK):
                pass
    return round(watch(), 2)


def _table(figures: dict[str, object]) -> str:
    jobs = figures["jobs"]
    records = figures["simulated"]["records"]  # type: ignore[index]  # as simulate_brand gives it
    lines = ["| job | seconds | records/s | peak MiB |", "|---|---|---|---|"]
    for job in jobs:  # type: ignore[attr-defined]  # a list of jobs
        rate = round(records / job["seconds"]) if job["seconds"] else 0
        lines.append(f"| {job['job']} | {job['seconds']} | {rate} | {job['peak_mib']} |")
    lines.append(f"| all, with session and publish | {figures['total_seconds']} | | |")
    lines.append(f"| bare reading of the landing files | {figures['read_seconds']} | | |")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--memory", default="6g")
    parser.add_argument("--home", help="keep everything here instead of a temporary folder")
    parser.add_argument("--simulate-only", action="store_true", help="make the brand in --home and stop")
    parser.add_argument("--out", help="write the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
