"""The session reads and writes Delta with the settings the lake relies on, and refuses early."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipelines import session
from pipelines.errors import CdpError, ExitCode
from pipelines.session import build_session, session_config

JARS = [Path("/jars/delta.jar")]


def config(**changes: object) -> dict[str, str]:
    values = {"master": "local[2]", "memory": "1g", "work_dir": Path("/w"), "jars": JARS, "shuffle_partitions": 3}
    return session_config(**{**values, **changes})  # type: ignore[arg-type]  # test factory


def test_jars_are_given_by_path_so_that_no_resolver_runs() -> None:
    settings = config()
    assert settings["spark.jars"] == "/jars/delta.jar"
    assert "spark.jars.packages" not in settings


def test_workers_use_the_same_python_as_the_driver() -> None:
    assert config()["spark.pyspark.python"] == sys.executable


def test_a_local_session_listens_on_loopback_only() -> None:
    assert config()["spark.driver.bindAddress"] == "127.0.0.1"


def test_a_cluster_session_may_be_reached_by_its_executors() -> None:
    assert "spark.driver.host" not in config(master="spark://head:7077")


def test_without_a_suitable_java_no_jvm_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_java() -> Path:
        raise CdpError(ExitCode.USAGE, "Spark needs Java 17")

    monkeypatch.setattr(session, "java_home", no_java)
    monkeypatch.setattr(subprocess, "Popen", pytest.fail)
    with pytest.raises(CdpError, match="Java 17"):
        build_session(work_dir=tmp_path, jars=JARS)


def test_without_the_jars_no_jvm_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_CACHE", str(tmp_path / "empty"))
    with pytest.raises(CdpError, match=r"delta-storage-4\.4\.0\.jar is missing"):
        build_session(work_dir=tmp_path)


@pytest.mark.spark
def test_a_delta_table_is_written_without_reader_features(spark: SparkSession, tmp_path: Path) -> None:
    table = str(tmp_path / "table")
    spark.range(5).write.format("delta").save(table)
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{table}`").first()
    assert detail is not None
    assert (detail["minReaderVersion"], detail["tableFeatures"]) == (1, ["appendOnly", "invariants"])


@pytest.mark.spark
def test_times_are_read_and_shown_in_utc(spark: SparkSession) -> None:
    row = spark.sql("SELECT CAST(timestamp_millis(0) AS STRING) AS moment").first()
    assert row is not None
    assert row["moment"] == "1970-01-01 00:00:00"


@pytest.mark.spark
def test_a_broken_cast_fails_instead_of_giving_null(spark: SparkSession) -> None:
    with pytest.raises(Exception, match="CAST_INVALID_INPUT"):
        spark.sql("SELECT CAST('x' AS INT)").collect()


@pytest.mark.spark
def test_python_workers_find_this_environment(spark: SparkSession) -> None:
    def where(batches: object) -> object:
        import pandas as pd

        for _ in batches:  # type: ignore[attr-defined]  # an iterator of frames
            yield pd.DataFrame({"python": [sys.executable]})

    rows = spark.range(1).mapInPandas(where, "python string").collect()  # type: ignore[arg-type]
    assert [row["python"] for row in rows] == [sys.executable]
