"""WeCom: contacts of every guide, groups, tags, leavers' customers and guides' figures, once a business day; details
of contacts and groups by number.

Changes made through the API cause no callback and callbacks get lost, so the daily pull is the truth. Figures of the
last days are asked for again: early in the morning they are still zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from identity.business_time import business_day, day_start_ms
from pipelines.connectors.calls import CHANGED, Answer, Caller, CallerOf, rows_of, unquoted
from pipelines.connectors.errors import (
    CodedError,
    RateLimitedError,
    RetryableError,
    TerminalError,
    TokenRefusedError,
    WindowError,
)
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Source
from pipelines.connectors.windows import DAY, Window, WindowRule
from serving.contract.platforms import WecomCorp
from serving.contract.pull_queue import Hint

PLATFORM = "wecom"
Owe = Callable[[Sequence[Hint]], None]
"""Puts hints on the durable queue of details."""

STAFF_AT_ONCE = 100
PAGE = 100
LIST_PAGE = 1_000
TOKEN, STAFF = "gettoken", "externalcontact/get_follow_user_list"
CONTACTS, CONTACT = "externalcontact/batch/get_by_user", "externalcontact/get"
GROUPS, GROUP = "externalcontact/groupchat/list", "externalcontact/groupchat/get"
FIGURES, UNASSIGNED = "externalcontact/get_user_behavior_data", "externalcontact/get_unassigned_list"
TAGS = "externalcontact/get_corp_tag_list"
FIGURE_RULE = WindowRule(longest=30 * DAY, history=179 * DAY, overlap=3 * DAY)
"""The platform knows 180 days, counted from midnight."""

BLOCKED_SECONDS = 60.0
_CODE = re.compile(r"-?[0-9]{1,9}")
TOKEN_CODES = frozenset({40001, 40014, 42001})
PASSING_CODES = frozenset({-1, 45033})
FOREIGN_ADDRESS = 60020
NOBODY = 84061
"""A guide that was asked for has no customer."""

REFUSED_AT_FIRST = 5
"""So many groups refused before any is answered: it is not about these groups."""

GROUP_GONE = frozenset({40050, 49008, 86001, 86003})
"""The group was dissolved, or is not known (any more)."""

CURSOR_ENDED = frozenset({40058, 50100})
"""A parameter is wrong: of a page after the first, all of whose other parameters were good, it is the cursor."""


def judge(method: str, value: Mapping[str, Any]) -> None:
    """The typed error of an `errcode`; its text is left out."""
    text = unquoted(value.get("errcode")) or "0"
    code = int(text) if _CODE.fullmatch(text) else None
    if code == 0:
        return
    if code is None:
        raise TerminalError(PLATFORM, method, "the errcode is no number", hint=CHANGED)
    reason = f"errcode {code}"
    if code == 45009:
        limited = RateLimitedError(PLATFORM, method, reason)
        limited.wait = BLOCKED_SECONDS
        raise limited
    if code in TOKEN_CODES and method != TOKEN:
        raise TokenRefusedError(PLATFORM, method, reason)
    if code in PASSING_CODES:
        raise RetryableError(PLATFORM, method, reason)
    raise CodedError(PLATFORM, method, code, hint=_hint(code))


def _hint(code: int) -> str:
    if code == FOREIGN_ADDRESS:
        return "add this machine's address to those that the app trusts, then run `cdp pull`"
    return "check corp id, secret and the app's rights in WeCom"


@dataclass
class WecomClient:
    """One corp's customer-contact app."""

    corp: WecomCorp
    caller: Caller
    endpoint: str
    owe: Owe
    token: str = ""

    def call(self, method: str, body: Mapping[str, object] | None = None, **query: str) -> Answer:
        """The answer of a method, asked by POST with a body and by GET without; an ended token is replaced."""

        def build() -> httpx.Request:
            params = {"access_token": self._token(), **query}
            if body is None:
                return httpx.Request("GET", f"{self.endpoint}/{method}", params=params)
            return httpx.Request("POST", f"{self.endpoint}/{method}", params=params, json=dict(body))

        return self.caller.ask(method, build, renew=self._forget)

    def _forget(self) -> None:
        self.token = ""

    def _token(self) -> str:
        if not self.token:
            secret = self.corp.secret.get_secret_value() if self.corp.secret else ""
            params = {"corpid": self.corp.corp_id, "corpsecret": secret}
            answer = self.caller.ask(TOKEN, lambda: httpx.Request("GET", f"{self.endpoint}/{TOKEN}", params=params))
            self.token = str(answer.value.get("access_token", ""))
        return self.token

    def context(self, method: str, **params: object) -> dict[str, object]:
        """The context of an answer in the landing."""
        return {
            "platform": PLATFORM,
            "corp_id": self.corp.corp_id,
            "open_platform_id": self.corp.open_platform_id,
            "method": method,
            "params": params or None,
        }

    def sources(self) -> tuple[Source, ...]:
        """What is taken once a business day."""
        tail = self.corp.corp_id
        return (
            Source(f"{PLATFORM}/contacts/{tail}", "wecom_contacts", self._contacts),
            Source(f"{PLATFORM}/groups/{tail}", "wecom_group_chats", self._groups),
            Source(f"{PLATFORM}/tags/{tail}", "wecom_tags", self._tags),
            Source(f"{PLATFORM}/unassigned/{tail}", "wecom_transfers", self._unassigned),
            Source(f"{PLATFORM}/figures/{tail}", "wecom_staff_stats", self._figures, FIGURE_RULE, daily=True),
        )

    def staff(self) -> list[str]:
        """Everyone who may have customers, in a settled order."""
        return sorted(self.call(STAFF).value.get("follow_user") or [])

    def _contacts(self, _: Window, part: Part) -> None:
        """All customers of all guides; the list of the guides stands for that, since the file lands whole or not."""
        answer = self.call(STAFF)
        staff = sorted(answer.value.get("follow_user") or [])
        part.add(self.context(STAFF, complete=True), answer.raw, records=1 if staff else 0)
        for begin in range(0, len(staff), STAFF_AT_ONCE):
            self._contacts_of(staff[begin : begin + STAFF_AT_ONCE], part)

    def _contacts_of(self, guides: Sequence[str], part: Part) -> None:
        """The customers of the guides. Of several who are said to have none each half is asked, down to one guide: that
        it means all of them is not documented, and a customer left out would count as gone."""
        body = {"userid_list": list(guides), "limit": PAGE}
        try:
            for answer, rows in self.pages(CONTACTS, body, "external_contact_list"):
                part.add(self.context(CONTACTS), answer.raw, records=len(rows))
        except CodedError as error:
            if error.errcode != NOBODY:
                raise
            half = len(guides) // 2
            for some in (guides[:half], guides[half:]) if half else ():
                self._contacts_of(some, part)

    def _groups(self, _: Window, part: Part) -> None:
        for answer, rows in self.pages(GROUPS, {"status_filter": 0, "limit": LIST_PAGE}, "group_chat_list"):
            part.add(self.context(GROUPS), answer.raw, records=len(rows))
            self._listed_groups(
                [str(row["chat_id"]) for row in rows if isinstance(row, dict) and row.get("chat_id")], part
            )

    def _listed_groups(self, chat_ids: Sequence[str], part: Part) -> None:
        """The groups that are still there; which are refused by themselves are owed. Refusals of all are the app's."""
        refused: list[str] = []
        answered = False
        for chat_id in chat_ids:
            try:
                self.group(chat_id, part)
                answered = True
            except CodedError as error:
                refused += [] if error.errcode in GROUP_GONE else [chat_id]
                if refused and not answered and len(refused) >= min(REFUSED_AT_FIRST, len(chat_ids)):
                    raise
        self.owe([Hint(PLATFORM, self.corp.corp_id, "group", chat_id) for chat_id in refused])

    def _tags(self, _: Window, part: Part) -> None:
        answer = self.call(TAGS, {})
        part.add(self.context(TAGS), answer.raw, records=len(answer.value.get("tag_group") or []))

    def _unassigned(self, _: Window, part: Part) -> None:
        for answer, rows in self.pages(UNASSIGNED, {"page_size": LIST_PAGE}, "info"):
            part.add(self.context(UNASSIGNED), answer.raw, records=len(rows))

    def _figures(self, window: Window, part: Part) -> None:
        """Each guide alone, since several would come as one sum; whole days, today left out."""
        days = whole_days(window)
        for userid in self.staff() if days else ():
            answer = self.call(FIGURES, {"userid": [userid], "start_time": days[0], "end_time": days[-1]})
            rows = answer.value.get("behavior_data") or []
            part.add(self.context(FIGURES, userid=userid), answer.raw, records=len(rows))

    def pages(self, method: str, body: Mapping[str, object], field: str) -> Iterator[tuple[Answer, Sequence[Any]]]:
        """Every page, by cursor. WindowError begins anew where one ends in the middle or comes back."""
        cursor, seen = "", {""}
        while True:
            try:
                answer = self.call(method, {**body, "cursor": cursor})
            except CodedError as error:
                if not cursor or error.errcode not in CURSOR_ENDED:
                    raise
                raise WindowError(PLATFORM, method, error.reason) from None
            yield answer, rows_of(PLATFORM, method, answer.value.get(field))
            cursor = str(answer.value.get("next_cursor") or "")
            if not cursor:
                return
            if cursor in seen:
                raise WindowError(PLATFORM, method, "the cursor repeats")
            seen.add(cursor)

    def contact(self, external_userid: str, part: Part) -> None:
        """A contact with all its guides, however many pages they fill."""
        cursor, seen = "", {""}
        while True:
            answer = self.call(CONTACT, external_userid=external_userid, cursor=cursor)
            part.add(self.context(CONTACT, external_userid=external_userid), answer.raw, records=1)
            cursor = str(answer.value.get("next_cursor") or "")
            if not cursor:
                return
            if cursor in seen:
                raise TerminalError(PLATFORM, CONTACT, "the cursor repeats")
            seen.add(cursor)

    def group(self, chat_id: str, part: Part) -> None:
        """A group with its members."""
        answer = self.call(GROUP, {"chat_id": chat_id, "need_name": 1})
        part.add(self.context(GROUP), answer.raw, records=1)


def midnight(second: int) -> int:
    """The first second of the business day.

    >>> midnight(1735700520) % 86400 == 16 * 3600
    True
    """
    return day_start_ms(business_day(second * 1000)) // 1000


def whole_days(window: Window) -> range:
    """The first seconds of the window's business days, that of its end left out.

    >>> [second - 1735660800 for second in whole_days(Window(1735700520, 1735660800 + 2 * 86400 + 5))]
    [0, 86400]
    """
    return range(midnight(window.start), midnight(window.end), DAY)


def wecom_client(corp: WecomCorp, caller_of: CallerOf, endpoint: str, *, owe: Owe) -> WecomClient:
    """The client of a corp, with a pace of its own."""
    return WecomClient(corp, caller_of(PLATFORM, judge, corp.calls_per_second), endpoint, owe)
