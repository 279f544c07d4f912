"""Pages of a window whose rows come in an order that the platform does not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.connectors.calls import Answer
from pipelines.connectors.errors import WindowError


@dataclass(frozen=True)
class Page:
    """One page: the parameters it was asked with, its rows, and how many rows the window holds in all."""

    params: dict[str, Any]
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
