"""What every test may rely on: UTC, fixed seeds, one Spark session for the whole run, golden files."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import settings as hypothesis_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.store.lake import Lake

ROOT = Path(__file__).resolve().parents[1]
SEED = 20250301

os.environ["TZ"] = "UTC"
time.tzset()
if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores among them. Threads of their own would only wake and yield for a few rows: a quarter
    # of the fast tests' time. It has to stand here, before anything imports polars or numpy.
    for name in ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
gc.set_threshold(50_000, 20, 100)  # what collection makes stays: to search it for garbage took it a fifth longer
hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis_settings.load_profile("repeatable")

Golden = Callable[[str, Path], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--golden` rewrites the golden files instead of comparing with them."""
    parser.addoption("--golden", action="store_true", help="rewrite the golden files from what the product says now")


def pytest_collection_finish() -> None:
    """What collection left behind, thousands of tests and their modules, is not searched for garbage any more.

    It stays to the end anyhow, and searching it again and again took a sixth of the fast tests' time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Flushing to disk is left out: it would wait for whatever else the machine writes, and no test cuts the power.

    That it is done, and in which order, tests prove that put a counter of their own in its place.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread_per_database() -> Iterator[None]:
    """DuckDB, too, has one thread in each of several workers."""
    with pytest.MonkeyPatch.context() as patch:
        if "PYTEST_XDIST_WORKER" in os.environ:
            connect = duckdb.connect

            def narrow(*place: Any, config: dict[str, Any] | None = None, **options: Any) -> duckdb.DuckDBPyConnection:
                return connect(*place, config={"threads": 1} | (config or {}), **options)

            patch.setattr(duckdb, "connect", narrow)
        yield


@pytest.fixture(autouse=True)
def _seeded() -> None:
    random.seed(SEED)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The one Spark session of the test run, small and with Delta."""
    from pipelines.session import build_session

    session = build_session(
        work_dir=tmp_path_factory.mktemp("spark"), memory=os.environ.get("CDP_TEST_MEMORY", "2g"), shuffle_partitions=2
    )
    # A test's rows are few and its plans many: compiling each plan would cost more than all rows together.
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """An empty lake of the test's own."""
    from pipelines.store.lake import Lake

    return Lake(spark, tmp_path / "lake")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real reference data beside the checkout; the test is skipped where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("reference data is not on this machine")
    return folder


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with a golden file; `make golden` rewrites the file instead, and review reads the difference."""
    rewrite = bool(request.config.getoption("--golden"))

    def check(text: str, path: Path) -> None:
        if rewrite:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"{path} is missing; make golden writes it"
        assert text == path.read_text(encoding="utf-8"), f"{path} is out of date; make golden rewrites it"

    return check
