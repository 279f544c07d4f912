"""What all Douyin shop answers share: their envelopes, their errors, and how states are read and ranked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipelines.sources.base import Context, Parsed, Subject
from pipelines.sources.evidence import named, subject_of
from pipelines.sources.fields import identifier, text
from pipelines.sources.pages import split_pages
from pipelines.sources.sightings import Id

Codes = tuple[str | None, str | None]
"""(order_status, main_status) as text."""

Maps = Mapping[str, Mapping[str, str]]

PLATFORM = "douyin"
CIPHERS = ("encrypt_*", "cipher_text", "open_address_id", "log_id")
"""Keys that change between answers about the same thing: ciphertexts, and the receiver group that changes by day."""

OPEN_ID = "doudian_open_id"
MP_OPEN_ID = "douyin_mp_open_id"

_FINE = frozenset({"0", "10000", "10001"})  # 10001: partial success, what is there is good
_ORDER_RANK = {"1": 1, "105": 3, "2": 4, "101": 5, "3": 6, "5": 7, "4": 8}
_PARTLY_PAID = "103"
_REFUNDED = frozenset({"21", "22", "39"})
_REFUND_STATE_RANK = {"none": 0, "unknown": 1, "open": 2, "closed": 3, "success": 4}
_CASE_RANK = {"unknown": 0, "applied": 1, "processing": 2, "exchange": 3, "failed": 4, "closed": 5, "success": 6}
_MONEYLESS = frozenset({"exchange", "resend", "repair"})
_MONEYLESS_TYPES = frozenset({"3", "7", "8"})
"""The same as the platform writes them: exchange, re-send, repair."""

_MONEY_BACK = "3"
_MONEY_FAILED = "4"


def split_answer(payload: bytes, paths: Sequence[Sequence[str]]) -> Sequence[bytes]:
    """The raw records of an answer of the shop API; an error answer is refused, an answer without a list is empty."""
    return split_pages(payload, paths, _error, envelope=_is_envelope)


def _is_envelope(keys: Collection[str]) -> bool:
    return "data" in keys or (("err_no" in keys or "code" in keys) and ("message" in keys or "msg" in keys))


def _error(envelope: Mapping[str, Any]) -> str | None:
    """The platform's own codes; its message is left out, since it may repeat what was asked."""
    for key in ("code", "err_no"):
        code = text(envelope.get(key))
        if code is not None and code not in _FINE:
            return f"{key} {code}, sub_code {text(envelope.get('sub_code')) or 'none'}"
    return None


def order_status(codes: Codes, maps: Maps, *, paid: bool) -> str:
    """The state of an order or line from (order_status, main_status).

    A refund-closed main_status decides; "partly paid" only while the final payment is open.
    """
    order_code, main_code = codes
    states = maps.get("order_status", {})
    special = maps.get("main_status", {}).get(main_code or "")
    if special == "closed" or (special == "deposit_paid" and not paid):
        return special
    return states.get(order_code or main_code or "", "unknown")


def unknown_states(codes: Codes, maps: Maps, parsed: Parsed, at: str) -> None:
    """State codes that no map knows are counted; they stay raw in the row. `at` leads the field's path."""
    order_code, main_code = codes
    states = maps.get("order_status", {})
    if order_code not in states and order_code is not None:
        parsed.unknown_values.append((f"{at}order_status", order_code))
    if main_code not in states and main_code is not None and main_code not in maps.get("main_status", {}):
        parsed.unknown_values.append((f"{at}main_status", main_code))


def order_rank(codes: Codes) -> int:
    """Rank of a state among versions of one second: 1 < partly paid < 105 < 2 < 101 < 3 < 5 < 4 < refunded.

    >>> [order_rank(c) for c in (("1", "1"), ("1", "103"), ("105", None), ("2", "2"), ("4", "4"), ("5", "39"))]
    [1, 2, 3, 4, 8, 9]
    """
    order_code, main_code = codes
    if main_code in _REFUNDED:
        return 9
    rank = _ORDER_RANK.get(order_code or main_code or "", 0)
    return 2 if main_code == _PARTLY_PAID and rank < 2 else rank


def refund_state(info: Mapping[str, Any], states: Mapping[str, str]) -> tuple[str, str | None]:
    """The refund state of a line from its after_sale_info, and the status code when no map knows it.

    Money counts: refund_status 3 is a success whatever the case's status. An exchange, re-send or repair that went well
    is closed: the goods stay bought.
    """
    status = text(info.get("after_sale_status"))
    money = text(info.get("refund_status"))
    moneyless = text(info.get("after_sale_type")) in _MONEYLESS_TYPES
    if status is None:
        return "none", None
    state = states.get(status)
    if state == "none":
        return "none", None
    if money == _MONEY_BACK and not moneyless:
        return "success", None if state else status
    if state == "exchange" or (state == "success" and (moneyless or money == _MONEY_FAILED)):
        return "closed", None
    return state or "unknown", None if state else status


def shown_refund_state(stated: str, main_code: str | None) -> str:
    """The refund state of a line: as stated, or a success where only its main_status says that it was refunded.

    >>> shown_refund_state("none", "22"), shown_refund_state("closed", "22"), shown_refund_state("none", "5")
    ('success', 'closed', 'none')
    """
    return "success" if main_code in _REFUNDED and stated in ("none", "unknown") else stated


def aftersale_status(stated: str, kind: str, *, money: str | None = None) -> str:
    """The state of an after-sale case in our words from its stated state, its kind, and the state of the money.

    A case of exchange, re-send or repair that ends well is no success of a refund. Of any other, money that went back
    is one whatever the case's state: the platform may refund before the seller agrees, or although the seller refused.
    A case that ended well but whose money did not go through has failed.

    >>> aftersale_status("applied", "refund_only", money="3"), aftersale_status("success", "resend", money="3")
    ('success', 'exchange')
    """
    if kind in _MONEYLESS:
        return "exchange" if stated == "success" else stated
    if money == _MONEY_BACK:
        return "success"
    return "failed" if stated == "success" and money == _MONEY_FAILED else stated


def aftersale_rank(status: str) -> int:
    """Rank of a case's state among versions of one second: applied < processing < ... < success.

    >>> aftersale_rank("applied") < aftersale_rank("failed") < aftersale_rank("success")
    True
    """
    return _CASE_RANK.get(status, 0)


def refund_state_rank(state: str) -> int:
    """Rank of a line's refund state among versions of one second and one order state."""
    return _REFUND_STATE_RANK.get(state, 1)


def buyer(order: Mapping[str, Any], context: Context) -> tuple[list[Id], Subject | None]:
    """The buyer's identifiers on an order, and the one its facts belong to.

    doudian_open_id is comparable inside one app key, the mini-program open_id inside one app; ciphertexts, the receiver
    group and masks identify nobody.
    """
    doudian = identifier(order.get("doudian_open_id"))
    mini = identifier(order.get("open_id"))
    ids = named(OPEN_ID, context.app_key, doudian) + named(MP_OPEN_ID, context.app_id, mini)
    return ids, subject_of(ids)
