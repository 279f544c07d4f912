"""What nobody expected still ends as one refusal with the code that says whether to try again."""

from __future__ import annotations

import errno

import pytest

from pipelines.cli.app import _unexpected
from pipelines.errors import ExitCode


class Py4JNetworkError(Exception):
    """As the bridge to the JVM names it."""


@pytest.mark.parametrize("error", [ConnectionRefusedError(111, "refused"), ConnectionResetError(), Py4JNetworkError()])
def test_a_spark_process_that_ended_is_named_and_may_be_tried_again(error: Exception) -> None:
    refusal = _unexpected(error)
    assert (refusal.code, "Spark process ended" in refusal.message) == (ExitCode.STORAGE, True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_storage_is_named(number: int) -> None:
    refusal = _unexpected(OSError(number, "full"))
    assert (refusal.code, "storage is full" in refusal.message) == (ExitCode.STORAGE, True)


def test_other_storage_failures_name_the_place() -> None:
    refusal = _unexpected(PermissionError(errno.EACCES, "Permission denied", "/some/where"))
    assert (refusal.code, refusal.where) == (ExitCode.STORAGE, "/some/where")


def test_the_text_of_an_unknown_error_is_not_shown() -> None:
    refusal = _unexpected(ValueError("13912345678"))
    assert (refusal.code, refusal.message) == (ExitCode.INTEGRITY, "unexpected ValueError")
