"""Breaking copies of records, each in a way that no careful reader may accept."""

from collections.abc import Callable
from random import Random
from typing import Any

import orjson

from pipelines.simulate.chance import pick

Json = dict[str, Any]

# Where a field no record of the feed can do without and, for money, one amount sit.
NEEDED_PATHS: dict[str, tuple[str, ...]] = {
    "douyin_orders": ("order_id",),
    "douyin_refunds": ("aftersale_info", "aftersale_id"),
    "tmall_trades": ("tid",),
    "tmall_refunds": ("refund_id",),
    "wecom_contacts": ("external_contact", "external_userid"),
    "wecom_group_chats": ("group_chat", "chat_id"),
    "miniprogram_users": ("openid",),
    "order_claims": ("platform_order_id",),
    "consents": ("subject",),
    "shop_orders": ("order_id",),
    "observations": ("observation_id",),
}
AMOUNT_PATHS: dict[str, tuple[str, ...]] = {
    "douyin_orders": ("pay_amount",),
    "douyin_refunds": ("aftersale_info", "refund_amount"),
    "tmall_trades": ("payment",),
    "tmall_refunds": ("refund_fee",),
    "shop_orders": ("paid_fen",),
}
# The second id that must go too before a record is beyond repair.
TWIN_IDS = {"tmall_trades": ("tid_str",)}


def broken_element(feed: str, record: Json, rng: Random) -> tuple[str, object]:
    """The name of a fault and a copy of the page element that has it."""
    ways: list[Callable[[str, Json], tuple[str, object]]] = [_not_an_object, _without_field]
    if feed in AMOUNT_PATHS:
        ways.append(_bad_amount)
    return pick(rng, ways)(feed, _copy(record))


def broken_payload(feed: str, record: Json, rng: Random) -> tuple[str, object]:
    """The name of a fault and a copy of a single-record payload that has it."""
    if feed in AMOUNT_PATHS and rng.random() < 0.5:
        return _bad_amount(feed, _copy(record))
    return _without_field(feed, _copy(record))


def truncated(line: bytes) -> bytes:
    """The first two thirds of a line: what a cut connection leaves."""
    return line[: max(1, len(line) * 2 // 3)].decode(errors="ignore").encode() + b"\n"


def _copy(record: Json) -> Json:
    copied: Json = orjson.loads(orjson.dumps(record))
    return copied


def _not_an_object(feed: str, record: Json) -> tuple[str, object]:
    # The id stays in it, so that two of a day are two broken records and not one delivered twice.
    path = NEEDED_PATHS[feed]
    for key in path:
        record = record[key]
    return "not_an_object", f"[object {record}]"


def _without_field(feed: str, record: Json) -> tuple[str, object]:
    _drop(record, NEEDED_PATHS[feed])
    for key in TWIN_IDS.get(feed, ()):
        record.pop(key, None)
    return "missing_field", record


def _bad_amount(feed: str, record: Json) -> tuple[str, object]:
    path = AMOUNT_PATHS[feed]
    holder = record
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = "12,3x"
    return "bad_amount", record


def _drop(record: Json, path: tuple[str, ...]) -> None:
    holder = record
    for key in path[:-1]:
        holder = holder[key]
    holder.pop(path[-1], None)
