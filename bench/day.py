"""What a day costs: runs of no day, one, two and four days over one history, each in a process of its own.

    python -m bench.day --people 20000 --days 90

A run has costs that depend on nothing, costs of there being something new at all, and a cost for every new record. The
line through the runs that bring something (least squares over their records) tells the last two apart; the bulk load
of the same history is the peer. Every run starts from a copy of the same home.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from operator import attrgetter
from pathlib import Path
from statistics import linear_regression

from bench._brand import CDP, business_day, environment, make_brand, start
from pipelines.clock import stopwatch

MOST_DAYS = 4
SPANS = (0, 1, 2, MOST_DAYS)


@dataclass(frozen=True)
class Cost:
    """A run: business days and raw records it brought, seconds of its jobs and of its whole process."""

    days: int
    records: int
    jobs: float
    whole: float


def main() -> None:
    """Prints a Markdown table and what a record costs."""
    options = _options()
    folder = Path(options.home or tempfile.mkdtemp(prefix="cdp-day-"))
    home, copy = folder / "history", folder / "run"
    last = business_day(options.days - 1)
    bulk = _history(home, options.people, options.days, last)
    costs = []
    for _ in range(options.repeat):
        for span in SPANS:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(home, copy, symlinks=True)
            os.sync()
            first = last + timedelta(days=1 if span else MOST_DAYS + 2)
            costs.append(_run(copy, span, first, first + timedelta(days=max(span, 1) - 1)))
            print(costs[-1], flush=True)
    print(table(bulk, best(costs)))
    if not options.home:
        shutil.rmtree(folder)


def _history(home: Path, people: int, days: int, last: date) -> Cost:
    """The home with its history and the days after it in landing, made when it is not there yet."""
    known = home / "bulk.json"
    if not known.is_file():
        shutil.rmtree(home, ignore_errors=True)
        make_brand(home, people, days + MOST_DAYS)
        cost = _run(home, days, business_day(0), last)
        known.write_text(json.dumps(astuple(cost)), encoding="utf-8")
    return Cost(*json.loads(known.read_text(encoding="utf-8")))


def _run(home: Path, days: int, first: date, last: date) -> Cost:
    """`cdp run` over the days in a process of its own."""
    command = [*CDP, "run", "--from", str(first), "--to", str(last), "--json"]
    watch = stopwatch()
    process = start(command, environment(home), out=subprocess.PIPE, err=None)
    told, _ = process.communicate()
    whole = watch()
    if process.returncode:
        raise SystemExit(f"the run of {days} days ended with exit code {process.returncode}")
    jobs = json.loads(told)["jobs"]
    records = sum(int(job["inputs"].get("records", 0)) for job in jobs if job["job"] == "s1_bronze")
    return Cost(days, records, round(sum(job["seconds"] for job in jobs), 2), round(whole, 2))


def best(costs: Sequence[Cost]) -> list[Cost]:
    """The fastest run of each span."""
    return [min((cost for cost in costs if cost.days == span), key=lambda cost: cost.jobs) for span in SPANS]


def table(bulk: Cost, costs: Sequence[Cost]) -> str:
    """The runs, and the cost of a record beside that of the bulk load: by jobs and by whole processes."""
    rows = ["| run | records | jobs s | whole s |", "|---|---|---|---|"]
    for name, cost in [(f"bulk, {bulk.days} days", bulk), *((f"{cost.days} days", cost) for cost in costs)]:
        rows.append(f"| {name} | {cost.records:,} | {cost.jobs} | {cost.whole} |")
    bringing = [cost for cost in costs if cost.records]
    for name in ("jobs", "whole"):
        seconds = attrgetter(name)
        peer = seconds(bulk) / bulk.records
        steep, fixed = linear_regression([cost.records for cost in bringing], [seconds(cost) for cost in bringing])
        one, empty = bringing[0], costs[0]
        over = (seconds(one) - seconds(empty)) / one.records
        rows += [
            "",
            f"{name}: bulk {peer * 1000:.3f} ms a record; each further record of a day {steep * 1000:.3f} ms, "
            f"{steep / peer:.2f} times bulk; anything new at all {fixed:.1f} s, an empty run {seconds(empty)} s; "
            f"a whole day over an empty one {over * 1000:.3f} ms a record, {over / peer:.2f} times bulk",
        ]
    return "\n".join(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--repeat", type=int, default=2, help="runs of each span; the fastest counts")
    parser.add_argument("--home", help="keep the history here instead of a temporary folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
