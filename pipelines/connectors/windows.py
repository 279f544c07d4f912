"""Which stretches of time a pull asks for: overlapping what was asked before, inside what the platform still knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from identity.business_time import SHANGHAI

HOUR = 3_600
DAY = 86_400
MARGIN = 120
"""Seconds kept from the platform's history limit, which moves on while a pull runs."""


@dataclass(frozen=True, order=True)
class Window:
    """Seconds since the epoch, both ends asked for."""

    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end - self.start

    def halves(self) -> tuple[Window, Window]:
        """Two windows that together are this one.

        >>> Window(0, 9).halves()
        (Window(start=0, end=4), Window(start=4, end=9))
        """
        middle = self.start + self.seconds // 2
        return Window(self.start, middle), Window(middle, self.end)


@dataclass(frozen=True)
class WindowRule:
    """What a method allows: `longest` window and `history` in seconds; `overlap` is asked for again each time."""

    longest: int
    history: int
    overlap: int = 600


@dataclass(frozen=True)
class Plan:
    """The windows to ask for, in order, and the stretch that no platform can give any more."""

    windows: tuple[Window, ...]
    gap: Window | None = None


def plan(rule: WindowRule, mark: int | None, *, now: int, since: int | None = None) -> Plan:
    """The windows from the mark (what was pulled up to) to now; the first time from `since` or all that is known.

    >>> plan(WindowRule(longest=100, history=10_000, overlap=10), 1_000, now=1_150)
    Plan(windows=(Window(start=990, end=1090), Window(start=1090, end=1150)), gap=None)
    """
    oldest = now - rule.history + MARGIN
    wanted = mark if mark is not None else since
    gap = Window(wanted, oldest) if wanted is not None and wanted < oldest else None
    start = oldest if wanted is None else max(oldest, wanted - rule.overlap)
    windows = []
    while start < now:
        end = min(start + rule.longest, now)
        windows.append(Window(start, end))
        start = end
    return Plan(tuple(windows), gap)


def local_text(second: int) -> str:
    """The second as platforms write times in words: Asia/Shanghai, without an offset.

    >>> local_text(1735700520)
    '2025-01-01 11:02:00'
    """
    return datetime.fromtimestamp(second, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def span_text(names: tuple[str, str], window: Window) -> dict[str, str]:
    """The two ends of a window under the names that a method has for them.

    >>> span_text(("start", "end"), Window(1735700520, 1735700521))
    {'start': '2025-01-01 11:02:00', 'end': '2025-01-01 11:02:01'}
    """
    return {names[0]: local_text(window.start), names[1]: local_text(window.end)}
