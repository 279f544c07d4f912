"""Runs commands of `cdp` one after the other in forks of one process, on one JVM that stays.

A command of its own pays some ten seconds for Python's imports, a JVM and its first plans; here it pays for its work
alone. What runs is the command as it is: it opens its own Spark context, which is stopped when the command has ended or
was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]
MEMORY = "1g"


class Warm:
    """The process that commands are forked from; it ends with its block."""

    def __enter__(self) -> Warm:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def start(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """The command runs in a process group of its own; gives its process id."""
        assert self._process.stdin is not None
        order = {"words": list(words), "environment": dict(environment), "log": str(log)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def wait(self) -> int:
        """The exit code of the command that was started, negative for a signal; nothing of it runs any more."""
        return self._answer()

    def run(self, words: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """The exit code of a command nobody disturbs."""
        self.start(words, environment, log)
        return self.wait()

    def _answer(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the process that runs the commands has ended")
        return int(line)


def main() -> None:
    """Reads one order a line; answers with the process id, and with the exit code when the process has ended."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _import_all()
    with tempfile.TemporaryDirectory(prefix="cdp-warm-") as folder:
        gateway = _launch(Path(folder))
        for line in sys.stdin:
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _command(order, gateway)
            print(pid, file=answers, flush=True)
            _, status = os.waitpid(pid, 0)
            stopper = os.fork()
            if stopper == 0:
                _stop_context(gateway)
            os.waitpid(stopper, 0)
            print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _import_all() -> None:
    """Whatever a run imports is there before the first fork."""
    import great_expectations  # noqa: F401

    import pipelines.cli.app
    import pipelines.lineage
    import pipelines.migrate
    import pipelines.rebuilding
    import pipelines.runner
    import pipelines.verify  # noqa: F401


def _launch(folder: Path) -> dict[str, str]:
    """A JVM that has Spark and Delta and no context yet; gives how to reach it."""
    from pyspark import SparkConf
    from pyspark.java_gateway import launch_gateway

    from pipelines.session import launch_environment, session_config
    from pipelines.setup.jars import jar_paths

    os.environ |= launch_environment("local[2]")
    config = session_config(master="local[2]", memory=MEMORY, work_dir=folder, jars=jar_paths(), shuffle_partitions=2)
    conf = SparkConf(loadDefaults=False).setAll(list(config.items()))
    gateway = launch_gateway(conf, {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL})  # type: ignore[no-untyped-call]  # pyspark has none
    parameters = gateway.gateway_parameters
    known = {"PYSPARK_GATEWAY_PORT": str(parameters.port), "PYSPARK_GATEWAY_SECRET": str(parameters.auth_token)}
    gateway.close()
    return known


def _command(order: dict[str, object], gateway: Mapping[str, str]) -> None:
    from pipelines.cli.app import main as cdp

    os.setsid()
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for name in [name for name in os.environ if name.startswith("CDP_")]:
        del os.environ[name]
    given = order["environment"]
    assert isinstance(given, dict)
    os.environ |= {**given, **gateway}
    words = order["words"]
    assert isinstance(words, list)
    sys.argv = ["cdp", *words]
    code: object = 1
    try:
        cdp()
    except SystemExit as ended:
        code = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by the interpreter's own end: libraries would wait for threads that only the process before the fork had.
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _stop_context(gateway: Mapping[str, str]) -> None:
    """Whatever a killed command left running in the JVM has ended."""
    from pyspark.java_gateway import launch_gateway

    os.environ |= gateway
    jvm = launch_gateway().jvm  # type: ignore[no-untyped-call]  # pyspark has none
    left = jvm.org.apache.spark.SparkContext.getActive()
    if left.isDefined():
        left.get().stop()
    os._exit(0)


if __name__ == "__main__":
    main()
