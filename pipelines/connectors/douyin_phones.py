"""Receivers' phones of a Douyin shop's paid orders, decrypted page by page beside the orders.

An app may lack the right to decrypt, or have used up what it may decrypt today. The orders do not wait for that: whose
phone could not be asked for stands on the queue of details, and is asked for by the pulls after, with the order as it
stands then, since ciphers are others in every answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.connectors.calls import Answer, rows_of, unquoted
from pipelines.connectors.errors import RateLimitedError, RightRefusedError, TerminalError
from pipelines.connectors.sink import Part
from serving.contract.pull_queue import Hint

PLATFORM = "douyin"
DECRYPT = "order.batchDecrypt"
KIND = "phone"
MOST_CIPHERS = 50

Call = Callable[[str, Mapping[str, object]], Answer]
Context = Callable[[str], dict[str, object]]
Owe = Callable[[Sequence[Hint]], None]
"""Puts hints on the durable queue of details."""


@dataclass
class Phones:
    """The phones of one shop of an app; `refused` says why no more of them can be asked for in this pull."""

    app_key: str
    shop_id: str
    call: Call
    context: Context
    owe: Owe
    refused: RightRefusedError | None = None

    @property
    def key(self) -> str:
        """Its name in reports."""
        return f"{PLATFORM}/{DECRYPT}/{self.app_key}/{self.shop_id}"

    def add(self, orders: Sequence[Any], part: Part) -> None:
        """The phones of the paid orders among these are in the part, or owed; refusals of single ones are answers."""
        for some in _batches(orders):
            try:
                answer = self._decrypted(some)
            except TerminalError:
                self.owe([Hint(PLATFORM, self.app_key, KIND, str(one["auth_id"]), self.shop_id) for one in some])
            else:
                self._land(answer, part)

    def add_owed(self, order: Mapping[str, Any], part: Part) -> None:
        """The phone of one order that was owed; RightRefusedError while the right is missing, with nothing landed."""
        for some in _batches([order]):
            self._land(self._decrypted(some), part)

    def _decrypted(self, wanted: Sequence[Mapping[str, Any]]) -> Answer:
        if self.refused is not None:
            raise self.refused
        try:
            answer = self.call(DECRYPT, {"cipher_infos": list(wanted)})
            _check_right(answer)
        except RateLimitedError as error:
            # Patience has ended: it is no burst of calls but what the app may decrypt in all.
            self.refused = RightRefusedError(PLATFORM, DECRYPT, error.reason, hint=HINT)
            raise self.refused from None
        except RightRefusedError as error:
            self.refused = error
            raise
        return answer

    def _land(self, answer: Answer, part: Part) -> None:
        part.add(self.context(DECRYPT), answer.raw, records=len(_infos(answer)))


HINT = "grant the app the right to decrypt receivers, or wait for its new quota; then run `cdp pull`"


def _batches(orders: Sequence[Any]) -> Iterator[list[dict[str, Any]]]:
    """What is asked for: the phones of paid orders, at most 50 at a time."""
    wanted = [
        {"auth_id": order["order_id"], "cipher_text": order["encrypt_post_tel"]}
        for order in orders
        if isinstance(order, dict) and _is_paid(order) and order.get("order_id") and order.get("encrypt_post_tel")
    ]
    return (wanted[begin : begin + MOST_CIPHERS] for begin in range(0, len(wanted), MOST_CIPHERS))


def _is_paid(order: Mapping[str, Any]) -> bool:
    """Whether it states when it was paid; an unset time is 0, which may be quoted."""
    return unquoted(order.get("pay_time")) not in ("", "0")


def _check_right(answer: Answer) -> None:
    """An answer may be good by its envelope and refuse the whole page by `custom_err`."""
    refused = data_of(answer).get("custom_err")
    code = unquoted(refused.get("err_code")) if isinstance(refused, Mapping) else ""
    if code not in ("", "0") and not _infos(answer):
        raise RightRefusedError(PLATFORM, DECRYPT, code, hint=HINT)


def _infos(answer: Answer) -> Sequence[Any]:
    return rows_of(PLATFORM, DECRYPT, data_of(answer).get("decrypt_infos"))


def data_of(answer: Answer) -> Mapping[str, Any]:
    """The data of an answer, empty when it holds none."""
    data = answer.value.get("data")
    return data if isinstance(data, dict) else {}
