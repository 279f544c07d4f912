"""The Douyin shop platform: orders and after-sale cases by update time, details by number.

Pages count from 0 and reach 50,000 rows; only updates of the last 90 days (after-sale: 6 months) can be asked for.
Sorted by update time ascending, a record that changes while a window is paged leaves it and moves the others up by one:
a total that shrank therefore asks for the window again, in halves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
PASSING = ("20000", "10001")
"""Codes of failures that pass: the system's, and a partial success, which is no whole page."""

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
        ("limit" in sub or "frequen" in sub, RateLimitedError),
        (last == "20013", WindowError),
        (code in BRIEF or last in BRIEF, BriefError),
        (code in PASSING or last in PASSING, RetryableError),
    )
    kind = next((kind for holds, kind in kinds if holds), TerminalError)
    hint = _hint(method, sub, kind) if issubclass(kind, TerminalError) else ""
    raise kind(PLATFORM, method, f"{code} {sub}".strip(), hint=hint)


def _hint(method: str, sub: str, kind: type[PlatformError]) -> str:
    if kind is RightRefusedError:
        return HINT if method == DECRYPT else "grant the app this permission, then run `cdp pull`"
    return "set the clock of this machine" if "timestamp" in sub else "check app key, secret and shop in platforms.yaml"


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
        for params, answer, orders in self._pages(ORDERS, fixed, window, "shop_order_list"):
            part.add(self.context(ORDERS, params), answer.raw, records=len(orders))
            if self.phones is not None:
                self.phones.add(orders, part)

    def _cases(self, window: Window, part: Part) -> None:
        wanted = {"update_start_time": window.start, "update_end_time": window.end}
        fixed = {**wanted, "order_by": ["update_time asc"], "size": PAGE}
        for params, answer, items in self._pages(CASES, fixed, window, "items"):
            part.add(self.context(CASES, params), answer.raw, records=len(items))

    def _pages(
        self, method: str, fixed: Mapping[str, object], window: Window, field: str
    ) -> Iterator[tuple[Mapping[str, object], Answer, Sequence[Any]]]:
        """Every page of a window; WindowError when it holds too much or shrank on the way."""
        page, most = 0, 0
        while True:
            params = {**fixed, "page": page}
            answer = self.call(method, params)
            data = data_of(answer)
            rows = rows_of(PLATFORM, method, data.get(field))
            total = count_of(PLATFORM, method, data.get("total"), rows)
            if total > (MOST_WANTED if window.seconds > 1 else MOST_ROWS):
                raise WindowError(PLATFORM, method, f"{total} rows in one window")
            if total < most or (not rows and page * PAGE < total):
                raise WindowError(PLATFORM, method, "the window changed while it was paged")
            most = total
            yield params, answer, rows
            page += 1
            if page * PAGE >= total:
                return

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


def douyin_clients(
    app: DouyinApp, caller_of: CallerOf, endpoint: str, clock: Clock, *, owe: Owe
) -> list[DouyinShopClient]:
    """A client per shop of the app; they share its pace."""
    caller = caller_of(PLATFORM, judge, app.calls_per_second)
    return [DouyinShopClient(app, shop.shop_id, caller, endpoint, clock, owe) for shop in app.shops]
