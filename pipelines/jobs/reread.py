"""Silver made anew from bronze: how the parsers and value maps of today read what came in at any time.

What is held follows from versions as the parsers of their day read them, so that a mended parser shows in new records
only. All of bronze is read into an empty lake by the very rules of a first run, and silver becomes what that lake
holds: rows that read the same stay untouched, others change, appear or go. Facts whose raw records were retired stay.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from pipelines.errors import InputRefusedError
from pipelines.jobs.context import RunContext, RunState
from pipelines.jobs.s1_bronze import Seen, why_refused
from pipelines.jobs.s3_derived import DRAWN, OBSERVATIONS, Days, observe_order_phones
from pipelines.jobs.s3_work import ROW_RULES
from pipelines.retention import newest_day
from pipelines.sources.config import Bounds, load_bounds
from pipelines.spec import Table
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake
from pipelines.store.ledger import unapplied_batches
from pipelines.store.local import LocalLake
from pipelines.store.marks import Marks
from pipelines.tables import ALL, SILVER

MARK = "reread"
"""Says that silver was begun to be made anew: the run after a crash takes it up."""

EVER = "0001-01-01", "9999-12-31"
BatchKey = tuple[str, str, str]
QUARANTINE, REJECTIONS = ALL["silver.quarantine"], ALL["identity.rejections"]
EVENTS, VAULT, LISTINGS = ALL["silver.events"], ALL["silver.pii_vault"], ALL["silver.group_listings"]
MADE = tuple(table for table in SILVER if table not in (QUARANTINE, VAULT))
ARRIVAL, FEED = "interval", "feed"


def is_due(home: Path, *, asked: bool) -> bool:
    """Whether silver is to be made anew: somebody asks for it, or a run that did was cut off."""
    return asked or Marks(home).is_set(MARK)


def every_batch(lake: Path) -> dict[BatchKey, int]:
    """All batches of the lake with their records in bronze."""
    return unapplied_batches(lake, *EVER, ignore_ledger=True)


def refuse_unread(context: RunContext, seen: dict[BatchKey, Seen]) -> None:
    """Few records of a feed are refused that were accepted before, and those are told of by their reason.

    Raises InputRefusedError above the share that an ingest may refuse: nothing was changed then.
    """
    expected = load_bounds(context.settings.conf)
    feeds: dict[str, Counter[str]] = {}
    for (feed, _, _), found in sorted(seen.items()):
        feeds.setdefault(feed, Counter()).update(found.counts)
    for feed, counts in feeds.items():
        told = why_refused(counts, expected.get(feed, Bounds()), context.settings.ingest)
        if told:
            raise InputRefusedError(
                f"records of bronze that were accepted would be refused now: {told}",
                where=f"bronze.{feed}",
                hint="mend the parser or value map, then run it again; nothing was changed",
            )
        bad = counts.total() - counts["good"]
        if bad:
            context.say(f"warning: {bad} of {counts.total()} records of bronze.{feed} are refused now and say nothing")


def reread(context: RunContext, build: Callable[[RunContext], object]) -> list[WriteResult]:
    """Silver holds what its staged rows give in an empty lake; `build` brings them into the lake of its context."""
    lake = context.lake
    folder = context.staging / MARK
    shutil.rmtree(folder, ignore_errors=True)
    made = Lake(lake.spark, folder, in_process=lake.in_process)
    _seed(lake.local, made.local)
    Marks(context.settings.home).set(MARK)
    build(replace(context, lake=made, state=RunState(staged=context.state.staged, spans=context.state.spans)))
    _draw_phones(context, made.local)
    _leave_aged(context, made.local)
    writes = lake.each(lambda name: _settle(lake, made, ALL[name]), [table.full_name for table in MADE])
    old, new = (_made_by_records(where.local.scan(REJECTIONS)).collect() for where in (lake, made))
    writes.append(lake.local.replace(REJECTIONS, old, new))
    writes.append(_settle_vault(lake.local, made.local))
    return writes


def _settle_vault(held: LocalLake, made: LocalLake) -> WriteResult:
    """New values are added; held ones get the hashed forms that the merchants' keys of today make of them."""
    added = held.append_new(VAULT, made.scan(VAULT).collect(), order=["key_id"])
    today = made.scan(VAULT).select("token", forms_now="forms")
    both = held.scan(VAULT).join(today, on="token").collect()
    other = both.filter(_as_text("forms") != _as_text("forms_now"))
    new = other.drop("forms").rename({"forms_now": "forms"})
    renewed = held.replace_keys(VAULT, new.select(VAULT.column_names), other.select("token"))
    return WriteResult(VAULT.full_name, added.inserted, renewed.updated, version=held.version(VAULT))


def _as_text(forms: str) -> pl.Expr:
    """The forms as one comparable text."""
    return pl.col(forms).list.eval(pl.element().struct.json_encode()).list.join("\n").fill_null("")


def _seed(held: LocalLake, made: LocalLake) -> None:
    """The new lake has the refused records, and the facts whose raw records were retired."""
    bronze = [table for table in ALL.layer("bronze") if held.exists(table)]
    days = {table.name: held.scan(table).select(ARRIVAL).unique().collect()[ARRIVAL] for table in bronze}
    oldest = min((day for found in days.values() for day in found), default=None)
    for table in (*MADE, REJECTIONS):
        if FEED in table.column_names:
            read = [(pl.col(FEED) == feed) & pl.col(ARRIVAL).is_in(found.implode()) for feed, found in days.items()]
            retired = ~pl.any_horizontal(pl.lit(value=False), *read)
        else:
            day = pl.col("listed_at").dt.date() if table is LISTINGS else pl.col(ARRIVAL)
            retired = pl.lit(value=True) if oldest is None else day < pl.lit(oldest)
        made.append(table, held.scan(table).filter(retired).collect())
    made.append(QUARANTINE, held.scan(QUARANTINE).collect())


def _draw_phones(context: RunContext, made: LocalLake) -> None:
    """The stitcher's evidence of decrypted phones is drawn anew; what still follows stays as it was first drawn."""
    observe_order_phones(made, context.policy, Days())
    drawn = pl.col("observation_id").str.starts_with(DRAWN)
    same = [*OBSERVATIONS.key, "content_hash"]
    again = made.scan(OBSERVATIONS).filter(drawn).select(same)
    held = context.lake.local.scan(OBSERVATIONS).filter(drawn).join(again, on=same, how="semi").collect()
    if held.height:
        made.replace_keys(OBSERVATIONS, held, held.select(OBSERVATIONS.key))


def _leave_aged(context: RunContext, made: LocalLake) -> None:
    """Behaviour past its time that the lake holds no more does not come back with its raw records."""
    days = context.settings.retention.events_days
    if days is None or not made.exists(EVENTS):
        return
    before = date.fromisoformat(newest_day(Path(context.lake.root))) - timedelta(days=days)
    held = context.lake.local.scan(EVENTS).select(EVENTS.key)
    aged = made.scan(EVENTS).filter(pl.col("business_date") < before).select(EVENTS.key)
    gone = aged.join(held, on=list(EVENTS.key), how="anti").collect()
    if gone.height:
        made.replace_keys(EVENTS, made.scan(EVENTS).head(0).collect(), gone)


def _settle(lake: Lake, made: Lake, table: Table) -> WriteResult:
    """The table holds the rows that were made of it."""
    if not lake.exists(table) and not made.exists(table):
        return WriteResult(table.full_name)
    if lake.in_process:
        return lake.local.replace_all(table, made.local.scan(table).collect())
    return lake.replace(table, made.read(table))


def _made_by_records(rejections: pl.LazyFrame) -> pl.LazyFrame:
    """The rejections that reading records makes; the others follow from the graph."""
    return rejections.filter(~(pl.col("rule").is_in(ROW_RULES) | pl.col("rule").str.starts_with("limit:")))
