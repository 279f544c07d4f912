"""Payloads of the public domain in tests: composed orders, refunds and members, read as landing brings them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pipelines.sources.base import Context, FeedParser, Parsed, Record
from tests.pipelines.sources import private_domain
from tests.pipelines.sources.private_domain import RECEIVED_MS as RECEIVED_MS
from tests.pipelines.sources.private_domain import SETTINGS

APP_KEY = "7000001"
SHOP = "4463798"
NICK = "示例旗舰店"
BRAND = "brandA"

PUBLIC: Mapping[str, Any] = {
    "app_key": APP_KEY,
    "shop_id": SHOP,
    "seller_nick": NICK,
    "brand": BRAND,
    "app_id": "tt0000000000000001",
}
"""What a public-domain context knows."""


def public_context(feed: str, **known: Any) -> Context:
    """A context of the brand's own shops, received on the day; `known` replaces parts of it."""
    return private_domain.make_context(feed, **{**PUBLIC, **known})


def read(parser: FeedParser, payload: Any, **known: Any) -> list[Parsed]:
    """What the records of one payload say."""
    return private_domain.read(parser, payload, **{**PUBLIC, **known})


def read_one(parser: FeedParser, payload: Any, **known: Any) -> Parsed:
    """What the only record of a payload says."""
    (parsed,) = read(parser, payload, **known)
    return parsed


def parse(parser: FeedParser, value: Any, *, digest: str = "0" * 32, **known: Any) -> Parsed:
    """What a decoded record says, without the ingest layer around it."""
    return parser.parse(Record(value, public_context(parser.feed, **known), SETTINGS[parser.source], digest))


def changed(value: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A deep copy of a record with fields replaced; a field given as Ellipsis is left out."""
    made = copy.deepcopy(dict(value)) | changes
    return {name: inner for name, inner in made.items() if inner is not ...}


DOUYIN_LINE: Mapping[str, Any] = {
    "order_id": "6923456789012345679",
    "parent_order_id": "6923456789012345678",
    "order_level": 3,
    "order_status": 2,
    "main_status": 2,
    "trade_type": 0,
    "product_id": 3660207428038974000,
    "product_id_str": "3660207428038974001",
    "sku_id": 1751234567890123,
    "code": "SKU-01",
    "product_name": "示例商品",
    "item_num": 2,
    "origin_amount": 9950,
    "sum_amount": 19900,
    "order_amount": 19900,
    "pay_amount": 17900,
    "author_id": 0,
    "room_id": 0,
    "video_id": "",
    "theme_type": "0",
    "cid": 0,
    "c_biz": 8,
    "given_product_type": "MASTER",
    "pay_time": 1735700530,
    "update_time": 1735700731,
    "after_sale_info": {"after_sale_status": 0, "after_sale_type": 0, "refund_status": 0},
}

DOUYIN_ORDER: Mapping[str, Any] = {
    "order_id": "6923456789012345678",
    "order_level": 2,
    "shop_id": 4463798,
    "open_id": "",
    "doudian_open_id": "1@#Y29tcG9zZWQ=",
    "open_address_id": "#Y29tcG9zZWQ=",
    "order_type": 0,
    "order_status": 2,
    "main_status": 2,
    "create_time": 1735700500,
    "pay_time": 1735700530,
    "update_time": 1735700731,
    "ship_time": 0,
    "finish_time": 0,
    "order_amount": 19900,
    "pay_amount": 18700,
    "post_amount": 800,
    "promotion_amount": 2000,
    "promotion_platform_amount": 500,
    "post_tel": "",
    "encrypt_post_tel": "$$Y29tcG9zZWQ$1$$",
    "mask_post_tel": "1********78",
    "post_addr": {"province": {"name": "浙江省", "id": "33"}, "city": {"name": "杭州市", "id": "330100"}},
    "sku_order_list": [dict(DOUYIN_LINE)],
}

TMALL_LINE: Mapping[str, Any] = {
    "oid": 4123456789012345678,
    "oid_str": "4123456789012345678",
    "num_iid": 712345678901,
    "sku_id": "5123456789012",
    "outer_sku_id": "SKU-01",
    "title": "示例商品",
    "price": "199.00",
    "num": 1,
    "payment": "188.00",
    "divide_order_fee": "188.00",
    "part_mjz_discount": "0.00",
    "discount_fee": "11.00",
    "refund_status": "NO_REFUND",
    "status": "WAIT_SELLER_SEND_GOODS",
}

TMALL_TRADE: Mapping[str, Any] = {
    "tid": 4123456789012345678,
    "tid_str": "4123456789012345678",
    "status": "WAIT_SELLER_SEND_GOODS",
    "type": "fixed",
    "seller_nick": NICK,
    "buyer_open_uid": "AAHcomposed0001",
    "created": "2025-01-01 11:02:00",
    "pay_time": "2025-01-01 11:02:10",
    "modified": "2025-01-01 11:05:31",
    "payment": "188.00",
    "total_fee": "199.00",
    "discount_fee": "0.00",
    "post_fee": "0.00",
    "receiver_mobile": "*******5678",
    "receiver_state": "浙江省",
    "receiver_city": "杭州市",
    "orders": {"order": [dict(TMALL_LINE)]},
}


def douyin_order(*lines: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A paid order of one line; given lines replace it, given fields replace the order's."""
    made = changed(DOUYIN_ORDER, **changes)
    if lines:
        made["sku_order_list"] = [dict(line) for line in lines]
    return made


def douyin_line(**changes: Any) -> dict[str, Any]:
    """A paid line with fields replaced."""
    return changed(DOUYIN_LINE, **changes)


def tmall_trade(*lines: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A paid trade of one line; given lines replace it, given fields replace the trade's."""
    made = changed(TMALL_TRADE, **changes)
    if lines:
        made["orders"] = {"order": [dict(line) for line in lines]}
    return made


def tmall_line(**changes: Any) -> dict[str, Any]:
    """A paid line with fields replaced."""
    return changed(TMALL_LINE, **changes)
