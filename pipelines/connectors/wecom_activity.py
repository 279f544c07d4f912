"""WeCom beside relations: posts, people served, who came by an acquisition link, figures of groups, results of
hand-overs; as configured.

Rights to these calls are granted one by one, so a corp names those its app has. What the platform's pages say of them:

- `get_moment_list` (document/path/93333): `start_time` to `end_time` at most 30 days apart, by cursor, at most 20.
- `contact_list` (document/path/99434): everyone ever served, by cursor, at most 1,000; cursors and temporary ids live
  four hours and are others in every round.
- `customer_acquisition/list_link` (document/path/97297): the app's own valid links, by cursor, at most 100; then of
  each `customer_acquisition/customer` by cursor, at most 1,000.
- `groupchat/statistic` (document/path/92133): per owner over whole days, 1 to 100 owners, at most 30 days long and 180
  days back, by offset, at most 1,000. One day is asked for at a time, since the answer names no day.

Messages under audit come out of a native library with the corp's private key and not out of a call: they are landed by
the program that holds that key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.connectors.calls import count_of
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Fetch, Source
from pipelines.connectors.wecom import FIGURE_RULE, LIST_PAGE, PLATFORM, STAFF_AT_ONCE, WecomClient, whole_days
from pipelines.connectors.wecom_hand_overs import FEED, HandOvers
from pipelines.connectors.windows import DAY, Window, WindowRule
from serving.contract.platforms import WecomActivity

MOMENTS, SERVED = "externalcontact/get_moment_list", "externalcontact/contact_list"
LINKS = "externalcontact/customer_acquisition/list_link"
ACQUIRED = "externalcontact/customer_acquisition/customer"
GROUP_FIGURES = "externalcontact/groupchat/statistic"
MOMENT_PAGE = 20
LINK_PAGE = 100
EVERY_MOMENT = 2
MOMENT_RULE = WindowRule(longest=30 * DAY, history=5 * 365 * DAY, overlap=DAY)
"""The platform names no limit of the past; five years is as long as there have been posts to customers."""


def activity_sources(client: WecomClient, landing: Path) -> list[Source]:
    """What the corp's configuration asks for, each once a business day; the landing knows what was handed over."""
    pull = _Activity(client)
    kinds: dict[WecomActivity, Callable[[str], Source]] = {
        "moments": lambda key: _by_window(key, "wecom_staff_stats", pull.moments, MOMENT_RULE),
        "served": lambda key: Source(key, "wecom_contacts", pull.served),
        "acquired": lambda key: Source(key, "wecom_contacts", pull.acquired),
        "group_figures": lambda key: _by_window(key, "wecom_staff_stats", pull.group_figures, FIGURE_RULE),
        "hand_overs": lambda key: Source(key, FEED, HandOvers(client, landing).results),
    }
    return [
        make(f"{PLATFORM}/{kind}/{client.corp.corp_id}") for kind, make in kinds.items() if kind in client.corp.activity
    ]


def _by_window(key: str, feed: str, fetch: Fetch, rule: WindowRule) -> Source:
    return Source(key, feed, fetch, rule, daily=True)


@dataclass(frozen=True)
class _Activity:
    client: WecomClient

    def moments(self, window: Window, part: Part) -> None:
        """Every post of the window, the corp's and the guides'; deleted ones are not told."""
        body = {
            "start_time": window.start,
            "end_time": window.end,
            "filter_type": EVERY_MOMENT,
            "limit": MOMENT_PAGE,
        }
        for answer, rows in self.client.pages(MOMENTS, body, "moment_list"):
            part.add(self.client.context(MOMENTS), answer.raw, records=len(rows))

    def served(self, _: Window, part: Part) -> None:
        """Everyone ever served, in one round of pages."""
        for answer, rows in self.client.pages(SERVED, {"limit": LIST_PAGE}, "info_list"):
            part.add(self.client.context(SERVED), answer.raw, records=len(rows))

    def acquired(self, _: Window, part: Part) -> None:
        """Everyone who came by a link of the app that is still valid."""
        links = [link for _, rows in self.client.pages(LINKS, {"limit": LINK_PAGE}, "link_id_list") for link in rows]
        for link in dict.fromkeys(str(one) for one in links):
            for answer, rows in self.client.pages(ACQUIRED, {"link_id": link, "limit": LIST_PAGE}, "customer_list"):
                part.add(self.client.context(ACQUIRED, link_id=link), answer.raw, records=len(rows))

    def group_figures(self, window: Window, part: Part) -> None:
        """Each owner's groups on each whole day, today left out."""
        days = whole_days(window)
        staff = self.client.staff() if days else []
        for day in days:
            for begin in range(0, len(staff), STAFF_AT_ONCE):
                self._group_day(day, staff[begin : begin + STAFF_AT_ONCE], part)

    def _group_day(self, day: int, owners: list[str], part: Part) -> None:
        body = {"day_begin_time": day, "day_end_time": day, "owner_filter": {"userid_list": owners}}
        offset, total = 0, 1
        while offset < total:
            answer = self.client.call(GROUP_FIGURES, {**body, "offset": offset, "limit": LIST_PAGE})
            rows = answer.value.get("items") or []
            total = count_of(PLATFORM, GROUP_FIGURES, answer.value.get("total"), rows)
            context = self.client.context(GROUP_FIGURES, day_begin_time=day, day_end_time=day)
            part.add(context, answer.raw, records=len(rows))
            if not rows:
                return
            offset += len(rows)
