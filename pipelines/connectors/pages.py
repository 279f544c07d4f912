"""Pages of a window, read so that no row hides: whatever moves between two pages is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.connectors.calls import Answer
from pipelines.connectors.errors import WindowError
from pipelines.connectors.windows import Window

PASSES = 12
"""How often a window that cannot be halved is read over, until every row was met."""

Key = Callable[[Any], str]
"""What a row is called on whichever page it stands; empty when it has no name."""


@dataclass(frozen=True)
class Page:
    """One page: the parameters it was asked with, its rows, and how many rows the window holds in all."""

    params: Mapping[str, Any]
    answer: Answer
    rows: Sequence[Any]
    total: int


@dataclass(frozen=True)
class Paging:
    """How a method counts pages: `first` is the number of the first, `size` its rows; `most` rows a window may hold."""

    platform: str
    method: str
    first: int
    size: int
    most: int


def steady_pages(paging: Paging, ask: Callable[[int], Page]) -> Iterator[Page]:
    """Every page of the window; WindowError when it holds too much, or when its total changed on the way.

    A row that left or came may have moved others, in whichever direction, onto a page that was already read.
    """
    number, begun = paging.first, 0
    total: int | None = None
    while total is None or begun < total:
        page = ask(number)
        if page.total > paging.most:
            raise WindowError(paging.platform, paging.method, f"{page.total} rows in one window")
        if total not in (None, page.total) or (not page.rows and begun < page.total):
            raise WindowError(paging.platform, paging.method, "the window changed while it was paged")
        yield page
        total, number, begun = page.total, number + 1, begun + paging.size


def each_once(paging: Paging, window: Window, read: Callable[[], Iterator[Page]], key: Key) -> Iterator[Page]:
    """The pages that `read` gives, of which no row is missing because another moved.

    A row that changes and stays in the window stands on two pages, and moves another onto one that was read before,
    while the total stays as it was. So do rows of one second that a platform sorts anew for every page. WindowError
    asks for halves; what is too short for that is read over until as many rows were met as the platform counts.
    """
    met: set[str] = set()
    short = window.seconds <= 1
    for _ in range(PASSES if short else 1):
        found: set[str] = set()
        total, moved = 0, False
        for page in read():
            keys = {key(row) for row in page.rows} - {""}
            moved = moved or not keys.isdisjoint(found)
            if moved and not short:
                break
            found |= keys
            total = page.total
            yield page
        met |= found
        if not moved or (short and len(met) >= total):
            return
    raise WindowError(paging.platform, paging.method, "rows moved while the window was paged")
