"""The Spark session of a run: Delta tables on one machine or a cluster, with settings measured on two cores.

One session serves a whole pipeline run: the first write and MERGE of a process cost seconds of warm-up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from pipelines.embedded import connected
from pipelines.setup.jars import jar_paths
from pipelines.setup.java import java_home

_LOG4J = Path(__file__).with_name("log4j2.properties")

_DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Delta reads its own log with 50 tasks by default; our tables' logs are small.
    "spark.databricks.delta.snapshotPartitions": "2",
    # Not every reader of the lake knows deletion vectors, and values would stay readable in the old files.
    "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
    "spark.databricks.delta.schema.autoMerge.enabled": "false",
}

_SQL: Mapping[str, str] = {
    # Spark's default is a form of its own (INT96), which other readers take for nanoseconds without a zone.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.adaptive.coalescePartitions.enabled": "true",
    # Plans are described after every stage for screens nobody opens; in full that costs more than a small day.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.maxPlanStringLength": "1000",
    "spark.sql.debug.maxToStringFields": "4",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A silent fall-back to row-by-row conversion would hide a type that Arrow cannot carry.
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
    "spark.sql.catalogImplementation": "in-memory",
}

_JVM = "-XX:+UseParallelGC"
"""A concurrent collector would take one of few cores for itself."""

_QUIET: Mapping[str, str] = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def session_config(
    *, master: str, memory: str, work_dir: Path, jars: Sequence[Path], shuffle_partitions: int
) -> dict[str, str]:
    """Every Spark setting of a session, as text; what only holds on one machine is left out for a cluster master."""
    config = {
        **_DELTA,
        **_SQL,
        **_QUIET,
        "spark.master": master,
        "spark.driver.memory": memory,
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.sql.shuffle.partitions": str(shuffle_partitions),
        "spark.local.dir": str(work_dir / "local"),
        "spark.sql.warehouse.dir": str(work_dir / "warehouse"),
        # Workers would use the `python3` of the PATH, which lacks this environment's packages.
        "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable,
        "spark.driver.extraJavaOptions": f"{_JVM} -Duser.timezone=UTC -Dlog4j2.configurationFile={_LOG4J.as_uri()}",
    }
    if master.startswith("local"):
        config |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return config


def build_session(
    *,
    work_dir: Path,
    master: str = "local[2]",
    memory: str = "4g",
    jars: Sequence[Path] | None = None,
    shuffle_partitions: int = 4,
    keep_open: Sequence[int] = (),
) -> SparkSession:
    """A running Spark session that reads and writes the lake's Delta tables.

    The JVM keeps the descriptors of `keep_open` open: one that outlives a killed parent goes on holding its locks.
    Scratch files and the warehouse lie under `work_dir`; `memory` is that of the driver JVM (in local mode: of
    everything). Raises CdpError (usage) before any JVM is started when Java or a Delta jar is missing or unsuitable.
    """
    environment = launch_environment(master)
    chosen = jar_paths() if jars is None else jars
    config = session_config(
        master=master, memory=memory, work_dir=work_dir.resolve(), jars=chosen, shuffle_partitions=shuffle_partitions
    )
    for folder in ("local", "warehouse"):
        (work_dir / folder).mkdir(parents=True, exist_ok=True)
    os.environ |= environment
    with connected(on=False):
        if keep_open and SparkContext._gateway is None:
            conf = SparkConf().setAppName("cdp").setAll(list(config.items()))
            SparkContext(conf=conf, gateway=_gateway(conf, keep_open))
        builder = SparkSession.builder.appName("cdp")
        for key, value in config.items():
            builder = builder.config(key, value)
        return builder.getOrCreate()


def launch_environment(master: str) -> dict[str, str]:
    """What the launcher of a JVM reads from the environment only; a foreign SPARK_HOME would start another Spark."""
    local = {"SPARK_LOCAL_IP": "127.0.0.1"} if master.startswith("local") else {}
    return {
        "JAVA_HOME": str(java_home()),
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        **local,
    }


def _gateway(conf: SparkConf, keep_open: Sequence[int]) -> Any:
    """A JVM that inherits these descriptors."""
    return launch_gateway(conf, {"pass_fds": tuple(keep_open)})  # type: ignore[no-untyped-call]  # pyspark has none
