"""What nobody expected still ends as one refusal with the code that says whether to try again."""

from __future__ import annotations

import errno
import json
import sqlite3

import pytest

from pipelines.cli import app as cli
from pipelines.cli.app import as_failure
from pipelines.errors import ExitCode
from serving.errors import StorageFullError


class Py4JNetworkError(Exception):
    """As the bridge to the JVM names it."""


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "refused"), ConnectionResetError(), Py4JNetworkError()])
def test_a_spark_process_that_ended_is_named_and_may_be_tried_again(error: Exception) -> None:
    refusal = as_failure(error)
    assert (refusal.code, "Spark process ended" in refusal.message) == (ExitCode.STORAGE, True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_storage_is_named(number: int) -> None:
    refusal = as_failure(OSError(number, "full"))
    assert (refusal.code, "storage is full" in refusal.message) == (ExitCode.STORAGE, True)


class PanicException(BaseException):  # as libraries written in Rust name it
    """Not an Exception, so that nobody catches it by accident."""


@pytest.mark.parametrize(
    "error",
    [
        PanicException('called `Result::unwrap()` on an `Err` value: General("Already shut down")'),
        sqlite3.OperationalError("database or disk is full"),
        StorageFullError("snapshots"),
        RuntimeError("Generic LocalFileSystem error: No space left on device (os error 28)"),
    ],
)
def test_full_storage_is_named_whatever_library_says_it(error: BaseException) -> None:
    refusal = as_failure(error)
    assert (refusal.code, "storage is full" in refusal.message) == (ExitCode.STORAGE, True)


def test_a_panic_of_a_library_ends_the_command_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def panic(**_options: object) -> None:
        raise PanicException("13912345678")

    monkeypatch.setattr(cli, "_command", lambda _: panic)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().err
    assert ended.value.code == ExitCode.INTEGRITY
    assert json.loads(told.splitlines()[-1])["message"] == "unexpected PanicException"
    assert "139" not in told


def test_other_storage_failures_name_the_place() -> None:
    refusal = as_failure(PermissionError(errno.EACCES, "Permission denied", "/some/where"))
    assert (refusal.code, refusal.where) == (ExitCode.STORAGE, "/some/where")


def test_the_text_of_an_unknown_error_is_not_shown() -> None:
    refusal = as_failure(ValueError("13912345678"))
    assert (refusal.code, refusal.message) == (ExitCode.INTEGRITY, "unexpected ValueError")
