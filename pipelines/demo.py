"""The demo: a simulated brand through the whole pipeline, measured against its truth, then served."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from identity.policy import Policy
from pipelines.clock import stopwatch
from pipelines.evaluate import compare_books, evaluate
from pipelines.jobs.context import Say
from pipelines.keys import create_demo_keys, load_keys
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import Settings
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.spans import SAFETY, Spans
from pipelines.store.versions import rows_of
from pipelines.tables import ALL
from pipelines.verify import refuse_damage
from pipelines.via_api import PULLED, bring_via_api

START = "2025-01-01"
MIX_KEYS = "demo_brand: demo_key\n"


@dataclass(frozen=True)
class World:
    """Size, window, seed and dirt of a simulated brand; `dirt` is a factor on the default rates.

    With `via_api` what pull clients can fetch is pulled from a server that plays the platforms.
    """

    people: int = 20_000
    days: int = 90
    start: str = START
    seed: int = 7
    dirt: float = 1.0
    via_api: bool = False


def simulate_brand(out: Path, world: World, say: Say) -> dict[str, Any]:
    """A simulated brand's raw data lies under `out/landing`, its truth under `out/truth`; gives counts per feed."""
    config = SimulationConfig(
        people=world.people,
        days=world.days,
        start=world.start,
        seed=world.seed,
        dirt=Dirt.default().scaled(world.dirt),
    )
    watch = stopwatch()
    told = [0.0]

    def progress(stage: str, done: int, total: int) -> None:
        if watch() - told[0] >= 2.0:
            told[0] = watch()
            say(f"simulating: {stage} {done}/{total}")

    feeds = dict(simulate(config, out, progress=progress).records)
    if world.via_api:
        # Of the other feeds, what the platforms tell comes beside what was pushed and written.
        brought = Counter(bring_via_api(out, out / "landing", config, say).records)
        feeds = dict(brought + Counter({feed: count for feed, count in feeds.items() if feed not in PULLED}))
    records = sum(feeds.values())
    say(f"simulated {world.people} people over {world.days} days: {records} records in {watch():.1f} s")
    return {
        "people": world.people,
        "days": world.days,
        "records": records,
        "feeds": dict(sorted(feeds.items())),
        "seconds": round(watch(), 1),
    }


def run_demo(settings: Settings, world: World, say: Say, *, serve: bool, report: Path) -> None:
    """History and one more day ran, `report` holds what happened, and the API serves it if asked.

    The demo's keys are fixed so that two demos give equal tables; a lake with demo keys refuses to start in production.
    """
    from pipelines.cli.common import cluster_session, writing

    last = date.fromisoformat(START) + timedelta(days=world.days)
    history_end = (last - timedelta(days=1)).isoformat()
    watch = stopwatch()
    with writing(settings) as spans:
        create_demo_keys(settings.keys, MIX_KEYS)
        simulated = simulate_brand(settings.home, replace(world, days=world.days + 1), say)
        pipeline = stopwatch()
        with cluster_session(settings) as cluster:
            say(f"== history: {START} to {history_end}")
            history = run_pipeline(cluster, settings, RunRequest(START, history_end), say, spans=spans)
        say(f"== one more day: {last.isoformat()}")
        spans = Spans()
        with spans.measure("verify"):
            refuse_damage(settings.home)
        # As a scheduler would start it: the history's JVM would hold memory and a core while the day runs without one.
        with cluster_session(settings) as cluster:
            day = run_pipeline(cluster, settings, RunRequest(last.isoformat(), last.isoformat()), say, spans=spans)
        pipeline_seconds = round(pipeline(), 1)
    summary = build_report(settings, simulated, [history, day]) | {
        "pipeline_seconds": pipeline_seconds,
        "total_seconds": round(watch(), 1),
        "safety_share": safety_share([history, day], pipeline_seconds),
    }
    report.write_text(json.dumps(summary, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
    _tell(summary, report, say)
    if serve:
        from pipelines.cli.server import serve_demo

        serve_demo(settings, load_keys(settings.keys), say)


def safety_share(runs: list[dict[str, Any]], seconds: float) -> float:
    """The share of the time that went into lock, verification, quarantine and manifests."""
    spent = sum(float(run["spans"].get(name, 0.0)) for run in runs for name in SAFETY)
    return round(spent / seconds, 4)


def build_report(settings: Settings, simulated: dict[str, Any], runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What happened, as plain data: rows per table, balances, refusals, OneIDs, accuracy, books, seconds per job."""
    keys = load_keys(settings.keys)
    policy = Policy.load(settings.conf / settings.identity.policy_file)
    truth = settings.home / "truth"
    return {
        "simulated": simulated,
        "runs": runs,
        "tables": table_rows(settings.lake),
        "balance": balance(settings.lake),
        "refused": refused(settings.lake),
        "changes": identity_changes(settings.lake),
        "accuracy": evaluate(settings.home, truth, policy, keys.identity),
        "books": compare_books(settings.home, truth),
    }


def table_rows(lake: Path) -> dict[str, int]:
    """Rows of every table that exists."""
    counts: dict[str, int] = {}
    for table in ALL.tables:
        rows = rows_of(lake, table.full_name, "SELECT count(*) AS n FROM t")
        if rows:
            counts[table.full_name] = int(rows[0]["n"])
    return counts


def balance(lake: Path) -> list[dict[str, Any]]:
    """Per feed: records in, good, duplicate, quarantined, suppressed."""
    sums = ", ".join(
        f"sum({name})::BIGINT AS {name}" for name in ("records_in", "good", "duplicate", "quarantined", "suppressed")
    )
    return rows_of(lake, "ops.batches", f"SELECT feed, {sums} FROM t GROUP BY feed ORDER BY feed")


def refused(lake: Path) -> dict[str, dict[str, int]]:
    """Refused records by reason and refused identifiers by rule."""
    result: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows_of(
        lake, "silver.quarantine", "SELECT reason, count(*) AS n FROM t GROUP BY reason ORDER BY reason"
    ):
        result["records"][row["reason"]] = int(row["n"])
    for row in rows_of(lake, "identity.rejections", "SELECT rule, count(*) AS n FROM t GROUP BY rule ORDER BY rule"):
        result["identifiers"][row["rule"]] = int(row["n"])
    return dict(result)


def identity_changes(lake: Path) -> dict[str, int]:
    """OneIDs by status and changes by kind."""
    found = rows_of(
        lake, "identity.oneids", "SELECT 'one_ids_' || status AS name, count(*) AS n FROM t GROUP BY status ORDER BY 1"
    )
    found += rows_of(
        lake, "identity.oneid_changes", "SELECT change AS name, count(*) AS n FROM t GROUP BY change ORDER BY 1"
    )
    return {row["name"]: int(row["n"]) for row in found}


def _tell(summary: dict[str, Any], report: Path, say: Say) -> None:
    for row in summary["balance"]:
        say(
            f"{row['feed']:<20} in {row['records_in']} = good {row['good']} + duplicate {row['duplicate']}"
            f" + quarantined {row['quarantined']} + suppressed {row['suppressed']}"
        )
    for name, rows in summary["tables"].items():
        say(f"{name:<36} {rows:>10} rows")
    say(f"refused: {summary['refused']}")
    say(f"OneIDs: {summary['changes']}")
    say(f"accuracy: {summary['accuracy']}")
    for book in summary["books"]:
        days = f"on each of {book['days']} business days of its shops"
        say(f"books {book['platform']}: {book if book['days_wrong'] else f'equal to the fen {days}'}")
    say(f"lock, verification, quarantine and manifests took {summary['safety_share']:.1%} of the pipeline")
    say(f"pipeline {summary['pipeline_seconds']} s, with simulation {summary['total_seconds']} s; report in {report}")
