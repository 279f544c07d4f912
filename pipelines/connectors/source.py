"""One thing to pull: a method under one set of credentials, with its window rule and how one window is fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from identity.business_time import business_day
from pipelines.connectors.errors import WindowError
from pipelines.connectors.marks import Marks
from pipelines.connectors.sink import Part, Sink
from pipelines.connectors.windows import Window, WindowRule, plan

Fetch = Callable[[Window, Part], None]
"""Writes every answer of a window; WindowError asks for smaller ones."""

SHORTEST = 2
PERSISTENCE = 5


@dataclass(frozen=True)
class Source:
    """`key` names it for ever (platform, method, account).

    Without a rule the present state is taken; that, and what is `daily`, once a business day.
    """

    key: str
    feed: str
    fetch: Fetch
    rule: WindowRule | None = None
    daily: bool = False


def pull_source(source: Source, marks: Marks, sink: Sink, *, now: int, since: int | None = None) -> None:
    """The source is in the landing up to now, a mark set after every window: stopped anywhere, it continues there."""
    if (source.daily or source.rule is None) and _taken_today(marks.of(source.key), now):
        return
    if source.rule is None:
        _pull_window(source, sink, Window(now, now))
        marks.reach(source.key, now)
        return
    planned = plan(source.rule, marks.of(source.key), now=now, since=since)
    if planned.gap is not None:
        marks.lose(source.key, planned.gap)
    for window in planned.windows:
        _pull_window(source, sink, window)
        marks.reach(source.key, window.end)


def _taken_today(mark: int | None, now: int) -> bool:
    return mark is not None and business_day(mark * 1000) == business_day(now * 1000)


def part_name(source: Source, window: Window) -> str:
    """A file name that says what and when; keys that read alike without their signs stay apart by a digest."""
    digest = hashlib.sha256(source.key.encode()).hexdigest()[:8]
    return f"{source.key}-{digest}-{window.start}-{window.end}"


def _pull_window(source: Source, sink: Sink, window: Window, tries: int = 1) -> None:
    try:
        with sink.part(source.feed, part_name(source, window)) as part:
            source.fetch(window, part)
    except WindowError:
        if window.seconds >= SHORTEST:
            for half in window.halves():
                _pull_window(source, sink, half)
        elif tries < PERSISTENCE:
            _pull_window(source, sink, window, tries + 1)
        else:
            raise
