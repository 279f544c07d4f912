"""What a platform refuses, by what helps against it: waiting, a new token, a smaller window, or a person.

Messages hold codes and methods, never what a platform wrote in words: that may repeat personal data.
"""

from __future__ import annotations

from pipelines.errors import CdpError, ExitCode


class PlatformError(CdpError):
    """A call that brought no data: `method` at `platform`, `reason` as a code."""

    def __init__(self, platform: str, method: str, reason: str, *, hint: str = "") -> None:
        super().__init__(
            ExitCode.REFUSED,
            f"{platform} {method}: {reason}",
            where=f"{platform} {method}",
            hint=hint or "run `cdp pull` again, it continues where it stopped",
        )
        self.reason = reason


class RetryableError(PlatformError):
    """The same call may succeed after a while; `wait` is the least number of seconds, if the platform said one, and
    `most_attempts` how often it wants to be asked at most."""

    wait: float = 0.0
    most_attempts: int | None = None


class AwayError(RetryableError):
    """The platform gave no answer of its own: it was not reached, or something on the way answered instead."""


class BriefError(RetryableError):
    """A failure that the platform wants to be asked about again three to five times within half a minute, no more."""

    most_attempts = 6


class RateLimitedError(RetryableError):
    """The platform counts too many calls."""

    wait = 1.0


class TokenRefusedError(RetryableError):
    """The access token ended; a new one helps."""


class TerminalError(PlatformError):
    """Asking again brings the same answer."""


class CodedError(TerminalError):
    """A refusal under WeCom's `errcode`, for callers to whom some codes are facts."""

    def __init__(self, platform: str, method: str, errcode: int, *, hint: str = "") -> None:
        super().__init__(platform, method, f"errcode {errcode}", hint=hint)
        self.errcode = errcode


class RightRefusedError(TerminalError):
    """The app may not make this call, or has made it as often as it may: granted or renewed, it succeeds."""


class WindowError(PlatformError):
    """The window cannot be paged to its end: it holds too much, or changed while it was paged; a smaller one helps."""
