"""The sellers' customer lists of the simulated Taobao open platform: whoever ordered, as their orders make them now.

Parameters as in the platform's field list (`taobao.crm.members.increment.get`, api 10826).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.simulate import wire_tmall
from pipelines.simulate.orders import Order
from pipelines.simulate.platform_data import PlatformData
from pipelines.simulate.platform_tmall_pages import Refusal, numbered, second_of

Json = dict[str, Any]
Params = Mapping[str, str]

MEMBERS = "taobao.crm.members.increment.get"
MOST_PAGES = 1_000
GRADES = ("-1", "0", "1", "2", "3", "4")


@dataclass
class TmallMembers:
    """The lists of all shops."""

    data: PlatformData

    def customers(self, shop: int) -> list[tuple[int, Json]]:
        """(moment of the last change, entry) of everyone who ordered, by their number."""
        theirs: dict[int, list[tuple[int, Order]]] = {}
        for moment, order in self.data.orders("tmall", shop):
            theirs.setdefault(order.buyer.index, []).append((moment, order))
        return [(max(found)[0], self._entry(shop, found)) for _, found in sorted(theirs.items())]

    def _entry(self, shop: int, found: list[tuple[int, Order]]) -> Json:
        done = [order.pay_fen for moment, order in found if 0 < order.finished <= moment]
        return wire_tmall.crm_member(found[0][1].buyer, shop, self.data.brand, (len(done), sum(done)))

    def listed(self, shop: int, params: Params) -> Json:
        """A page of the entries that changed in a stretch; they are in no order that is said."""
        if "current_page" not in params:
            raise Refusal(40, "isv.missing-parameter:current_page")
        if params["current_page"].isdigit() and int(params["current_page"]) > MOST_PAGES:
            raise Refusal(41, "isv.invalid-parameter:page")
        if params.get("grade", "1") not in GRADES:
            raise Refusal(41, "isv.invalid-parameter:grade")
        start = second_of(params["start_modify"], "start_modify") if "start_modify" in params else 0
        end = second_of(params["end_modify"], "end_modify") if "end_modify" in params else self.data.now
        if end < start:
            raise Refusal(41, "isv.invalid-parameter:end_modify")
        found = [entry for moment, entry in self.customers(shop) if start <= moment <= end]
        found = [entry for entry in found if params.get("grade", "") in ("", "-1", str(entry["grade"]))]
        page = wire_tmall.crm_member_page(numbered(found, params, "current_page"), self.data.now)
        page["crm_members_increment_get_response"]["total_result"] = len(found)
        return page
