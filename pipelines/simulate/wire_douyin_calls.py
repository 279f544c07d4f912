"""How Douyin hands records over: envelopes and pages, pushed messages, decryption, id conversion."""

from random import Random
from typing import Any

import orjson

from pipelines.simulate.brand import DOUYIN_SHOPS
from pipelines.simulate.chance import pick
from pipelines.simulate.clock import Clock, compact_utc
from pipelines.simulate.ids import noise
from pipelines.simulate.orders import Order, Refund, Stage
from pipelines.simulate.wire_douyin import CHILD_AFTER_SALE, PAY_TYPES, child_id, statuses

Json = dict[str, Any]

PUSH_TAGS = {Stage.APPLIED: 200, Stage.AGREED: 202, Stage.RETURNED: 203, Stage.REFUSED: 204, Stage.SUCCESS: 206}
PUSH_CLOSED = 207


def envelope(data: Json, moment: int, *, older: bool = False) -> Json:
    """A successful answer; the older form names its code differently."""
    log_id = f"{compact_utc(moment)}SIM"
    if older:
        return {"err_no": 0, "message": "success", "log_id": log_id, "data": data}
    return {"code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "log_id": log_id, "data": data}


def error_envelope(moment: int) -> Json:
    """The answer of a platform that failed; it holds no page."""
    log_id = f"{compact_utc(moment)}SIM"
    return {"code": 20000, "msg": "系统错误", "sub_code": "isp.service-error:20000", "sub_msg": "", "log_id": log_id}


def order_page(orders: list[Any], moment: int) -> Json:
    """A page of `order.searchList`: one small window, counted from page 0."""
    data = {"page": 0, "size": 100, "total": len(orders), "shop_order_list": orders}
    return envelope(data, moment)


def order_detail(order: Json, moment: int) -> Json:
    """An answer of `order.orderDetail`."""
    return envelope({"shop_order_detail": order}, moment)


def aftersale_page(items: list[Any], moment: int) -> Json:
    """A page of `afterSale.List`."""
    data = {"items": items, "has_more": False, "total": len(items), "page": 0, "size": 100}
    return envelope(data, moment)


def refund_message(order: Order, refund: Refund, moment: int, clock: Clock) -> tuple[int, Json]:
    """Tag and data of the push about a case; its update time is the only RFC 3339 text of the platform."""
    stage = refund.stage_at(moment) or Stage.APPLIED
    return PUSH_TAGS.get(stage, PUSH_CLOSED), {
        "aftersale_id": refund.number,
        "s_id": child_id(order, refund.line),
        "p_id": order.number,
        "shop_id": DOUYIN_SHOPS[order.shop].shop_id,
        "aftersale_status": CHILD_AFTER_SALE[stage][0],
        "aftersale_type": int(refund.kind),
        "refund_amount": refund.amount_fen,
        "refund_post_amount": refund.post_fen,
        "reason_code": 1 + order.channel % 90,
        "apply_time": refund.applied_at,
        "update_time": clock.rfc3339(moment),
    }


def trade_message(order: Order, moment: int) -> tuple[int, Json] | None:
    """Tag and data of the push about an order, which names no buyer; None where the platform sends none."""
    told = {
        order.created: (100, "create_time"),
        order.paid: (101, "pay_time"),
        order.shipped: (102, "update_time"),
        order.part_shipped: (108, "update_time"),
        order.finished: (103, "complete_time"),
        order.cancelled: (106, "cancel_time"),
    }
    if moment not in told:
        return None
    tag, moment_key = told[moment]
    data: Json = {
        "p_id": order.number,
        "s_ids": [child_id(order, number) for number in range(len(order.lines))],
        "shop_id": DOUYIN_SHOPS[order.shop].shop_id,
        "order_status": statuses(order, moment)[0],
        "order_type": 0,
        "biz": 2,
        moment_key: moment,
    }
    if tag == 101:
        data |= {"pay_amount": order.pay_fen, "pay_type": PAY_TYPES[order.channel % len(PAY_TYPES)]}
    if tag == 106:
        data["cancel_reason"] = "超时未支付"
    return tag, data


def push(tag: int, data: Json, moment: int, key: int, *, as_object: bool) -> list[Json]:
    """The body of a push: always an array; its data is JSON in a text, in the documentation's form an object."""
    message = f"{key}:0:{tag}:{moment}:{data.get('shop_id')}:{moment % 97}"
    if as_object:
        return [{"tag": tag, "msgId": message, "data": data}]
    return [{"tag": str(tag), "msg_id": message, "data": orjson.dumps(data).decode()}]


def decrypted(order: Order, number: str, rng: Random, *, virtual_until: int) -> Json:
    """One decrypted receiver number; a privacy number carries its last valid second."""
    return {
        "auth_id": str(order.number),
        "cipher_text": f"$${noise(rng, 18)}$1$$",
        "decrypt_text": number,
        "data_type": 3,
        "is_virtual_tel": virtual_until > 0,
        "expire_time": virtual_until,
        "phone_no_a": number.split("-")[0] if virtual_until else "",
        "phone_no_b": number.split("-")[1] if virtual_until else "",
        "err_no": 0,
        "err_msg": "",
    }


def decrypted_name(order: Order, rng: Random) -> Json:
    """One decrypted receiver name: no phone, whatever a reader may hope."""
    return {
        "auth_id": str(order.number),
        "cipher_text": f"##{noise(rng, 12)}#1##",
        "decrypt_text": order.receiver.name,
        "data_type": 2,
        "is_virtual_tel": False,
        "expire_time": 0,
        "phone_no_a": "",
        "phone_no_b": "",
        "err_no": 0,
        "err_msg": "",
    }


def not_decrypted(order: Order, rng: Random) -> Json:
    """A refused decryption."""
    return decrypted(order, "", rng, virtual_until=0) | {
        "err_no": pick(rng, (300008, 300018)),
        "err_msg": "无解密权限或已过期",
    }


def decrypt_page(items: list[Any], moment: int) -> Json:
    """An answer of `order.batchDecrypt`."""
    data = {"decrypt_infos": items, "custom_err": {"err_code": 0, "err_msg": ""}}
    return envelope(data, moment, older=True)


def member_page(items: list[Any], moment: int) -> Json:
    """An answer of `member.searchList`: which order a member's id belongs to."""
    return envelope({"order_list": items, "total": len(items)}, moment, older=True)


def doudian_open_id_answer(open_id: str, moment: int) -> Json:
    """An answer of `user.getDoudianOpenID`."""
    return envelope({"doudian_open_id": open_id}, moment)
