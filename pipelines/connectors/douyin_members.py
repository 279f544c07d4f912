"""Whose orders of a Douyin shop are members' (`member.searchList`): pairs of open id and order number.

Its published fields are `app_id`, `start_time` and `end_time` as `yyyy-MM-dd HH:mm:ss`, `page` and `size`, and in its
answer `order_list` and `total`. What they leave open is asked for as of orders: pages from 0 of at most 100, 90 days
back. Neither the order of the rows is said nor which time the window means, so that a day is asked for again, and a
total that changed at all while a window was paged asks for it again, in halves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.connectors.calls import count_of, rows_of
from pipelines.connectors.douyin import MOST_ROWS, MOST_WANTED, DouyinShopClient
from pipelines.connectors.douyin_phones import PLATFORM, data_of
from pipelines.connectors.pages import Page, Paging, each_once, steady_pages
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Source
from pipelines.connectors.windows import DAY, Window, WindowRule, span_text

MEMBERS = "member.searchList"
SPAN = ("start_time", "end_time")
PAGE = 100
RULE = WindowRule(longest=7 * DAY, history=90 * DAY, overlap=DAY)


def member_order_sources(client: DouyinShopClient) -> list[Source]:
    """The orders of members, where the app is configured to ask for them."""
    if not client.app.member_app_id:
        return []
    pull = _Members(client)
    return [Source(f"{PLATFORM}/{MEMBERS}/{client.tail}", "douyin_members", pull.listed, RULE)]


@dataclass(frozen=True)
class _Members:
    client: DouyinShopClient

    def listed(self, window: Window, part: Part) -> None:
        """Every page of a window."""
        app_id = self.client.app.member_app_id
        most = MOST_WANTED if window.seconds > 1 else MOST_ROWS
        asked = {"app_id": app_id, **span_text(SPAN, window), "size": PAGE}

        def ask(number: int) -> Page:
            params = {**asked, "page": number}
            answer = self.client.call(MEMBERS, params)
            data = data_of(answer)
            rows = rows_of(PLATFORM, MEMBERS, data.get("order_list"))
            return Page(params, answer, rows, count_of(PLATFORM, MEMBERS, data.get("total"), rows))

        paging = Paging(PLATFORM, MEMBERS, first=0, size=PAGE, most=most)
        for page in each_once(paging, window, lambda: steady_pages(paging, ask), _pair):
            context = {**self.client.context(MEMBERS, page.params), "app_id": app_id}
            part.add(context, page.answer.raw, records=len(page.rows))


def _pair(row: Any) -> str:
    return f"{row.get('open_id')} {row.get('order_id')}" if isinstance(row, Mapping) else ""
