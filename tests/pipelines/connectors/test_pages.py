"""Windows whose rows move while they are paged: none hides, or the window is asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pipelines.connectors.calls import Answer
from pipelines.connectors.errors import WindowError
from pipelines.connectors.pages import PASSES, Page, Paging, each_once
from pipelines.connectors.windows import Window

PAGING = Paging("p", "m", first=0, size=2, most=100)
LONG, SHORT = Window(0, 100), Window(0, 1)


class Platform:
    """Answers one listing after another, the last one for ever."""

    def __init__(self, *listings: Sequence[Sequence[str]], total: int = 4) -> None:
        self.listings = list(listings)
        self.total = total
        self.passes = 0

    def read(self) -> Iterator[Page]:
        pages = self.listings[min(self.passes, len(self.listings) - 1)]
        self.passes += 1
        for number, rows in enumerate(pages):
            yield Page({"page": number}, Answer(b"", {}), rows, self.total)

    def rows(self, window: Window) -> set[str]:
        return {row for page in each_once(PAGING, window, self.read, str) for row in page.rows}


def test_pages_that_stand_still_are_read_once() -> None:
    platform = Platform([["a", "b"], ["c", "d"]])
    assert (platform.rows(LONG), platform.passes) == (set("abcd"), 1)


@pytest.mark.parametrize("window", [LONG, SHORT])
def test_a_row_twice_on_one_page_has_not_moved(window: Window) -> None:
    platform = Platform([["a", "b", "a"], ["c"]], total=3)
    assert (platform.rows(window), platform.passes) == (set("abc"), 1)


def test_rows_without_a_name_have_not_moved() -> None:
    assert Platform([["", "b"], [""]], total=3).rows(LONG) == {"", "b"}


def test_a_row_on_two_pages_asks_for_a_smaller_window() -> None:
    with pytest.raises(WindowError, match="rows moved"):
        Platform([["a", "b"], ["d", "a"]]).rows(LONG)


def test_the_shortest_window_is_read_over_until_every_row_was_met() -> None:
    platform = Platform([["a", "b"], ["b", "d"]], [["b", "a"], ["a", "c"]], [["a", "b"], ["c", "d"]])
    assert (platform.rows(SHORT), platform.passes) == (set("abcd"), 2)


def test_the_shortest_window_that_hides_a_row_for_ever_is_refused() -> None:
    platform = Platform([["a", "b"], ["b", "d"]])
    with pytest.raises(WindowError, match="rows moved"):
        platform.rows(SHORT)
    assert platform.passes == PASSES
