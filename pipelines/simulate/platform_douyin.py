"""The Douyin shop platform over the simulated world: strict about signatures, tokens, paging and windows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from pipelines.simulate import wire_douyin, wire_douyin_calls
from pipelines.simulate.brand import DOUYIN_APP, DOUYIN_SHOPS
from pipelines.simulate.chance import stream
from pipelines.simulate.chaos import Chaos
from pipelines.simulate.clock import DAY, SHANGHAI
from pipelines.simulate.orders import Order
from pipelines.simulate.platform_data import PlatformData, secret_of, shop_number
from serving.contract.signatures import douyin_api_sign, douyin_api_sign_md5, is_signed

Json = dict[str, Any]

ORDER_HISTORY = 90 * DAY
CASE_HISTORY = 180 * DAY
MOST_ROWS = 50_000
MOST_CIPHERS = 50
CLOCK_SKEW = 600
SIGNS = {"hmac-sha256": douyin_api_sign, "md5": douyin_api_sign_md5}
SORTS = ("update_time asc", "update_time desc", "apply_time asc", "apply_time desc")
TOKEN_SECONDS = 7 * DAY


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """The platform's error answer: code and sub code."""

    def __init__(self, code: int, sub_code: str) -> None:
        super().__init__(sub_code)
        self.code = code
        self.sub_code = sub_code


@dataclass
class DouyinPlatform:
    """`token_calls`: after so many calls a token ends, as if it had expired. `decryptions`: how many receivers of a
    shop may be decrypted in a day, with 0 none at all."""

    data: PlatformData
    chaos: Chaos
    token_calls: int = 10_000
    decryptions: int = 100_000
    calls: list[tuple[str, Json]] = field(default_factory=list)
    _tokens: dict[str, list[Any]] = field(default_factory=dict)
    _decrypted: Counter[tuple[int, int]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, query: Mapping[str, str], body: bytes) -> Json:
        """The answer to a call of a method, whether good or an error."""
        try:
            app_key = self._signed(method, query, body)
            params = self._params(body)
            with self._lock:
                self.calls.append((method, params))
                if method == "token.create":
                    return self._create_token(app_key, params)
                shop = self._shop_of(query.get("access_token", ""), app_key)
            return self._methods()[method](shop, params)
        except Refusal as refusal:
            now = self.data.now
            answer = wire_douyin_calls.error_envelope(now)
            return {**answer, "code": refusal.code, "msg": "error", "sub_code": refusal.sub_code}

    def _methods(self) -> dict[str, Callable[[int, Json], Json]]:
        return {
            "order.searchList": self._search,
            "order.orderDetail": self._detail,
            "afterSale.List": self._cases,
            "order.batchDecrypt": self._decrypt,
            "member.searchList": self._members,
        }

    def _signed(self, method: str, query: Mapping[str, str], body: bytes) -> str:
        app_key, timestamp = query.get("app_key", ""), query.get("timestamp", "")
        if app_key not in {shop.app_key for shop in DOUYIN_SHOPS}:
            raise Refusal(40003, "isv.parameter-invalid:app-key")
        sign = SIGNS.get(query.get("sign_method", ""))
        if query.get("v") != "2" or sign is None or query.get("method") != method:
            raise Refusal(40003, "isv.parameter-invalid:common")
        if not timestamp.isdigit() or abs(int(timestamp) - self.data.now) > CLOCK_SKEW:
            raise Refusal(40003, "isv.timestamp-invalid")
        expected = sign(
            secret_of(app_key),
            app_key=app_key,
            method=method,
            param_json=body.decode(errors="replace"),
            timestamp=timestamp,
        )
        if not is_signed(expected, query.get("sign", "")):
            raise Refusal(40003, "isv.signature-invalid")
        if method != "token.create" and method not in self._methods():
            raise Refusal(30001, "isv.no-permission")
        return app_key

    def _params(self, body: bytes) -> Json:
        try:
            params = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Refusal(40003, "isv.parameter-invalid:json") from None
        if not isinstance(params, dict) or orjson.dumps(params, option=orjson.OPT_SORT_KEYS) != body:
            raise Refusal(40003, "isv.parameter-invalid:unsorted")
        return params

    def _create_token(self, app_key: str, params: Json) -> Json:
        shop = shop_number("douyin", str(params.get("shop_id")))
        if params.get("grant_type") != "authorization_self" or shop is None or DOUYIN_SHOPS[shop].app_key != app_key:
            raise Refusal(40003, "isv.parameter-invalid:grant")
        token = f"token-{app_key}-{len(self._tokens)}"
        self._tokens[token] = [app_key, shop, self.token_calls, self.data.now + TOKEN_SECONDS]
        return wire_douyin_calls.envelope({"access_token": token, "expires_in": TOKEN_SECONDS}, self.data.now)

    def _shop_of(self, token: str, app_key: str) -> int:
        if not token:
            raise Refusal(40001, "isv.access-token-missing")
        known = self._tokens.get(token)
        if known is None or known[0] != app_key:
            raise Refusal(40003, "isv.access-token-no-existed")
        if known[2] <= 0 or known[3] <= self.data.now:
            raise Refusal(40003, "isv.access-token-expired")
        known[2] -= 1
        return int(known[1])

    def _search(self, shop: int, params: Json) -> Json:
        if params.get("update_time_start") is None and params.get("create_time_start") is None:
            raise Refusal(40003, "isv.parameter-invalid:update_time_start")
        updated = self._span(params, ("update_time_start", "update_time_end"), ORDER_HISTORY)
        created = self._span(params, ("create_time_start", "create_time_end"), ORDER_HISTORY)
        by = params.get("order_by", "create_time")
        if by not in ("create_time", "update_time"):
            raise Refusal(40003, "isv.parameter-invalid:order_by")
        found = [
            (moment, order)
            for moment, order in self.data.orders("douyin", shop)
            if _within(updated, moment) and _within(created, order.created)
        ]
        if by == "create_time":
            found.sort(key=lambda item: (item[1].created, item[1].number))
        if params.get("order_asc") is not True:
            found.reverse()
        records = [self._record(order, moment) for moment, order in _page(found, params)]
        return wire_douyin_calls.envelope(self._listed("shop_order_list", records, len(found), params), self.data.now)

    def _span(self, params: Json, names: tuple[str, str], history: int) -> tuple[int, int] | None:
        """The stretch that two parameters name, up to now without an end; None without a start."""
        if params.get(names[0]) is None:
            return None
        return _window(params, *names, now=self.data.now, history=history)

    def _record(self, order: Order, moment: int) -> Json:
        rng = stream(self.data.config.seed, "cipher", order.number, moment, len(self.calls))
        return wire_douyin.shop_order(order, moment, self.data.brand, rng)

    def _listed(self, name: str, records: list[Json], total: int, params: Json) -> Json:
        if records and self.chaos.doubles():
            records.append(records[0])
        return {"page": params["page"], "size": params["size"], "total": total, name: records}

    def _detail(self, shop: int, params: Json) -> Json:
        found = self.data.order("douyin", shop, str(params.get("shop_order_id", "")))
        if found is None:
            raise Refusal(40003, "isv.parameter-invalid:order")
        return wire_douyin_calls.order_detail(self._record(found[1], found[0]), self.data.now)

    def _cases(self, shop: int, params: Json) -> Json:
        """The cases of the last half year, or of the stretches named for their update and their application."""
        updated = self._span(params, ("update_start_time", "update_end_time"), CASE_HISTORY)
        applied = self._span(params, ("start_time", "end_time"), CASE_HISTORY)
        if updated is None and applied is None:
            applied = (self.data.now - CASE_HISTORY, self.data.now)
        order_by = params.get("order_by", ["update_time desc"])
        if not isinstance(order_by, list) or len(order_by) != 1 or order_by[0] not in SORTS:
            raise Refusal(40003, "isv.parameter-invalid:order_by")
        found = [
            (moment, order, refund)
            for moment, order, refund in self.data.refunds("douyin", shop)
            if _within(updated, moment) and _within(applied, refund.applied_at)
        ]
        if order_by[0].startswith("apply_time"):
            found.sort(key=lambda item: (item[2].applied_at, item[2].number))
        if order_by[0].endswith("desc"):
            found.reverse()
        items = [
            wire_douyin.aftersale_item(order, refund, moment, quoted=refund.number % 5 == 0)
            for moment, order, refund in _page(found, params)
        ]
        listed = self._listed("items", items, len(found), params)
        listed["has_more"] = (params["page"] + 1) * params["size"] < len(found)
        return wire_douyin_calls.envelope(listed, self.data.now)

    def _decrypt(self, shop: int, params: Json) -> Json:
        wanted = params.get("cipher_infos")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= MOST_CIPHERS:
            raise Refusal(40003, "isv.parameter-invalid:cipher_infos")
        self._count_decryptions(shop, len(wanted))
        infos = []
        for item in wanted:
            if not isinstance(item, dict):
                raise Refusal(40003, "isv.parameter-invalid:cipher_infos")
            found = self.data.order("douyin", shop, str(item.get("auth_id", "")))
            if found is None or not str(item.get("cipher_text", "")).startswith("$$"):
                raise Refusal(40003, "isv.parameter-invalid:cipher_text")
            order = found[1]
            rng = stream(self.data.config.seed, "decrypt", order.number)
            refused = order.number % 25 == 0
            info = (
                wire_douyin_calls.not_decrypted(order, rng)
                if refused
                else wire_douyin_calls.decrypted(order, order.receiver.phone, rng, virtual_until=0)
            )
            infos.append({**info, "cipher_text": item["cipher_text"]})
        return wire_douyin_calls.decrypt_page(infos, self.data.now)

    def member_orders(self, shop: int) -> list[tuple[int, Json]]:
        """(moment of creation, row) of every order of the brand's members."""
        app_key, ids = DOUYIN_SHOPS[shop].app_key, self.data.brand.ids
        return [
            (order.created, {"open_id": ids.doudian_open_id(app_key, buyer.index), "order_id": str(order.number)})
            for _, order in self.data.orders("douyin", shop)
            if (buyer := order.buyer).member_id is not None and buyer.member_since <= order.created
        ]

    def _members(self, shop: int, params: Json) -> Json:
        """The orders of members created in a stretch; they are in no order that is said."""
        if params.get("app_id") != DOUYIN_APP.app_id:
            raise Refusal(40003, "isv.parameter-invalid:app_id")
        start, end = _second(params.get("start_time")), _second(params.get("end_time"))
        if end < start or start < self.data.now - ORDER_HISTORY:
            raise Refusal(40003, "isv.parameter-invalid:start_time")
        found = [row for moment, row in self.member_orders(shop) if start <= moment <= end]
        rows = _page(found, params)
        answer = wire_douyin_calls.member_page(rows, self.data.now)
        answer["data"]["total"] = len(found)
        return answer

    def _count_decryptions(self, shop: int, wanted: int) -> None:
        if self.decryptions == 0:
            raise Refusal(30001, "isv.no-permission")
        today = self.data.brand.clock.day_of(self.data.now)
        if self._decrypted[shop, today] + wanted > self.decryptions:
            raise Refusal(40003, "isv.decrypt-quota-exhausted")
        self._decrypted[shop, today] += wanted


def _window(params: Json, first: str, last: str, *, now: int, history: int) -> tuple[int, int]:
    start, end = _whole(params.get(first), first), _whole(params.get(last, now), first)
    if end < start:
        raise Refusal(40003, f"isv.parameter-invalid:{first}")
    if start < now - history:
        raise Refusal(40003, "isv.parameter-invalid:20011")
    return start, end


def _second(text: object) -> int:
    """A time in words, Asia/Shanghai."""
    try:
        return int(datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).timestamp())
    except ValueError:
        raise Refusal(40003, "isv.parameter-invalid:start_time") from None


def _within(span: tuple[int, int] | None, moment: int) -> bool:
    return span is None or span[0] <= moment <= span[1]


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal(40003, f"isv.parameter-invalid:{name}")
    return value


def _page(found: list[Any], params: Json) -> list[Any]:
    page, size = _whole(params.get("page"), "page"), _whole(params.get("size"), "page")
    if page < 0 or not 1 <= size <= 100:
        raise Refusal(40003, "isv.parameter-invalid:page")
    if page * size > MOST_ROWS:
        raise Refusal(40003, "isv.parameter-invalid:20013")
    return found[page * size : (page + 1) * size]
