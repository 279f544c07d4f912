"""The Taobao open platform over the simulated world: strict about signatures, sessions, windows and pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.simulate import wire_tmall
from pipelines.simulate.brand import TMALL_SHOPS
from pipelines.simulate.chaos import Chaos
from pipelines.simulate.clock import DAY, SHANGHAI
from pipelines.simulate.platform_data import PlatformData, secret_of
from pipelines.simulate.platform_tmall_queue import Refusal, TmallQueue
from serving.contract.signatures import is_signed, top_sign

Json = dict[str, Any]
Params = Mapping[str, str]

HISTORY = 90 * DAY
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

    def __post_init__(self) -> None:
        self.queue = TmallQueue(self.data)

    def answer(self, form: Params) -> Json:
        """The answer to a call, whether good or an error."""
        try:
            method, shop = self._signed(form)
            params = {name: value for name, value in form.items() if name not in SYSTEM}
            self.calls.append((method, params))
            if method in self.queue.methods:
                return self.queue.answer(form["app_key"], method, params)
            if not params.get("fields"):
                raise Refusal(40, "isv.missing-parameter:fields")
            return self._methods()[method](shop, params)
        except Refusal as refusal:
            return error(refusal.code, refusal.sub_code)

    def _methods(self) -> dict[str, Callable[[int, Params], Json]]:
        return {
            "taobao.trades.sold.increment.get": self._trades,
            "taobao.refunds.receive.get": self._refunds,
            "taobao.trade.fullinfo.get": self._trade,
        }

    def _signed(self, form: Params) -> tuple[str, int]:
        app_key, method = form.get("app_key", ""), form.get("method", "")
        if app_key not in {shop.app_key for shop in TMALL_SHOPS}:
            raise Refusal(29, "isv.appkey-not-exists")
        if form.get("v") != "2.0" or form.get("format") != "json" or form.get("sign_method") not in SIGNS:
            raise Refusal(41, "isv.invalid-parameter:common")
        if abs(_second(form.get("timestamp", ""), "timestamp") - self.data.now) > CLOCK_SKEW:
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
        window, status = self._window(params), params.get("status", "")
        if status and status not in STATES:
            raise Refusal(41, "isv.invalid-parameter:status")
        found = [
            (moment, order)
            for moment, order in self.data.orders("tmall", shop)
            if window[0] <= moment <= window[1] and status in ("", wire_tmall.TRADE_STATUS[order.phase_at(moment)])
        ]
        trades = [
            _asked(wire_tmall.trade(order, moment, moment, self.data.brand), params)
            for moment, order in _page(found, params)
        ]
        return _counted(wire_tmall.trade_page(self._doubled(trades), self.data.now), len(found), params)

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
        start = _second(params.get("start_modified", ""), "start_modified")
        end = _second(params.get("end_modified", ""), "end_modified")
        if not 0 <= end - start <= DAY:
            raise Refusal(41, "isv.invalid-parameter:end_modified")
        if start < self.data.now - HISTORY:
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


def _second(text: str, name: str) -> int:
    try:
        return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp())
    except ValueError:
        raise Refusal(41, f"isv.invalid-parameter:{name}") from None


def _page(found: list[Any], params: Params) -> list[Any]:
    """One page, the latest modification first."""
    page, size = params.get("page_no", "1"), params.get("page_size", "40")
    if not page.isdigit() or not size.isdigit() or int(page) < 1 or not 1 <= int(size) <= 100:
        raise Refusal(41, "isv.invalid-parameter:page")
    if params.get("use_has_next", "false") not in ("true", "false"):
        raise Refusal(41, "isv.invalid-parameter:use_has_next")
    latest = found[::-1]
    return latest[(int(page) - 1) * int(size) : int(page) * int(size)]
