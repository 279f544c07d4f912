"""The customer lists of Tmall sellers (`taobao.crm.members.increment.get`): everyone whose entry was modified.

Parameters and limits: open.taobao.com, api 10826. Pages count from 1 and hold at most 100; a page past the last is
empty, and `current_page` may reach 1,000. How they are sorted is not said, so that a total that changed at all while a
window was paged may have moved a customer to a page already read: such a window is asked for again, in halves. The
platform names no limit of the past and calls what is older than 2009 incomplete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.connectors.calls import count_of, rows_of, unquoted
from pipelines.connectors.pages import Page, Paging, each_once, steady_pages
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Source
from pipelines.connectors.tmall import MOST_ROWS, PLATFORM, TmallShopClient
from pipelines.connectors.windows import DAY, HOUR, Window, WindowRule, span_text

MEMBERS = "taobao.crm.members.increment.get"
SPAN = ("start_modify", "end_modify")
PAGE = 100
MOST_PAGES = 1_000
RULE = WindowRule(longest=365 * DAY, history=20 * 365 * DAY, overlap=HOUR)


def member_sources(client: TmallShopClient) -> list[Source]:
    """The seller's list, where the app is configured to ask for it."""
    if not client.app.members:
        return []
    pull = _Members(client)
    return [Source(f"{PLATFORM}/members/{client.tail}", "tmall_members", pull.listed, RULE)]


@dataclass(frozen=True)
class _Members:
    client: TmallShopClient

    def listed(self, window: Window, part: Part) -> None:
        """Every page of a window."""
        most = MOST_ROWS if window.seconds > 1 else MOST_PAGES * PAGE
        asked = {**span_text(SPAN, window), "page_size": str(PAGE)}

        def ask(number: int) -> Page:
            params = {**asked, "current_page": str(number)}
            answer = self.client.call(MEMBERS, params)
            response = next((value for value in answer.value.values() if isinstance(value, dict)), {})
            nested = response.get("members")
            rows = rows_of(PLATFORM, MEMBERS, next(iter(nested.values()), None) if isinstance(nested, dict) else nested)
            return Page(params, answer, rows, count_of(PLATFORM, MEMBERS, response.get("total_result"), rows))

        paging = Paging(PLATFORM, MEMBERS, first=1, size=PAGE, most=most)
        for page in each_once(paging, window, lambda: steady_pages(paging, ask), _customer):
            part.add(self.client.context(MEMBERS, page.params), page.answer.raw, records=len(page.rows))


def _customer(row: Any) -> str:
    return unquoted(row.get("ouid")) if isinstance(row, Mapping) else ""
