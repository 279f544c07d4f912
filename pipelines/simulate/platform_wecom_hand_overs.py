"""How hand-overs ended, as the simulated WeCom tells it: for one pair of guides at a time (document/path/94088)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.simulate import wire_wecom
from pipelines.simulate.brand import Guide
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.platform_data import PlatformData
from pipelines.simulate.platform_wecom_pages import Refusal, page
from pipelines.simulate.relations import TRANSFER_DONE, TRANSFER_WAITING, Contact, Transfer

Json = dict[str, Any]

MOST_ROWS = 1000
ANSWER_SECONDS = 2 * HOUR
"""How soon a customer who refuses has refused."""


@dataclass
class WecomHandOverCalls:
    """`staff`: the guides of a corp who are there, as the other calls tell them."""

    data: PlatformData
    staff: Callable[[int], list[Guide]]

    def methods(self) -> dict[str, Callable[[int, Json], Json]]:
        """The calls by method: of guides who are there, and of those who left."""
        return {
            "externalcontact/transfer_result": partial(self._results, False),
            "externalcontact/resigned/transfer_result": partial(self._results, True),
        }

    def results(self, corp: int, pair: tuple[str, str]) -> list[Json]:
        """What became of every customer whose hand-over from the one to the other was asked for by now."""
        return [
            self._result(contact, contact.transfer)
            for contact in self.data.contacts
            if contact.corp == corp
            and contact.transfer is not None
            and (contact.guide.userid, contact.transfer.taker.userid) == pair
            and contact.transfer.asked_at <= self.data.now
        ]

    def _result(self, contact: Contact, transfer: Transfer) -> Json:
        told = wire_wecom.transfer_result(contact, transfer, self.data.brand)
        done = transfer.status == TRANSFER_DONE
        if self.data.now < (transfer.taken_at if done else transfer.asked_at + ANSWER_SECONDS):
            return {**told, "status": TRANSFER_WAITING, "takeover_time": transfer.asked_at + DAY}
        return told

    def _results(self, of_leaver: bool, corp: int, params: Json) -> Json:  # noqa: FBT001 - bound by name of the call
        old, new = params.get("handover_userid"), params.get("takeover_userid")
        if not isinstance(old, str) or not isinstance(new, str) or not old or not new:
            raise Refusal(40058)
        there = {guide.userid for guide in self.staff(corp)}
        left = {guide.userid for guide in self.data.brand.guides if guide.corp == corp} - there
        if old not in (left if of_leaver else there) or new not in there:
            raise Refusal(60111)
        rows, cursor = page(self.results(corp, (old, new)), params, MOST_ROWS)
        return wire_wecom.ok(customer=rows, next_cursor=cursor)
