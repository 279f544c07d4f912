"""The Taobao open platform over the simulated world: strict about signatures, sessions, windows and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.simulate import wire_tmall
from pipelines.simulate.brand import TMALL_SHOPS
from pipelines.simulate.chaos import Chaos
from pipelines.simulate.clock import DAY, months_before
from pipelines.simulate.orders import Order
from pipelines.simulate.platform_data import PlatformData, secret_of
from pipelines.simulate.platform_tmall_members import MEMBERS, TmallMembers
from pipelines.simulate.platform_tmall_pages import Refusal, numbered, second_of
from pipelines.simulate.platform_tmall_queue import TmallQueue
from serving.contract.signatures import is_signed, top_sign

Json = dict[str, Any]
Params = Mapping[str, str]

HISTORY_MONTHS = 3
CLOCK_SKEW = 600
SIGNS = ("md5", "hmac", "hmac-sha256")
OAID_FIELDS = frozenset({"receiver_name", "receiver_address", "created", "receiver_mobile", "receiver_phone"})
"""Asked for together they bring the receiver's id."""

STATES = frozenset((*wire_tmall.TRADE_STATUS.values(), "TRADE_NO_CREATE_PAY", "PAY_PENDING", "TRADE_BUYER_SIGNED"))
SYSTEM = frozenset({"app_key", "method", "session", "timestamp", "format", "v", "sign_method", "sign"})


@dataclass
class TmallPlatform:
    """Sellers are told by the session they granted."""

    data: PlatformData
    chaos: Chaos
    calls: list[tuple[str, Params]] = field(default_factory=list)
    queue: TmallQueue = field(init=False)
    _members: TmallMembers = field(init=False)

    def __post_init__(self) -> None:
        self.queue = TmallQueue(self.data)
        self._members = TmallMembers(self.data)

    def answer(self, form: Params) -> Json:
        """The answer to a call, whether good or an error."""
        try:
            method, shop = self._signed(form)
            params = {name: value for name, value in form.items() if name not in SYSTEM}
            self.calls.append((method, params))
            if method in self.queue.methods:
                return self.queue.answer(form["app_key"], method, params)
            if method != MEMBERS and not params.get("fields"):
                raise Refusal(40, "isv.missing-parameter:fields")
            return self._methods()[method](shop, params)
        except Refusal as refusal:
            return error(refusal.code, refusal.sub_code)

    def _methods(self) -> dict[str, Callable[[int, Params], Json]]:
        return {
            "taobao.trades.sold.increment.get": self._trades,
            "taobao.trades.sold.get": self._created,
            "taobao.refunds.receive.get": self._refunds,
            "taobao.trade.fullinfo.get": self._trade,
            MEMBERS: self._members.listed,
        }

    def _signed(self, form: Params) -> tuple[str, int]:
        app_key, method = form.get("app_key", ""), form.get("method", "")
        if app_key not in {shop.app_key for shop in TMALL_SHOPS}:
            raise Refusal(29, "isv.appkey-not-exists")
        if form.get("v") != "2.0" or form.get("format") != "json" or form.get("sign_method") not in SIGNS:
            raise Refusal(41, "isv.invalid-parameter:common")
        if abs(second_of(form.get("timestamp", ""), "timestamp") - self.data.now) > CLOCK_SKEW:
            raise Refusal(31, "isv.invalid-timestamp")
        if not is_signed(top_sign(secret_of(app_key), form, method=form["sign_method"]), form.get("sign", "")):
            raise Refusal(25, "isv.invalid-signature")
        if method in self.queue.methods:
            return method, 0
        if method not in self._methods():
            raise Refusal(22, "isv.invalid-method")
        for number, shop in enumerate(TMALL_SHOPS):
            if shop.app_key == app_key and form.get("session") == session_of(shop.seller_nick):
                return method, number
        raise Refusal(27, "isv.invalid-session")

    def _trades(self, shop: int, params: Params) -> Json:
        window = self._window(params)
        found = [found for found in self._of_status(shop, params) if window[0] <= found[0] <= window[1]]
        return self._trade_page("taobao.trades.sold.increment.get", found, params)

    def _created(self, shop: int, params: Params) -> Json:
        """The trades created in a stretch, up to now or three months back where an end is left out, newest first."""
        now = self.data.now
        oldest = months_before(now, HISTORY_MONTHS)
        start = second_of(params["start_created"], "start_created") if "start_created" in params else oldest
        end = second_of(params["end_created"], "end_created") if "end_created" in params else now
        if start < oldest or end < start:
            raise Refusal(41, "isv.invalid-parameter:start_created")
        found = [found for found in self._of_status(shop, params) if start <= found[1].created <= end]
        found.sort(key=lambda item: (item[1].created, item[1].number))
        return self._trade_page("taobao.trades.sold.get", found, params)

    def _of_status(self, shop: int, params: Params) -> list[tuple[int, Order]]:
        status = params.get("status", "")
        if status and status not in STATES:
            raise Refusal(41, "isv.invalid-parameter:status")
        return [
            (moment, order)
            for moment, order in self.data.orders("tmall", shop)
            if status in ("", wire_tmall.TRADE_STATUS[order.phase_at(moment)])
        ]

    def _trade_page(self, method: str, found: list[tuple[int, Order]], params: Params) -> Json:
        trades = [
            _asked(wire_tmall.trade(order, moment, moment, self.data.brand), params)
            for moment, order in _page(found, params)
        ]
        page = wire_tmall.trade_page(self._doubled(trades), self.data.now)
        response = f"{method.removeprefix('taobao.').replace('.', '_')}_response"
        return _counted({response: next(iter(page.values()))}, len(found), params)

    def _refunds(self, shop: int, params: Params) -> Json:
        window = self._window(params)
        found = [item for item in self.data.refunds("tmall", shop) if window[0] <= item[0] <= window[1]]
        records = [
            _asked(wire_tmall.refund_record(order, refund, moment, self.data.brand), params)
            for moment, order, refund in _page(found, params)
        ]
        return _counted(wire_tmall.refund_page(self._doubled(records), self.data.now), len(found), params)

    def _trade(self, shop: int, params: Params) -> Json:
        found = self.data.order("tmall", shop, params.get("tid", ""))
        if found is None:
            raise Refusal(15, "isv.trade-not-exist")
        trade = _asked(wire_tmall.trade(found[1], found[0], found[0], self.data.brand), params)
        if params.get("include_oaid") != "true":
            trade.pop("oaid", None)
        return {"trade_fullinfo_get_response": {"trade": trade, "request_id": wire_tmall.request_id("full")}}

    def _window(self, params: Params) -> tuple[int, int]:
        start = second_of(params.get("start_modified", ""), "start_modified")
        end = second_of(params.get("end_modified", ""), "end_modified")
        if not 0 <= end - start <= DAY:
            raise Refusal(41, "isv.invalid-parameter:end_modified")
        if start < months_before(self.data.now, HISTORY_MONTHS):
            raise Refusal(41, "isv.invalid-parameter:start_modified")
        return start, end

    def _doubled(self, records: list[Json]) -> list[Json]:
        return [*records, records[0]] if records and self.chaos.doubles() else records


def _counted(page: Json, total: int, params: Params) -> Json:
    """A total, or whether there are pages behind this one, as it was asked for: never both."""
    response = next(iter(page.values()))
    if params.get("use_has_next") == "true":
        number, size = int(params.get("page_no", "1")), int(params.get("page_size", "40"))
        response["has_next"] = number * size < total
        return page
    del response["has_next"]
    response["total_results"] = total
    return page


def _asked(record: Json, params: Params) -> Json:
    """The fields that were asked for and no others; the receiver's id comes with the receiver's other fields."""
    fields = {field.strip().partition(".")[0] for field in params["fields"].split(",")}
    asked = fields - {"oaid"} | ({"oaid"} if fields >= OAID_FIELDS else set())
    return {name: value for name, value in record.items() if name in asked}


def error(code: int, sub_code: str) -> Json:
    """An error answer."""
    response = {"code": code, "msg": "error", "sub_code": sub_code, "request_id": wire_tmall.request_id("error")}
    return {"error_response": response}


def session_of(seller_nick: str) -> str:
    """The session key that the simulated seller granted."""
    return secret_of(f"session {seller_nick}")


def _page(found: list[Any], params: Params) -> list[Any]:
    """One page, the latest first."""
    if params.get("use_has_next", "false") not in ("true", "false"):
        raise Refusal(41, "isv.invalid-parameter:use_has_next")
    return numbered(found[::-1], params, "page_no")
