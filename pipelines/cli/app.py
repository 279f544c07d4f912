"""The `cdp` command: every command is mounted here, every failure ends here with its exit code."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
import traceback
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import typer

from identity.errors import IdentityError
from pipelines.cli import dag, housekeeping, identity, lake, pull, quarantine, repair, run
from pipelines.errors import CdpError, ExitCode

app = typer.Typer(
    name="cdp",
    help="OneID customer-data platform: raw platform data in, OneIDs, profiles and tags out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
run.mount(app)
lake.mount(app)
repair.mount(app)
quarantine.mount(app)
housekeeping.mount(app)
dag.mount(app)
identity.mount(app)
pull.mount(app)

FULL = (
    "No space left on device",
    "ENOSPC",
    "Disk quota exceeded",
    "database or disk is full",
    "no room left for the serving snapshot",
    "Already shut down",
)
"""The last is what delta-rs says, in a panic, when it cannot close a file that it could not write."""


def main() -> NoReturn:
    """The command runs; on failure the last line on stderr is one JSON object, and the exit code says what it was."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        _command(app)(standalone_mode=False)
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        _fail(_misused(error), debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        _fail(
            CdpError(ExitCode.USAGE, "stopped by the user", hint="run the same command again, it continues"),
            debug=debug,
        )
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  # the last resort turns anything unknown, panics too, into one line
        _fail(as_failure(error), debug=debug)
    sys.exit(0)


@cache
def _command(commands: typer.Typer) -> Callable[..., object]:
    """All commands, read from their functions once in a process: it takes as long as a small command."""
    return typer.main.get_command(commands)


def _misused(error: typer.TyperException) -> CdpError:
    """What was typed wrongly; long numbers and Chinese words of it are masked, they may be somebody's."""
    from pipelines.status import mask_text

    where = getattr(getattr(error, "ctx", None), "command_path", "cdp")
    message = mask_text(error.format_message()) or "no command was given"
    return CdpError(ExitCode.USAGE, message, where=where, hint=f"see `{where} --help`")


def as_failure(error: BaseException) -> CdpError:
    """What a user is told of an error.

    Full storage and a lost Spark process are told apart; of anything else only the type is shown, its text may hold
    data.
    """
    if isinstance(error, CdpError):
        return error
    if isinstance(error, IdentityError):
        return CdpError(ExitCode(error.code), error.message, where=error.where, hint=error.hint)
    text = str(error)
    if (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or any(
        sign in text for sign in FULL
    ):
        return CdpError(
            ExitCode.STORAGE,
            "the storage is full; nothing half-written was published",
            hint="free space and run the same command again",
        )
    if isinstance(error, ConnectionError) or type(error).__name__ == "Py4JNetworkError":
        return CdpError(
            ExitCode.STORAGE,
            "the Spark process ended in the middle of its work: killed, or out of memory",
            hint="look at the memory (spark.memory) and run the same command again, it continues",
        )
    if isinstance(error, OSError):
        place = str(error.filename or "")
        return CdpError(
            ExitCode.STORAGE,
            f"storage failed: {error.strerror or type(error).__name__}",
            where=place,
            hint="check the path and its rights",
        )
    return CdpError(
        ExitCode.INTEGRITY, f"unexpected {type(error).__name__}", hint="run again with --debug for the details"
    )


def _fail(error: CdpError, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    # Where the words go to a file on the storage that is full, the exit code still says what happened.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"next:  {error.hint}\n")
        sys.stderr.write(json.dumps(error.as_json(), ensure_ascii=False) + "\n")
        sys.stderr.flush()
    sys.exit(int(error.code))
