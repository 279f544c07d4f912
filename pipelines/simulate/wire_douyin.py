"""What Douyin answers about an order and its after-sale cases: fen, epoch seconds, ciphertext and masks."""

from random import Random
from typing import Any

from pipelines.simulate.brand import DOUYIN_SHOPS, Brand
from pipelines.simulate.ids import mask_douyin, noise
from pipelines.simulate.names import Place
from pipelines.simulate.orders import Line, Order, Phase, Receiver, Refund, RefundKind, Stage

Json = dict[str, Any]

ORDER_STATUS = {
    Phase.CREATED: (1, "待支付"),
    Phase.DEPOSIT: (1, "待支付"),
    Phase.RISK: (105, "已支付"),
    Phase.PAID: (2, "待发货"),
    Phase.PART_SHIPPED: (101, "部分发货"),
    Phase.SHIPPED: (3, "已发货"),
    Phase.SIGNED: (3, "已发货"),
    Phase.FINISHED: (5, "已完成"),
    Phase.CANCELLED: (4, "已取消"),
    Phase.CLOSED: (4, "已取消"),
}
CHILD_AFTER_SALE = {
    Stage.APPLIED: (6, 1),
    Stage.AGREED: (7, 1),
    Stage.RETURNED: (11, 1),
    Stage.REFUSED: (27, 1),
    Stage.FAILED: (28, 4),
    Stage.WITHDRAWN: (28, 1),  # a withdrawn case keeps the refund status of a waiting one
    Stage.SUCCESS: (12, 3),
    Stage.EXCHANGED: (14, 0),
}
NO_AFTER_SALE = {"after_sale_status": 0, "after_sale_type": 0, "refund_status": 0}
PAY_TYPES = (1, 2, 2, 4, 9, 12, 16)


def statuses(order: Order, moment: float) -> tuple[int, str, int]:
    """order_status, its name, and main_status, which alone tells a refunded order from an unpaid one."""
    phase = order.phase_at(moment)
    status, name = ORDER_STATUS[phase]
    if phase is Phase.DEPOSIT:
        return status, name, 103
    if phase is not Phase.CLOSED:
        return status, name, status
    if 0 < order.finished <= order.closed_at:
        # After receipt the order stays finished or turns cancelled, both are seen.
        return (5, "已完成", 39) if order.number % 2 else (status, name, 39)
    return status, name, 22 if order.shipped else 21


def shop_order(order: Order, moment: int, brand: Brand, rng: Random) -> Json:
    """The order as the platform would answer at the moment; ciphertexts are new with every answer."""
    shop, promotions = DOUYIN_SHOPS[order.shop], order.promotions
    status, name, main_status = statuses(order, moment)
    record: Json = {
        "order_id": str(order.number),
        "order_level": 2,
        "shop_id": shop.shop_id,
        "shop_name": shop.name,
        "open_id": "",
        "doudian_open_id": brand.ids.doudian_open_id(shop.app_key, order.buyer.index),
        "open_address_id": _address_id(order, brand),
        "biz": 2,
        "b_type": 2,
        "sub_b_type": 1 + order.channel % 3,
        "app_id": 1128,
        "order_type": 0,
        "order_status": status,
        "order_status_desc": name,
        "main_status": main_status,
        "main_status_desc": name,
        "pay_type": PAY_TYPES[order.channel % len(PAY_TYPES)],
        "create_time": order.created,
        "pay_time": _reached(order.paid, moment),
        "update_time": moment,
        "ship_time": _reached(order.part_shipped or order.shipped, moment),
        "finish_time": _reached(order.finished, moment),
        "exp_ship_time": order.paid + 172_800 if _reached(order.paid, moment) else 0,
        "order_expire_time": 1800,
        "order_amount": order.list_fen + order.freight_fen,
        "pay_amount": order.pay_fen,
        "post_amount": order.freight_fen,
        "modify_amount": 0,
        "promotion_amount": promotions.total_fen,
        "promotion_shop_amount": promotions.shop_fen,
        "promotion_platform_amount": promotions.platform_fen,
        "promotion_talent_amount": promotions.talent_fen,
        "shop_cost_amount": promotions.shop_fen,
        "platform_cost_amount": promotions.platform_fen + promotions.talent_fen,
        "only_platform_cost_amount": promotions.platform_fen,
        "author_cost_amount": promotions.talent_fen,
        "post_tel": "",
        "post_receiver": "",
        **_receiver(order.receiver, rng),
        "post_addr": _address(order.buyer.place, rng),
        "cancel_reason": "超时未支付" if status == 4 and main_status == 4 else "",
        "buyer_words": "",
        "seller_remark_stars": 0,
    }
    if record["ship_time"]:
        record["logistics_info"] = [_logistics(order, record["ship_time"])]
    if order.deposit_fen:
        record["order_phase_list"] = _phases(order, moment)
    record["sku_order_list"] = [_sku_order(order, number, moment, rng) for number in range(len(order.lines))]
    return record


def renew_ciphers(record: Json, rng: Random) -> None:
    """The same order pulled again: every ciphertext differs, nothing else does."""
    record["encrypt_post_tel"] = f"$${noise(rng, 18)}$1$$"
    record["encrypt_post_receiver"] = f"##{noise(rng, 12)}#1##"
    record["post_addr"] = {**record["post_addr"], "encrypt_detail": f"##{noise(rng, 24)}#1##"}
    for child in record["sku_order_list"]:
        child["encrypt_post_tel"] = f"$${noise(rng, 18)}$1$$"


def _reached(at: int, moment: int) -> int:
    return at if at <= moment else 0


def _address_id(order: Order, brand: Brand) -> str:
    """Equal for one receiver on one day, different on the next: a parcel key, not a person."""
    day = brand.clock.day_of(order.created)
    return "#" + brand.ids.base64("address", order.receiver.phone, day, 18) + "="


def _receiver(receiver: Receiver, rng: Random) -> Json:
    return {
        "encrypt_post_tel": f"$${noise(rng, 18)}$1$$",
        "mask_post_tel": mask_douyin(receiver.phone),
        "encrypt_post_receiver": f"##{noise(rng, 12)}#1##",
        "mask_post_receiver": receiver.name[0] + "***",
    }


def _address(place: Place, rng: Random) -> Json:
    return {
        "province": {"name": place.province, "id": place.province_id},
        "city": {"name": place.city, "id": place.city_id},
        "town": {"name": place.district, "id": place.district_id},
        "street": {"name": "", "id": ""},
        "detail": "",
        "encrypt_detail": f"##{noise(rng, 24)}#1##",
    }


def _logistics(order: Order, shipped: int) -> Json:
    return {
        "tracking_no": f"SF{order.number % 10**12:012d}",
        "company": "shunfeng",
        "company_name": "顺丰速运",
        "ship_time": shipped,
        "delivery_id": f"shunfeng_{order.number % 10**12:012d}",
        "product_info": [],
    }


def _phases(order: Order, moment: int) -> list[Json]:
    """The two payments of a deposit order."""
    parts = ((order.deposit_fen, order.deposit_paid), (order.pay_fen - order.deposit_fen, order.paid))
    return [
        {
            "phase_order_id": f"{order.number}{nth}",
            "current_phase": nth,
            "pay_success": bool(_reached(paid, moment)),
            "phase_pay_time": _reached(paid, moment),
            "phase_payable_price": amount,
            "phase_pay_amount": amount if _reached(paid, moment) else 0,
        }
        for nth, (amount, paid) in enumerate(parts, start=1)
    ]


def child_id(order: Order, number: int) -> int:
    """The child's number; in some one-line orders it is the parent's."""
    return order.number if len(order.lines) == 1 and order.channel % 4 == 0 else order.number + 1 + number


def _sku_order(order: Order, number: int, moment: int, rng: Random) -> Json:
    line = order.lines[number]
    phase = order.line_phase_at(number, moment)
    status = ORDER_STATUS[phase][0]
    shipped = order.shipped if number or not order.part_shipped else order.part_shipped
    return {
        "order_id": str(child_id(order, number)),
        "parent_order_id": str(order.number),
        "order_level": 3,
        "order_status": status,
        "main_status": _child_main_status(order, number, phase, moment),
        "trade_type": 2 if order.deposit_fen else 0,
        "pay_time": _reached(order.paid, moment),
        "ship_time": _reached(shipped, moment),
        "finish_time": _reached(order.finished, moment),
        "update_time": moment,
        **_article(line),
        **_source(order.channel),
        "given_product_type": "FREE" if line.gift else "MASTER",
        "master_sku_order_id_list": [str(child_id(order, 0))] if line.gift else [],
        "after_sale_info": _after_sale_info(order.refund_of(number, moment), moment),
        "encrypt_post_tel": f"$${noise(rng, 18)}$1$$",
    }


def _child_main_status(order: Order, number: int, phase: Phase, moment: int) -> int:
    if phase is not Phase.CLOSED:
        return ORDER_STATUS[phase][0] if phase is not Phase.DEPOSIT else 103
    refund = order.refund_of(number, moment)
    if refund is None:
        return statuses(order, moment)[2]
    if 0 < order.finished <= refund.applied_at:
        return 39
    return 22 if 0 < order.shipped <= refund.applied_at else 21


def _article(line: Line) -> Json:
    product = line.product
    return {
        "product_id": product.douyin_product_id,
        "product_id_str": str(product.douyin_product_id),
        "sku_id": product.douyin_sku_id,
        "code": product.brand_sku,
        "product_name": product.name,
        "item_num": line.quantity,
        "origin_amount": 0 if line.gift else product.price_fen,
        "sum_amount": line.sum_fen,
        "order_amount": line.sum_fen,
        "pay_amount": line.paid_fen,
        "promotion_amount": line.discount_fen,
        "goods_type": 0,
    }


def _source(channel: int) -> Json:
    """Where the buyer came from: a live room, a short video, or the shop itself."""
    live, video = channel < 450, 450 <= channel < 600
    author = 2_345_678_901_234 + channel % 20 if live or video else 0
    room = 7_301_234_567_890_123_456 + channel % 30 if live else 0
    return {
        "author_id": author,
        "author_name": f"示例达人{channel % 20:02d}" if author else "",
        "room_id": room,
        "room_id_str": str(room) if room else "",
        "video_id": str(7_201_234_567_890_000_000 + channel) if video else "",
        "theme_type": "1" if live else "0",
        "cid": 1_780_000_000_000_000 + channel if channel % 10 == 0 else 0,
        "c_biz": 2 if author else 8,
    }


def _after_sale_info(refund: Refund | None, moment: int) -> Json:
    stage = refund.stage_at(moment) if refund else None
    if refund is None or stage is None or refund.kind > RefundKind.EXCHANGE:
        return dict(NO_AFTER_SALE)
    status, money = CHILD_AFTER_SALE[stage]
    return {"after_sale_status": status, "after_sale_type": int(refund.kind), "refund_status": money}


def aftersale_item(order: Order, refund: Refund, moment: int, *, quoted: bool) -> Json:
    """One case as the list shows it; some gateways quote numbers (`quoted`)."""
    stage = refund.stage_at(moment) or Stage.APPLIED
    status, money = CHILD_AFTER_SALE[stage]
    number = _quoted if quoted else _plain
    return {
        "aftersale_info": {
            "aftersale_id": str(refund.number),
            "aftersale_type": number(int(refund.kind)),
            "aftersale_status": number(status),
            "related_id": str(child_id(order, refund.line)),
            "apply_time": refund.applied_at,
            "update_time": moment,
            "refund_amount": number(refund.amount_fen),
            "refund_post_amount": number(refund.post_fen),
            "refund_status": number(money),
        },
        "order_info": {
            "shop_order_id": str(order.number),
            "related_order_info": [
                {
                    "sku_order_id": str(child_id(order, place)),
                    "pay_amount": number(order.lines[place].paid_fen),
                    "aftersale_pay_amount": number(goods),
                }
                for place, goods in refund.goods_fen.items()
            ],
        },
        "text_part": {"reason_text": "七天无理由"},
        "seller_logs": [],
    }


def _quoted(value: int) -> int | str:
    return str(value)


def _plain(value: int) -> int | str:
    return value
