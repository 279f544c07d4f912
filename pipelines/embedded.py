"""The embedded session: frames computed in this process by Sail, which speaks Spark Connect; no JVM is started.

The jobs' DataFrame code is the same on the cluster and here. A day's few rows take less time here than Spark takes to
plan them.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import cast

from pyspark.sql import SparkSession

CONNECT = "SPARK_CONNECT_MODE_ENABLED"
"""PySpark's functions make columns for Spark Connect while this is in the environment, else for a JVM."""
SETTINGS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}


@cache
def embedded_session() -> SparkSession:
    """This process's embedded session, on a loopback port; its frames are made inside `connected()`."""
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    # Registered before the client's own farewell, so that it comes after.
    atexit.register(server.stop)
    _, port = server.listening_address
    with connected():
        session = ConnectSession(f"sc://127.0.0.1:{port}")
        for name, value in SETTINGS.items():
            session.conf.set(name, value)
    # The two kinds of session share their methods, not a base that has them all.
    return cast(SparkSession, session)


@contextmanager
def connected(*, on: bool = True) -> Iterator[None]:
    """Functions and windows are those of an embedded session inside the block, or with `on=False` those of the JVM."""
    before = os.environ.pop(CONNECT, None)
    if on:
        os.environ[CONNECT] = "1"
    try:
        yield
    finally:
        os.environ.pop(CONNECT, None)
        if before is not None:
            os.environ[CONNECT] = before
