"""What a run knows and hands from job to job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pyspark.sql import DataFrame

from identity import Policy
from pipelines.clock import Clock
from pipelines.jobs.landing import Batch
from pipelines.jobs.worker import WorkerSetup
from pipelines.keys import Keys
from pipelines.settings import Settings
from pipelines.spans import Spans
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake

Say = Callable[[str], None]
DOUBLED = {"__batch": pl.String, "__place": pl.String}
REFUNDED = {"platform": pl.String, "order_id": pl.String}
MOVED = {"identifier_key": pl.Int64, "was": pl.String, "now": pl.String}


@dataclass
class RunState:
    """What earlier jobs of this run found out; a run that was cut off makes the next one look at everything.

    `staged`: staged files by full table name; `staged_batches`: batches they hold; `doubled`: their records that came
    twice, by `__batch` and `__place`; `touched`: surrogate keys whose facts or OneID changed; `touch_all`: take
    everybody as touched; `refunded`: `platform`, `order_id` of the orders whose refunds may have changed; `moved`:
    identifiers whose OneID changed (`identifier_key`, `was`, `now`); `people`: `one_id` of the people s4 looked at
    (None: all); `retagged`: `one_id`, `tag` of the tags that s5 wrote or took away (None: may be any); `spans`: where
    its time went beside the jobs.
    """

    staged: dict[str, list[str]] = field(default_factory=dict)
    staged_batches: frozenset[tuple[str, str, str]] = frozenset()
    doubled: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DOUBLED))
    refused_batches: tuple[str, ...] = ()
    touched: list[pl.DataFrame] = field(default_factory=list)
    touch_all: bool = False
    refunded: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REFUNDED))
    moved: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MOVED))
    people: DataFrame | None = None
    retagged: pl.DataFrame | None = None
    spans: Spans = field(default_factory=Spans)


@dataclass
class RunContext:
    """One run over the business days `first` to `last` with everything its jobs need.

    `lake` computes in this process or on the cluster; `cluster` opens it on the cluster whatever its size. `batches`:
    batches to ingest (None: what lies in landing for the days). `as_of` is the business day the run answers for: its
    last, or in a backfill the newest the lake has seen. `reread`: silver is made anew from all of bronze.
    """

    lake: Lake
    cluster: Callable[[], Lake]
    settings: Settings
    keys: Keys
    policy: Policy
    setup: WorkerSetup
    run_id: str
    first: str
    last: str
    as_of: str
    clock: Clock
    say: Say
    full: bool = False
    batches: tuple[Batch, ...] = ()
    ignore_ledger: bool = False
    reread: bool = False
    state: RunState = field(default_factory=RunState)

    @property
    def staging(self) -> Path:
        """The folder of this run's staged files."""
        return Path(self.setup.staging)


@dataclass
class JobOutcome:
    """What a job did: `skipped` with the reason, or the writes it made."""

    writes: list[WriteResult] = field(default_factory=list)
    rows_in: dict[str, int] = field(default_factory=dict)
    skipped: str = ""
    detail: str = ""
