"""The jobs of the pipeline, listed once in order, with what each reads and writes.

Building the catalog fails, naming both sides, on a duplicate job, a table with two writers, an unknown table, or a job
that reads what only a later job writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.jobs import s1_bronze, s2_silver, s3_identity, s4_features, s5_tags, s6_gold
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.tables import ALL, SILVER
from pipelines.tables.bronze import FEEDS

BRONZE = tuple(f"bronze.{feed}" for feed in FEEDS)
FACTS = tuple(table.full_name for table in SILVER if table.full_name != "silver.quarantine")
IDENTITY = tuple(table.full_name for table in ALL.layer("identity"))
FEATURES = tuple(table.full_name for table in ALL.layer("features"))
GOLD = tuple(table.full_name for table in ALL.layer("gold"))
TAGS = tuple(name for name in FEATURES if "tag" in name)


@dataclass(frozen=True)
class Job:
    """A step of the run: a function of the run's context with the tables it reads and writes.

    `shared` tables are appended to by several jobs; `derives`: all it writes follows from tables of earlier jobs.
    """

    name: str
    doc: str
    run: Callable[[RunContext], JobOutcome]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    shared: tuple[str, ...] = ()
    derives: bool = False


@dataclass(frozen=True)
class Catalog:
    """The jobs in their order, checked."""

    jobs: tuple[Job, ...]

    def __post_init__(self) -> None:
        names: set[str] = set()
        writer: dict[str, str] = {}
        for job in self.jobs:
            if job.name in names:
                raise ValueError(f"job {job.name} is listed twice")
            names.add(job.name)
            for table in (*job.reads, *job.writes, *job.shared):
                if table not in ALL.by_name:
                    raise ValueError(f"job {job.name} names the unknown table {table}")
            for table in job.writes:
                if table in writer:
                    raise ValueError(f"{table} is written by {writer[table]} and by {job.name}")
                writer[table] = job.name
        self._check_order(writer)

    def _check_order(self, writer: dict[str, str]) -> None:
        position = {job.name: place for place, job in enumerate(self.jobs)}
        for job in self.jobs:
            for table in job.reads:
                source = writer.get(table)
                if source is not None and position[source] > position[job.name]:
                    raise ValueError(f"job {job.name} reads {table}, which the later job {source} writes")


JOBS = Catalog(
    (
        Job(
            "s1_bronze",
            "landing files to raw records",
            s1_bronze.run,
            (),
            (*BRONZE, "ops.batches"),
            ("silver.quarantine",),
        ),
        Job(
            "s2_silver",
            "raw records to typed facts and observations",
            s2_silver.run,
            (*BRONZE, "ops.batches"),
            tuple(name for name in FACTS if name != "silver.identity_observations"),
            ("ops.progress", "identity.rejections", "silver.identity_observations"),
        ),
        Job("s3_identity", "observations to OneIDs", s3_identity.run, FACTS, IDENTITY),
        Job(
            "s4_features",
            "facts to features per OneID",
            s4_features.run,
            (*FACTS, *IDENTITY),
            tuple(n for n in FEATURES if n not in TAGS),
            derives=True,
        ),
        Job("s5_tags", "features to tags with reasons", s5_tags.run, FEATURES, TAGS, derives=True),
        Job(
            "s6_gold",
            "facts and features to the star schema",
            s6_gold.run,
            (*FACTS, *IDENTITY, *FEATURES),
            GOLD,
            derives=True,
        ),
    )
)
"""Every job of a run, in order; publishing follows when all are done and the checks hold."""
