"""What all answers of Taobao's open platform share: envelopes, errors, and how states are read and ranked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from pipelines.sources.amounts import stated_phone
from pipelines.sources.base import Context, RecordRefusedError
from pipelines.sources.evidence import named
from pipelines.sources.fields import identifier, mapping, text
from pipelines.sources.pages import split_pages
from pipelines.sources.sightings import Id

PLATFORM = "tmall"
OPEN_UID, OUID, OMID, MIX_MOBILE = "tmall_open_uid", "tmall_ouid", "tmall_omid", "tmall_mix_mobile"
VOLATILE = ("aid", "oaid", "request_id", "retried")
"""Keys that change between answers about the same thing: the receiver ids of the week, the call's own number."""

MESSAGE_PATHS = (("tmc_messages_consume_response", "messages", "tmc_message"), ("messages", "tmc_message"))
"""Where the messages of an HTTP answer lie."""

PUSHED = "jdp_response"
"""The column of the order push database that holds an answer as text; its row is a record, not an answer."""

_ORDER_RANK = {
    status: rank
    for rank, status in enumerate(
        (
            "TRADE_NO_CREATE_PAY",
            "WAIT_BUYER_PAY",
            "PAY_PENDING",
            "WAIT_PRE_AUTH_CONFIRM",
            "PAID_FORBID_CONSIGN",
            "WAIT_SELLER_SEND_GOODS",
            "SELLER_CONSIGNED_PART",
            "WAIT_BUYER_CONFIRM_GOODS",
            "TRADE_BUYER_SIGNED",
            "TRADE_FINISHED",
            "TRADE_CLOSED_BY_TAOBAO",
            "TRADE_CLOSED",
        ),
        start=1,
    )
}
DEPOSIT_HELD = frozenset({"FRONT_PAID_FINAL_NOPAID", "FRONT_PAID_FRONT_FORFEITED"})
"""Steps of a trade whose deposit was paid and whose final payment was not."""

_REFUND_RANK = {
    status: rank
    for rank, status in enumerate(
        (
            "NO_REFUND",
            "WAIT_SELLER_AGREE",
            "WAIT_BUYER_RETURN_GOODS",
            "WAIT_SELLER_CONFIRM_GOODS",
            "WAIT_SELLER_CONSIGN_GOODS",
            "WAIT_BUYER_CONFIRM_EXCHANGE_SELLER_SEND_GOODS",
            "EXCHANGE_TRANSFORM_TO_REFUND",
            "SELLER_REFUSE_BUYER",
            "CLOSED",
            "SUCCESS",
        )
    )
}


def split_answer(payload: bytes, paths: Sequence[Sequence[str]]) -> Sequence[bytes]:
    """The raw records of an answer; an error answer is refused, an answer without a list is empty.

    An answer to another call than those of the paths is refused too: taken for an empty page it would be lost.
    """
    found = split_pages(payload, paths, _error, envelope=_is_envelope)
    if not found:
        _refuse_foreign(payload, {path[0] for path in paths})
    return found


def _refuse_foreign(payload: bytes, known: Collection[str]) -> None:
    answer = orjson.loads(payload)
    for key in answer if isinstance(answer, dict) else ():
        if _is_envelope((key,)) and key not in known:
            raise RecordRefusedError("foreign_answer", f"{key} is no answer that this feed reads")


def _is_envelope(keys: Collection[str]) -> bool:
    return any(key.endswith("_response") and key != PUSHED for key in keys)


def _error(envelope: Mapping[str, Any]) -> str | None:
    """The platform's own codes; its message is left out, since it may repeat what was asked."""
    error = envelope.get("error_response")
    if error is None:
        return None
    found = error if isinstance(error, Mapping) else {}
    return f"code {text(found.get('code')) or 'none'}, sub_code {text(found.get('sub_code')) or 'none'}"


def order_rank(status: str | None, step: str | None = None) -> int:
    """Rank of a trade state among versions of one second, TRADE_CLOSED highest; a paid deposit ranks above none.

    >>> open_trade = order_rank("WAIT_BUYER_PAY")
    >>> open_trade < order_rank("WAIT_BUYER_PAY", "FRONT_PAID_FINAL_NOPAID") < order_rank("PAY_PENDING")
    True
    """
    return 2 * _ORDER_RANK.get(status or "", 0) + (step in DEPOSIT_HELD)


def refund_rank(status: str | None) -> int:
    """Rank of a refund state among versions of one second, SUCCESS highest."""
    return _REFUND_RANK.get(status or "", 0)


def platform_id(value: Mapping[str, Any], name: str) -> str | None:
    """A 64-bit id as text: the `*_str` form where there is one, since numbers may have been rounded on the way."""
    return identifier(value.get(f"{name}_str")) or identifier(value.get(name))


def shop_of(value: Mapping[str, Any], context: Context) -> str:
    """The shop as Tmall names it, by its seller's nick."""
    return text(value.get("seller_nick")) or context.seller_nick or context.shop_id


def seller_of(value: Mapping[str, Any], context: Context) -> str:
    """The seller whose member a call or a change of points is about: an ouid belongs to its shop."""
    return text(value.get("seller_name")) or shop_of(value, context)


def as_mapping(value: Any, name: str) -> dict[str, Any]:
    """An object that the platform sends as an object or as JSON text; absent means empty."""
    if isinstance(value, str) and value.strip():
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise RecordRefusedError("bad_json", f"{name} is no valid JSON") from None
    return dict(mapping(value, name))


def phone_ids(value: Mapping[str, Any]) -> list[Id]:
    """The member's phone as the platform verified it: its hash under the merchant's key, and the number if in clear."""
    mixed = text(value.get("mix_mobile"))
    return named(MIX_MOBILE, "", mixed.lower() if mixed else None, "verified") + named(
        "phone", "", stated_phone(value.get("mobile")), "verified"
    )


def buyer_ids(value: Mapping[str, Any], context: Context, shop: str) -> list[Id]:
    """The buyer's account ids: buyer_open_uid inside the app key, ouid inside the shop, omid inside the brand."""
    return (
        named(OPEN_UID, context.app_key, identifier(value.get("buyer_open_uid")))
        + named(OUID, shop, identifier(value.get("ouid")))
        + named(OMID, context.brand, identifier(value.get("omid")))
    )
