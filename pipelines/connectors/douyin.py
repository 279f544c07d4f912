"""The Douyin shop platform: orders and after-sale cases by update time, details by number.

Pages count from 0 and reach 50,000 rows; only updates of the last 90 days (after-sale: 6 months) can be asked for.
Sorted by update time ascending, a record that changes while a window is paged leaves it and moves the others up by one:
a total that shrank therefore asks for the window again, in halves. Where the platform's clock is behind this machine's,
the record stays and comes a second time, which asks for halves too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from pipelines.clock import Clock
from pipelines.connectors.calls import Answer, Caller, CallerOf, count_of, rows_of, unquoted
from pipelines.connectors.douyin_phones import DECRYPT, HINT, PLATFORM, Owe, Phones, data_of
from pipelines.connectors.errors import (
    BriefError,
    PlatformError,
    RateLimitedError,
    RetryableError,
    RightRefusedError,
    TerminalError,
    TokenRefusedError,
    WindowError,
)
from pipelines.connectors.pages import Page, Paging, each_once
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Source
from pipelines.connectors.windows import DAY, Window, WindowRule
from serving.contract.platforms import DouyinApp
from serving.contract.signatures import douyin_api_sign

PAGE = 100
MOST_ROWS = 50_000
ORDERS, CASES = "order.searchList", "afterSale.List"
DETAIL, TOKEN = "order.orderDetail", "token.create"
MOST_WANTED = 5_000
"""Rows of a window above which it is halved: a short window is quickly paged, and quickly done again after a crash."""

ORDER_RULE = WindowRule(longest=7 * DAY, history=90 * DAY)
CASE_RULE = WindowRule(longest=7 * DAY, history=180 * DAY)
PASSING = ("20000", "20001", "90000", "10001")
"""Codes of failures that pass: the system's, its time-outs and unknown ones, and a partial success, which is no whole
page."""

LIMITED = "60000"
SECURITY = "80000"
"""The platform's guard over personal data refuses."""

BRIEF = ("20004", "20005")
"""Codes of failures to be asked about three to five times within half a minute."""

NO_RIGHT = "30001"
TOKEN_ENDED = ("30002", "30005")
"""Codes of an ended and of a replaced token in the older envelope, which has no sub code."""


def judge(method: str, value: Mapping[str, Any]) -> None:
    """The typed error of an answer that is none; codes come as numbers or texts, in two forms of envelope.

    A partial success of decryption is an answer: each number in it says by itself whether it was refused.
    """
    code = unquoted(value.get("code")) or unquoted(value.get("err_no"))
    if code in ("10000", "0") or (code == "10001" and method == DECRYPT):
        return
    sub = unquoted(value.get("sub_code"))
    last = sub.rpartition(":")[2]
    kinds: tuple[tuple[bool, type[PlatformError]], ...] = (
        ("access-token" in sub or (not sub and code in TOKEN_ENDED), TokenRefusedError),
        (code == NO_RIGHT or "permission" in sub or "quota" in sub, RightRefusedError),
        (code == LIMITED or "limit" in sub or "frequen" in sub, RateLimitedError),
        (method == DECRYPT and code == SECURITY, RightRefusedError),
        (last == "20013", WindowError),
        (code in BRIEF or last in BRIEF, BriefError),
        (code in PASSING or last in PASSING, RetryableError),
    )
    kind = next((kind for holds, kind in kinds if holds), TerminalError)
    hint = _hint(method, sub, kind) if issubclass(kind, TerminalError) else ""
    raise kind(PLATFORM, method, f"{code} {sub}".strip(), hint=hint)


HELP = (
    ("authorization", "let the shop authorise the app again, then run `cdp pull`"),
    ("ip", "add this machine's address to those that the app may call from, then run `cdp pull`"),
    ("timestamp", "set the clock of this machine"),
)
"""What helps, by a word of the sub code."""


def _hint(method: str, sub: str, kind: type[PlatformError]) -> str:
    words = sub.replace("_", "-").replace(".", "-").replace(":", "-").split("-")
    known = next((hint for word, hint in HELP if word in words), "")
    if known or kind is not RightRefusedError:
        return known or "check app key, secret and shop in platforms.yaml"
    return HINT if method == DECRYPT else "grant the app this permission, then run `cdp pull`"


@dataclass
class DouyinShopClient:
    """One shop of one app, asked at `endpoint`; with `decrypt`, `phones` that cannot be had now are owed."""

    app: DouyinApp
    shop_id: str
    caller: Caller
    endpoint: str
    clock: Clock
    owe: Owe
    token: str = ""
    phones: Phones | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.app.decrypt:
            self.phones = Phones(self.app.app_key, self.shop_id, self.call, self.context, self.owe)

    def call(self, method: str, params: Mapping[str, object]) -> Answer:
        """The answer of a method; a token that ended is replaced and the call made again."""

        def build() -> httpx.Request:
            return self._request(method, params, self._token())

        try:
            return self.caller.ask(method, build, renew=self._forget)
        except TokenRefusedError:
            raise TerminalError(PLATFORM, method, "the token is refused", hint="authorise the app again") from None

    def _forget(self) -> None:
        self.token = ""

    def _token(self) -> str:
        if not self.token:
            params = {"code": "", "grant_type": "authorization_self", "shop_id": self.shop_id}
            answer = self.caller.ask(TOKEN, lambda: self._request(TOKEN, params, ""))
            self.token = str(data_of(answer).get("access_token", ""))
        return self.token

    def _request(self, method: str, params: Mapping[str, object], token: str) -> httpx.Request:
        body = orjson.dumps(params, option=orjson.OPT_SORT_KEYS).decode()
        timestamp = str(self.clock() // 1000)
        secret = self.app.app_secret.get_secret_value()
        sign = douyin_api_sign(secret, app_key=self.app.app_key, method=method, param_json=body, timestamp=timestamp)
        query = {
            "app_key": self.app.app_key,
            "method": method,
            "v": "2",
            "timestamp": timestamp,
            "sign": sign,
            "sign_method": "hmac-sha256",
            **({"access_token": token} if token else {}),
        }
        address = f"{self.endpoint}/{method.replace('.', '/')}"
        headers = {"Content-Type": "application/json"}
        return httpx.Request("POST", address, params=query, content=body.encode(), headers=headers)

    def context(self, method: str, params: Mapping[str, object] | None = None) -> dict[str, object]:
        """The context of an answer in the landing."""
        context: dict[str, object] = {
            "platform": PLATFORM,
            "app_key": self.app.app_key,
            "shop_id": self.shop_id,
            "method": method,
        }
        return {**context, "params": dict(params)} if params else context

    @property
    def tail(self) -> str:
        """The end of the names of its sources."""
        return f"{self.app.app_key}/{self.shop_id}"

    def sources(self) -> tuple[Source, ...]:
        """What is pulled by window."""
        tail = self.tail
        return (
            Source(f"{PLATFORM}/{ORDERS}/{tail}", "douyin_orders", self._orders, ORDER_RULE),
            Source(f"{PLATFORM}/{CASES}/{tail}", "douyin_refunds", self._cases, CASE_RULE),
        )

    def _orders(self, window: Window, part: Part) -> None:
        wanted = {"update_time_start": window.start, "update_time_end": window.end}
        fixed = {**wanted, "order_by": "update_time", "order_asc": True, "size": PAGE}
        paging = Paging(PLATFORM, ORDERS, first=0, size=PAGE, most=MOST_ROWS)
        for page in each_once(paging, window, lambda: self._pages(paging, fixed, window, "shop_order_list"), _order):
            part.add(self.context(ORDERS, page.params), page.answer.raw, records=len(page.rows))
            if self.phones is not None:
                self.phones.add(page.rows, part)

    def _cases(self, window: Window, part: Part) -> None:
        wanted = {"update_start_time": window.start, "update_end_time": window.end}
        fixed = {**wanted, "order_by": ["update_time asc"], "size": PAGE}
        paging = Paging(PLATFORM, CASES, first=0, size=PAGE, most=MOST_ROWS)
        for page in each_once(paging, window, lambda: self._pages(paging, fixed, window, "items"), _case):
            part.add(self.context(CASES, page.params), page.answer.raw, records=len(page.rows))

    def _pages(self, paging: Paging, fixed: Mapping[str, object], window: Window, field: str) -> Iterator[Page]:
        """Every page of a window; WindowError when it holds too much or shrank on the way."""
        number, most = paging.first, 0
        allowed = MOST_WANTED if window.seconds > 1 else paging.most
        while True:
            page, more = self._page(paging, {**fixed, "page": number}, field)
            number += 1
            if page.total > allowed:
                raise WindowError(PLATFORM, paging.method, f"{page.total} rows in one window")
            if page.total < most or (more is None and not page.rows and (number - 1) * paging.size < page.total):
                raise WindowError(PLATFORM, paging.method, "the window changed while it was paged")
            most = page.total
            yield page
            if not (number * paging.size < page.total if more is None else more):
                return

    def _page(self, paging: Paging, params: Mapping[str, Any], field: str) -> tuple[Page, bool | None]:
        """A page, and whether another follows where only that is said: then the total is what may have gone before."""
        answer = self.call(paging.method, params)
        data = data_of(answer)
        rows = rows_of(PLATFORM, paging.method, data.get(field))
        more = unquoted(data.get("has_more")).lower()
        if unquoted(data.get("total")) or more not in ("true", "false"):
            return Page(params, answer, rows, count_of(PLATFORM, paging.method, data.get("total"), rows)), None
        return Page(params, answer, rows, params["page"] * paging.size + len(rows)), more == "true"

    def detail(self, order_id: str, part: Part) -> None:
        """The order as it stands now; TerminalError for a number that the shop does not know."""
        self._add_detail(order_id, self._detail(order_id), part)

    def phone(self, order_id: str, part: Part) -> None:
        """The order as it stands now and the phone that is owed of it; nothing of it while that is refused."""
        if self.phones is None:
            raise TerminalError(PLATFORM, DECRYPT, "the app of the order no longer decrypts")
        if self.phones.refused is not None:
            raise self.phones.refused
        answer = self._detail(order_id)
        self.phones.add_owed(data_of(answer)["shop_order_detail"], part)
        self._add_detail(order_id, answer, part)

    def _detail(self, order_id: str) -> Answer:
        answer = self.call(DETAIL, {"shop_order_id": order_id})
        detail = data_of(answer).get("shop_order_detail")
        if not detail or not isinstance(detail, dict):
            raise TerminalError(PLATFORM, DETAIL, "no such order")
        return answer

    def _add_detail(self, order_id: str, answer: Answer, part: Part) -> None:
        part.add(self.context(DETAIL, {"shop_order_id": order_id}), answer.raw, records=1)


def _order(row: Any) -> str:
    return unquoted(row.get("order_id")) if isinstance(row, Mapping) else ""


def _case(row: Any) -> str:
    case = row.get("aftersale_info") if isinstance(row, Mapping) else None
    return unquoted(case.get("aftersale_id")) if isinstance(case, Mapping) else ""


def douyin_clients(
    app: DouyinApp, caller_of: CallerOf, endpoint: str, clock: Clock, *, owe: Owe
) -> list[DouyinShopClient]:
    """A client per shop of the app; they share its pace."""
    caller = caller_of(PLATFORM, judge, app.calls_per_second)
    return [DouyinShopClient(app, shop.shop_id, caller, endpoint, clock, owe) for shop in app.shops]
