"""What can go wrong while building, opening or serving a snapshot: one root, facts in, message out.

`code` is the exit code of the command line (2 usage or configuration, 4 integrity, 6 storage); `HTTP_STATUS` says how
the API answers the same fact.
"""

from __future__ import annotations

from collections.abc import Sequence


class ServingError(Exception):
    """Root of all errors of the serving package: what, where, and the next command to type."""

    code = 4

    def __init__(self, message: str, *, where: str, hint: str) -> None:
        super().__init__(f"{message} ({where}); {hint}")
        self.message = message
        self.where = where
        self.hint = hint


class InputRefusedError(ServingError):
    """An input of the snapshot lacks a column or holds a type that the contract does not allow."""

    code = 4

    def __init__(self, table: str, *, problem: str, allowed: Sequence[str]) -> None:
        super().__init__(
            f"snapshot input {table}: {problem}",
            where=table,
            hint=f"the contract asks for {', '.join(allowed)}",
        )


class InputsDisagreeError(ServingError):
    """Two inputs come from different runs: one names a OneID that the registry does not hold as living."""

    code = 4

    def __init__(self, table: str, *, strangers: int) -> None:
        super().__init__(
            f"snapshot input {table} names {strangers} OneIDs that identity.oneids does not hold as living",
            where=table,
            hint="run `cdp run` to its end; it publishes one consistent state",
        )


class UpdateRefusedError(ServingError):
    """A snapshot cannot be updated in place of a full build because its shape differs."""

    code = 4

    def __init__(self, reason: str) -> None:
        super().__init__(f"the previous snapshot cannot be updated: {reason}", where="serving", hint="build it in full")


class StorageFullError(ServingError):
    """The disk has no room for the snapshot; the one before is still served."""

    code = 6

    def __init__(self, where: str) -> None:
        super().__init__("no room left for the serving snapshot", where=where, hint="free space, then `cdp run`")


class SnapshotMissingError(ServingError):
    """No snapshot was published yet, or CURRENT names a file that is not there."""

    code = 4

    def __init__(self, where: str, *, problem: str) -> None:
        super().__init__(f"no serving snapshot: {problem}", where=where, hint="run `cdp run`; it publishes at its end")


class SnapshotDamagedError(ServingError):
    """The snapshot's file is cut, altered or of another schema version."""

    code = 4

    def __init__(self, where: str, *, problem: str) -> None:
        super().__init__(
            f"the serving snapshot cannot be read: {problem}",
            where=where,
            hint="run `cdp verify` to see what is damaged, `cdp publish --rollback` to go back to the one before",
        )


class ConfigRefusedError(ServingError):
    """A setting or secret of the API is missing, empty or malformed."""

    code = 2


class PortInUseError(ServingError):
    """The address the API should listen on cannot be bound."""

    code = 2

    def __init__(self, host: str, port: int, *, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}",
            where=f"{host}:{port}",
            hint="stop the program that holds the port or choose another: `cdp serve --port 8081`",
        )


class KeyRefusedError(ServingError):
    """An API key cannot be made or revoked as asked."""

    code = 2


HTTP_STATUS: dict[type[ServingError], int] = {
    SnapshotMissingError: 503,
    SnapshotDamagedError: 503,
    ConfigRefusedError: 503,
}
"""How the API answers an error of this package; anything else is a 500 without details."""
