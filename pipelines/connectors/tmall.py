"""The Taobao open platform (TOP): trades and refunds by modification time, trades by creation, whole ones by number.

Pages are sorted by that time descending and counted from 1, so they are read from the last to the first: a trade that
changes meanwhile leaves the window and moves the others towards pages that are still to come. A total that grew would
move them the other way and asks for the window again; so does a trade that stays in the window and comes twice.

What was created is asked for once a day, all that the platform still knows the first time: it brings the trades whose
modification came to light behind the mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from pipelines.clock import Clock
from pipelines.connectors.calls import Answer, Caller, CallerOf, count_of, rows_of, unquoted
from pipelines.connectors.errors import PlatformError, RateLimitedError, RetryableError, TerminalError, WindowError
from pipelines.connectors.pages import Page, Paging, each_once
from pipelines.connectors.sink import Part
from pipelines.connectors.source import Source
from pipelines.connectors.windows import DAY, Window, WindowRule, local_text, span_text
from serving.contract.platforms import TmallApp, TmallShop
from serving.contract.signatures import top_sign

PLATFORM = "tmall"
PAGE = 100
MOST_ROWS = 5_000
"""Rows of a window above which it is halved: the platform advises short windows, and pages far back are slow."""

TRADES, CREATED = "taobao.trades.sold.increment.get", "taobao.trades.sold.get"
REFUNDS, TRADE = "taobao.refunds.receive.get", "taobao.trade.fullinfo.get"
HISTORY = 89 * DAY
"""Three months, the shortest of which begin with February."""

RULE = WindowRule(longest=DAY, history=HISTORY)
CREATED_RULE = WindowRule(longest=7 * DAY, history=HISTORY, overlap=DAY)
MODIFIED_SPAN, CREATED_SPAN = ("start_modified", "end_modified"), ("start_created", "end_created")
TYPES = "guarantee_trade,auto_delivery,ec,cod,step,fixed"
TRADE_FIELDS = (
    "tid,tid_str,status,type,seller_nick,buyer_nick,buyer_open_uid,oaid,created,modified,pay_time,consign_time,"
    "end_time,payment,total_fee,discount_fee,adjust_fee,post_fee,received_payment,platform_subsidy_fee,step_trade_status,"
    "step_paid_fee,alipay_point,coupon_fee,num,trade_from,seller_flag,receiver_name,receiver_mobile,receiver_phone,"
    "receiver_state,receiver_city,receiver_district,receiver_address,orders"
)
REFUND_FIELDS = (
    "refund_id,tid,oid,status,refund_fee,total_fee,payment,created,modified,order_status,good_status,refund_phase,"
    "dispute_type,has_good_return,refund_version,ouid,buyer_open_uid,buyer_nick,seller_nick,reason"
)
LIMIT_CODES = ("4", "5", "6", "7", "8")
"""Too many calls: of a user, a session, a partner, the app, and too quickly one after another."""

BAN = re.compile(r"last for (\d{1,9}) more second")
LONGEST_BAN = 120
"""Seconds of a ban that a pull waits for; a longer one is the day's allowance, used up."""

SESSION_CODES = ("26", "27")
PASSING_CODES = ("10",)
"""The platform's own services are away; some of its answers name no sub code."""


def judge(method: str, value: Mapping[str, Any]) -> None:
    """The typed error of an `error_response`: the platform's own failures pass, the caller's (`isv.`) do not."""
    error = value.get("error_response")
    if not isinstance(error, Mapping):
        return
    code, sub = str(error.get("code", "")), str(error.get("sub_code", ""))
    reason = f"{code} {sub}".strip()
    if code in LIMIT_CODES or "limit" in sub:
        raise _limited(method, reason, BAN.search(str(error.get("sub_msg", ""))))
    if sub.startswith("isp.") or code in PASSING_CODES:
        raise RetryableError(PLATFORM, method, reason)
    renew = code in SESSION_CODES or "session" in sub
    hint = "let the seller authorise the app again and put the new session into platforms.yaml" if renew else ""
    if "timestamp" in sub:
        hint = "set the clock of this machine"
    raise TerminalError(PLATFORM, method, reason, hint=hint or "check app key, secret and seller in platforms.yaml")


def _limited(method: str, reason: str, ban: re.Match[str] | None) -> PlatformError:
    """The error of too many calls: it passes once the ban has ended, which a pull waits for unless it is long."""
    seconds = int(ban[1]) if ban else 0
    if seconds > LONGEST_BAN:
        hint = f"the app may call again in {seconds} seconds; run `cdp pull` then"
        return TerminalError(PLATFORM, method, reason, hint=hint)
    limited = RateLimitedError(PLATFORM, method, reason)
    limited.wait = max(limited.wait, seconds + 1.0 if ban else 0.0)
    return limited


@dataclass(frozen=True)
class TmallShopClient:
    """One seller of one app."""

    app: TmallApp
    shop: TmallShop
    caller: Caller
    endpoint: str
    clock: Clock

    def call(self, method: str, params: Mapping[str, str]) -> Answer:
        """The answer of a method."""
        return self.caller.ask(method, lambda: self._request(method, params))

    def _request(self, method: str, params: Mapping[str, str]) -> httpx.Request:
        form = {**params, "session": self.shop.session.get_secret_value()}
        return httpx.Request("POST", self.endpoint, data=signed_form(self.app, method, form, now=self.clock() // 1000))

    def context(self, method: str, params: Mapping[str, str]) -> dict[str, object]:
        """The context of an answer in the landing; the session is no part of it."""
        return {
            "platform": PLATFORM,
            "app_key": self.app.app_key,
            "seller_nick": self.shop.seller_nick,
            "shop_id": self.shop.shop_id,
            "brand": self.app.brand,
            "method": method,
            "params": {name: value for name, value in params.items() if name != "fields"},
        }

    @property
    def tail(self) -> str:
        """The end of the names of its sources."""
        return f"{self.app.app_key}/{self.shop.shop_id or self.shop.seller_nick}"

    def sources(self) -> tuple[Source, ...]:
        """What is pulled by window."""
        tail = self.tail
        return (
            Source(f"{PLATFORM}/trades/{tail}", "tmall_trades", self._trades, RULE),
            Source(f"{PLATFORM}/refunds/{tail}", "tmall_refunds", self._refunds, RULE),
            Source(f"{PLATFORM}/created/{tail}", "tmall_trades", self._created, CREATED_RULE, daily=True),
        )

    def _trades(self, window: Window, part: Part) -> None:
        self._add(TRADES, {"fields": TRADE_FIELDS, "type": TYPES, **span_text(MODIFIED_SPAN, window)}, window, part)

    def _created(self, window: Window, part: Part) -> None:
        self._add(CREATED, {"fields": TRADE_FIELDS, "type": TYPES, **span_text(CREATED_SPAN, window)}, window, part)

    def _refunds(self, window: Window, part: Part) -> None:
        self._add(REFUNDS, {"fields": REFUND_FIELDS, **span_text(MODIFIED_SPAN, window)}, window, part)

    def _add(self, method: str, asked: Mapping[str, str], window: Window, part: Part) -> None:
        paging = Paging(PLATFORM, method, first=1, size=PAGE, most=MOST_ROWS)
        for page in each_once(paging, window, lambda: self._pages(method, asked, window), _name):
            part.add(self.context(method, page.params), page.answer.raw, records=len(page.rows))

    def _pages(self, method: str, asked: Mapping[str, str], window: Window) -> Iterator[Page]:
        """Every page of a window, the last one first."""
        base = {**asked, "page_size": str(PAGE), "use_has_next": "false"}
        total = _read(method, self.call(method, {**base, "page_no": "1"}))[0]
        if total > MOST_ROWS and window.seconds > 1:
            raise WindowError(PLATFORM, method, f"{total} rows in one window")
        for page in range(-(-total // PAGE), 0, -1):
            params = {**base, "page_no": str(page)}
            answer = self.call(method, params)
            now, rows = _read(method, answer)
            if now > total or (not rows and (page - 1) * PAGE < now):
                raise WindowError(PLATFORM, method, "the window changed while it was paged")
            yield Page(params, answer, rows, now)

    def detail(self, tid: str, part: Part) -> None:
        """The whole trade as it stands now."""
        params = {"tid": tid, "fields": TRADE_FIELDS, "include_oaid": "true"}
        answer = self.call(TRADE, params)
        response = answer.value.get("trade_fullinfo_get_response")
        if not isinstance(response, dict) or not response.get("trade"):
            raise TerminalError(PLATFORM, TRADE, "no such trade")
        part.add(self.context(TRADE, params), answer.raw, records=1)


def signed_form(app: TmallApp, method: str, params: Mapping[str, str], *, now: int) -> dict[str, str]:
    """The form of a call, signed; `now` in epoch seconds."""
    form = {
        **params,
        "method": method,
        "app_key": app.app_key,
        "timestamp": local_text(now),
        "format": "json",
        "v": "2.0",
        "sign_method": "hmac",
    }
    form["sign"] = top_sign(app.app_secret.get_secret_value(), form, method="hmac")
    return form


def _read(method: str, answer: Answer) -> tuple[int, Sequence[Any]]:
    """Total and rows of a page; lists are nested twice and absent when empty."""
    response = next((value for value in answer.value.values() if isinstance(value, dict)), {})
    nested: Mapping[str, Any] = next(
        (response[name] for name in ("trades", "refunds") if isinstance(response.get(name), dict)), {}
    )
    rows = rows_of(PLATFORM, method, next(iter(nested.values()), None))
    return count_of(PLATFORM, method, response.get("total_results"), rows), rows


def _name(row: Any) -> str:
    """The number of a refund, else of a trade: a refund names its trade too."""
    if not isinstance(row, Mapping):
        return ""
    return unquoted(row.get("refund_id")) or unquoted(row.get("tid"))


def tmall_clients(app: TmallApp, caller_of: CallerOf, endpoint: str, clock: Clock) -> list[TmallShopClient]:
    """A client per seller of the app; they share its pace."""
    caller = caller_of(PLATFORM, judge, app.calls_per_second)
    return [TmallShopClient(app, shop, caller, endpoint, clock) for shop in app.shops]
