"""The messages of Taobao's open platform by its HTTP call: given until they are confirmed, kept for a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.simulate import wire_tmall
from pipelines.simulate.brand import TMALL_SHOPS
from pipelines.simulate.clock import DAY
from pipelines.simulate.orders import Stage
from pipelines.simulate.platform_data import PlatformData
from pipelines.simulate.platform_tmall_pages import Refusal

Json = dict[str, Any]
Params = Mapping[str, str]

GROUP = "default"
CONSUME, CONFIRM = "taobao.tmc.messages.consume", "taobao.tmc.messages.confirm"


@dataclass
class TmallQueue:
    """What waits for each app; `confirmed` are the numbers of messages taken for good."""

    data: PlatformData
    confirmed: set[str] = field(default_factory=set)

    @property
    def methods(self) -> Mapping[str, Callable[[str, Params], Json]]:
        """The calls it answers; they need no session."""
        return {CONSUME: self._consume, CONFIRM: self._confirm}

    def answer(self, app_key: str, method: str, params: Params) -> Json:
        """The answer to a call; Refusal for one that breaks its rules."""
        if params.get("group_name", GROUP) != GROUP:
            raise Refusal(41, "isv.invalid-parameter:group_name")
        return self.methods[method](app_key, params)

    def waiting(self, app_key: str) -> list[Json]:
        """The messages of the last day that are not confirmed, oldest first."""
        since = self.data.now - DAY
        found = [
            (moment, message)
            for shop, place in enumerate(TMALL_SHOPS)
            if place.app_key == app_key
            for moment, message in self._of_shop(shop, since)
            if str(message["id"]) not in self.confirmed
        ]
        return [message for _, message in sorted(found, key=lambda one: (one[0], one[1]["id"]))]

    def _consume(self, app_key: str, params: Params) -> Json:
        quantity = params.get("quantity", "100")
        if not quantity.isdigit() or not 10 <= int(quantity) <= 200:
            raise Refusal(41, "isv.invalid-parameter:quantity")
        response: Json = {"request_id": wire_tmall.request_id("tmc")}
        messages = self.waiting(app_key)[: int(quantity)]
        if messages:
            response["messages"] = {"tmc_message": messages}
        return {"tmc_messages_consume_response": response}

    def _confirm(self, app_key: str, params: Params) -> Json:
        named = params.get("s_message_ids", "").split(",")
        if not 1 <= len(named) <= 200 or not all(one.isdigit() for one in named):
            raise Refusal(41, "isv.invalid-parameter:s_message_ids")
        self.confirmed |= set(named)
        return {"tmc_messages_confirm_response": {"is_success": True, "request_id": wire_tmall.request_id("tmc")}}

    def _of_shop(self, shop: int, since: int) -> Iterator[tuple[int, Json]]:
        brand, place = self.data.brand, TMALL_SHOPS[shop]
        for last, order in self.data.orders("tmall", shop):
            for moment in order.moments(last + 1):
                topic = wire_tmall.trade_topic(order, moment) if moment >= since else None
                if topic is not None:
                    content = wire_tmall.trade_content(order, brand)
                    if order.number % 5 == 0:
                        del content["buyer_open_uid"]  # some messages name no buyer
                    yield moment, self._message(order.number, moment, topic, content, place.seller_nick)
            for refund in order.refunds:
                for moment, stage in refund.steps:
                    if stage is Stage.SUCCESS and since <= moment <= self.data.now:
                        content = wire_tmall.refund_content(order, refund, moment, brand.clock)
                        topic = "taobao_refund_RefundSuccess"
                        yield moment, self._message(refund.number, moment, topic, content, place.seller_nick)

    def _message(self, number: int, moment: int, topic: str, content: Json, seller: str) -> Json:
        frame = wire_tmall.frame((number * 31 + moment) % 10**15, topic, moment, self.data.brand.clock, content)
        return {
            "id": int(frame["id"]),
            "topic": topic,
            "user_id": int(frame["userid"]),
            "user_nick": seller,
            "content": frame["content"],
            "pub_time": frame["outtime"],
            "pub_app_key": frame["publisher"],
        }
