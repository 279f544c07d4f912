"""The catalog of jobs refuses what could not run, naming both sides."""

from __future__ import annotations

import pytest

from pipelines.catalog import BRONZE, FACTS, JOBS, Catalog, Job
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.tables import ALL


def run(context: RunContext) -> JobOutcome:
    return JobOutcome()


def job(name: str, reads: tuple[str, ...] = (), writes: tuple[str, ...] = (), shared: tuple[str, ...] = ()) -> Job:
    return Job(name, "A job", run, reads, writes, shared)


def test_a_job_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="job a is listed twice"):
        Catalog((job("a"), job("a")))


def test_a_table_with_two_writers_is_refused_naming_both() -> None:
    with pytest.raises(ValueError, match=r"silver\.orders is written by a and by b"):
        Catalog((job("a", writes=("silver.orders",)), job("b", writes=("silver.orders",))))


@pytest.mark.parametrize("place", ["reads", "writes", "shared"])
def test_an_unknown_table_is_refused_naming_the_job(place: str) -> None:
    with pytest.raises(ValueError, match=r"job a names the unknown table silver\.order"):
        Catalog((job("a", **{place: ("silver.order",)}),))


def test_reading_what_only_a_later_job_writes_is_refused_naming_both() -> None:
    with pytest.raises(ValueError, match=r"job a reads silver\.orders, which the later job b writes"):
        Catalog((job("a", reads=("silver.orders",)), job("b", writes=("silver.orders",))))


def test_a_job_may_read_what_it_writes_itself() -> None:
    Catalog((job("a", reads=("silver.orders",), writes=("silver.orders",)),))


def test_several_jobs_may_append_to_a_shared_table() -> None:
    Catalog((job("a", shared=("silver.quarantine",)), job("b", shared=("silver.quarantine",))))


def test_every_layer_is_written_by_the_jobs_of_a_run() -> None:
    written = {table for job in JOBS.jobs for table in (*job.writes, *job.shared)}
    layers = [t.full_name for layer in ("bronze", "silver", "features", "gold") for t in ALL.layer(layer)]
    assert sorted(set(layers) - written) == []


def test_the_jobs_of_a_run_come_in_the_order_of_their_layers() -> None:
    assert [job.name[:2] for job in JOBS.jobs] == ["s1", "s2", "s3", "s4", "s5", "s6"]


def test_ingest_reads_no_table_and_writes_every_feed() -> None:
    first = JOBS.jobs[0]
    assert first.reads == ()
    assert set(BRONZE) <= set(first.writes)
    assert "silver.quarantine" not in FACTS
