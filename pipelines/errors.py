"""Failures a user can act on: an exit code, what happened, where, and the next step."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command line, fixed by the architecture."""

    DONE = 0
    USAGE = 2
    REFUSED = 3
    INTEGRITY = 4
    LOCKED = 5
    STORAGE = 6
    POLICY = 7


class CdpError(Exception):
    """A failure with its exit code; its text never holds personal data.

    `message` says what happened and what was expected, `where` names the file, table or setting, `hint` the next
    command.
    """

    def __init__(self, code: ExitCode, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.where = where
        self.hint = hint

    def as_json(self) -> dict[str, object]:
        """The failure as the object that the last line on stderr holds."""
        return {"code": int(self.code), "message": self.message, "where": self.where, "hint": self.hint}


class ConfigurationError(CdpError):
    """A setting or the machine is not as it must be (exit 2)."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(ExitCode.USAGE, message, where=where, hint=hint)


class InputRefusedError(CdpError):
    """An input was refused as a whole (exit 3)."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(ExitCode.REFUSED, message, where=where, hint=hint)


class IntegrityError(CdpError):
    """The lake or a published table breaks a promise (exit 4)."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(ExitCode.INTEGRITY, message, where=where, hint=hint)
