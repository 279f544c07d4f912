"""What every command shares: its options, its output, the lock and the session around its work."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from pipelines.clock import clock_of, utc
from pipelines.errors import ConfigurationError
from pipelines.jobs.landing import check_interval
from pipelines.keys import Keys, load_keys, refuse_demo_keys
from pipelines.settings import Settings, load_settings
from pipelines.spans import Spans

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ConfigOption = Annotated[Path | None, typer.Option("--config", help="YAML file over the layered settings.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")]
WaitOption = Annotated[float, typer.Option("--wait", help="Seconds to wait for another run that holds the lake.")]

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str) -> None:
    """A line of progress on stderr."""
    console.print(line, markup=False)


def show(value: Any, *, as_json: bool, text: str = "") -> None:
    """The command's result on stdout: as JSON, or as text."""
    sys.stdout.write(
        (json.dumps(value, ensure_ascii=False, indent=1, default=str) if as_json else text or str(value)) + "\n"
    )


def settings_of(config: Path | None) -> Settings:
    """The layered settings of the command."""
    return load_settings(config).settings


def keys_of(settings: Settings) -> Keys:
    """The lake's keys; without them the command says to run `cdp init`."""
    refuse_demo_keys(settings.keys, settings.env)
    return load_keys(settings.keys)


def command_line() -> str:
    """The command as typed, for whoever has to wait for it; values that could be personal are left out."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:3]]
    return shlex.join(word for word in words if not word[:1].isdigit())


def business_days(first: str | None, last: str | None) -> tuple[str, str] | None:
    """The days from first to last, one of them standing for both; None when none is named."""
    for value in (first, last):
        if value is not None:
            check_interval(value)
    begin, end = first or last, last or first
    if begin is None or end is None:
        return None
    if begin > end:
        raise ConfigurationError(
            f"the first day {begin} lies after the last day {end}", where="--from", hint="swap the days"
        )
    return begin, end


@contextmanager
def writing(settings: Settings, wait: float = 0.0) -> Iterator[Spans]:
    """This process is the lake's only writer; the lock is taken before anything heavy starts.

    Gives spans that know what taking the lock took.
    """
    from pipelines.store.lock import writer_lock

    started = utc(clock_of(settings.clock)).isoformat(timespec="seconds")
    spans = Spans()
    with ExitStack() as stack:
        with spans.measure("lock"):
            stack.enter_context(writer_lock(settings.home, command_line(), started=started, wait=wait, tell=say))
        yield spans


@contextmanager
def cluster_session(settings: Settings) -> Iterator[Callable[[], SparkSession]]:
    """A function that gives a Spark session, started when it is first asked for and stopped at the end.

    Java is looked for at once: what is little today may be much tomorrow. So is what a killed run left on disk.
    """
    from pipelines.setup.java import java_home

    java_home()
    _scratch(settings)
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(spark_session(settings)))


@contextmanager
def spark_session(settings: Settings) -> Iterator[SparkSession]:
    """A Spark session of the settings, stopped at the end.

    What a killed run left on disk is gone: its shuffle files hold raw records. A reader, which holds no lock, has a
    folder of its own.
    """
    from pipelines.session import build_session
    from pipelines.store.lock import held_locks

    say("starting Spark")
    spark = build_session(
        work_dir=_scratch(settings),
        master=settings.spark.master,
        memory=settings.spark.memory,
        shuffle_partitions=settings.spark.shuffle_partitions,
        keep_open=held_locks(),
    )
    try:
        yield spark
    finally:
        spark.stop()


def _scratch(settings: Settings) -> Path:
    """The folder of the session's scratch files, without those of a killed run where this process holds the lock."""
    from pipelines.store.lock import held_locks

    if not held_locks():
        return settings.home / "spark-reading"
    shutil.rmtree(settings.home / "spark", ignore_errors=True)
    return settings.home / "spark"
