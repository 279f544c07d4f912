"""What Taobao's open platform answers: yuan as text, local times without an offset, absent instead of null."""

from typing import Any

import orjson

from pipelines.simulate.brand import BRAND, TMALL_SHOPS, Brand
from pipelines.simulate.clock import Clock
from pipelines.simulate.ids import mask_tmall
from pipelines.simulate.orders import Line, Order, Phase, Refund, RefundKind, Stage
from pipelines.simulate.people import Person

Json = dict[str, Any]

TRADE_STATUS = {
    Phase.CREATED: "WAIT_BUYER_PAY",
    Phase.DEPOSIT: "WAIT_BUYER_PAY",
    Phase.RISK: "WAIT_SELLER_SEND_GOODS",
    Phase.PAID: "WAIT_SELLER_SEND_GOODS",
    Phase.PART_SHIPPED: "SELLER_CONSIGNED_PART",
    Phase.SHIPPED: "WAIT_BUYER_CONFIRM_GOODS",
    Phase.SIGNED: "TRADE_BUYER_SIGNED",
    Phase.FINISHED: "TRADE_FINISHED",
    Phase.CANCELLED: "TRADE_CLOSED_BY_TAOBAO",
    Phase.CLOSED: "TRADE_CLOSED",
}
REFUND_STATUS = {
    Stage.APPLIED: "WAIT_SELLER_AGREE",
    Stage.AGREED: "WAIT_BUYER_RETURN_GOODS",
    Stage.RETURNED: "WAIT_SELLER_CONFIRM_GOODS",
    Stage.REFUSED: "SELLER_REFUSE_BUYER",
    Stage.FAILED: "CLOSED",
    Stage.WITHDRAWN: "CLOSED",
    Stage.SUCCESS: "SUCCESS",
    Stage.EXCHANGED: "CLOSED",
}
REFUND_TOPICS = {
    Stage.APPLIED: "taobao_refund_RefundCreated",
    Stage.AGREED: "taobao_refund_RefundSellerAgreeAgreement",
    Stage.RETURNED: "taobao_refund_RefundBuyerReturnGoods",
    Stage.SUCCESS: "taobao_refund_RefundSuccess",
}
USER_ID = "2200000000001"
PUBLISHER = "4272"


def yuan(fen: int) -> str:
    """Fen as yuan text with two decimals, without a float in between.

    >>> yuan(18800), yuan(5), yuan(-120)
    ('188.00', '0.05', '-1.20')
    """
    whole, cents = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{cents:02d}"


def request_id(key: str) -> str:
    """A request id as the gateway adds it."""
    return f"15q{key}"


def error_response(moment: int) -> Json:
    """The gateway's answer when the platform failed; it holds no page."""
    return {
        "error_response": {
            "code": 15,
            "msg": "Remote service error",
            "sub_code": "isp.top-remote-service-unavailable",
            "sub_msg": "",
            "request_id": request_id(f"{moment:x}"),
        }
    }


def trade_page(trades: list[Any], moment: int) -> Json:
    """A page of `taobao.trades.sold.increment.get`."""
    return {
        "trades_sold_increment_get_response": {
            "has_next": False,
            "request_id": request_id(f"{moment:x}{len(trades)}"),
            "trades": {"trade": trades},
        }
    }


def refund_page(refunds: list[Any], moment: int) -> Json:
    """A page of `taobao.refunds.receive.get`."""
    return {
        "refunds_receive_get_response": {
            "has_next": False,
            "request_id": request_id(f"{moment:x}{len(refunds)}"),
            "refunds": {"refund": refunds},
        }
    }


def crm_member_page(members: list[Any], moment: int) -> Json:
    """A page of `taobao.crm.members.increment.get`."""
    return {
        "crm_members_increment_get_response": {
            "members": {"basic_member": members},
            "total_result": len(members),
            "request_id": request_id(f"{moment:x}{len(members)}"),
        }
    }


def trade(order: Order, modified: int, moment: float, brand: Brand) -> Json:
    """The trade as it stood at `moment`, stamped `modified`; times that have not come are absent."""
    shop, clock, place = TMALL_SHOPS[order.shop], brand.clock, order.buyer.place
    record: Json = {
        "tid": order.number,
        "tid_str": str(order.number),
        "status": TRADE_STATUS[order.phase_at(moment)],
        "type": _type(order),
        "seller_nick": shop.seller_nick,
        "buyer_nick": mask_nick(order.buyer),
        "buyer_open_uid": brand.ids.open_uid(shop.app_key, order.buyer.index),
        "oaid": _oaid(order, brand),
        "created": clock.text(order.created),
        "modified": clock.text(modified),
        "payment": yuan(order.pay_fen),
        "total_fee": yuan(order.list_fen),
        "discount_fee": "0.00",
        "adjust_fee": "0.00",
        "post_fee": yuan(order.freight_fen),
        "received_payment": yuan(_received(order, moment)),
        "num": sum(line.quantity for line in order.lines),
        "receiver_name": order.receiver.name[0] + "*" * (len(order.receiver.name) - 1),
        "receiver_mobile": mask_tmall(order.receiver.phone),
        "receiver_state": place.province,
        "receiver_district": place.district,
        "receiver_address": "文*街道西**路***",
        "trade_from": "WAP,JHS" if order.channel % 9 == 0 else "WAP",
        "seller_flag": 1 + order.channel % 5,
        "alipay_point": order.channel % 30,
        "coupon_fee": 0,
    }
    if order.channel % 20:
        record["receiver_city"] = place.city
    if order.promotions.platform_fen:
        record["platform_subsidy_fee"] = yuan(order.promotions.platform_fen)
    if order.deposit_fen:
        record |= _steps(order, moment)
    record |= _times(order, moment, clock)
    record["orders"] = {"order": [_line(order, number, moment, clock) for number in range(len(order.lines))]}
    return record


def _type(order: Order) -> str:
    if order.deposit_fen:
        return "step"
    return "cod" if order.cash_on_delivery else "fixed"


def mask_nick(person: Person) -> str:
    """A nickname as the platform shows it since 2024."""
    return f"{person.nickname[0]}**{person.nickname[-1]}"


def _oaid(order: Order, brand: Brand) -> str:
    """Differs by shop, app and natural week even for one receiver: no person can be made of it."""
    week = (brand.clock.day_of(order.created) + 2) // 7
    shop = TMALL_SHOPS[order.shop]
    return "1" + brand.ids.text("oaid", f"{shop.seller_nick}{shop.app_key}{order.receiver.phone}", week, 40)


def _received(order: Order, moment: float) -> int:
    """Money the seller got hold of: everything but refunds, once the trade is finished."""
    if order.phase_at(moment) is not Phase.FINISHED:
        return 0
    return order.pay_fen - sum(r.amount_fen for r in order.refunds if 0 < r.success_at <= moment)


def _steps(order: Order, moment: float) -> Json:
    if 0 < order.paid <= moment:
        return {"step_trade_status": "FRONT_PAID_FINAL_PAID", "step_paid_fee": yuan(order.pay_fen)}
    if 0 < order.deposit_paid <= moment:
        return {"step_trade_status": "FRONT_PAID_FINAL_NOPAID", "step_paid_fee": yuan(order.deposit_fen)}
    return {"step_trade_status": "FRONT_NOPAID_FINAL_NOPAID", "step_paid_fee": "0.00"}


def _times(order: Order, moment: float, clock: Clock) -> Json:
    ended = order.closed_at or order.cancelled or order.finished
    times = {"pay_time": order.paid, "consign_time": order.part_shipped or order.shipped, "end_time": ended}
    return {name: clock.text(at) for name, at in times.items() if 0 < at <= moment}


def line_id(order: Order, number: int) -> int:
    """The line's number; a one-line trade's line carries the trade's own."""
    return order.number if len(order.lines) == 1 else order.number + 1 + number


def _line(order: Order, number: int, moment: float, clock: Clock) -> Json:
    line, oid = order.lines[number], line_id(order, number)
    refund = order.refund_of(number, int(moment))
    stage = refund.stage_at(moment) if refund else None
    # With one line the payment of the line is that of the trade, postage included.
    payment = order.pay_fen if len(order.lines) == 1 else line.paid_fen
    record: Json = {
        "oid": oid,
        "oid_str": str(oid),
        **_article(line),
        "total_fee": yuan(line.paid_fen),
        "payment": yuan(payment),
        "divide_order_fee": yuan(line.paid_fen),
        "part_mjz_discount": "0.00",
        "discount_fee": yuan(line.discount_fen),
        "refund_status": REFUND_STATUS[stage] if stage is not None else "NO_REFUND",
        "status": TRADE_STATUS[order.line_phase_at(number, moment)],
        "seller_type": "B",
    }
    if refund is not None:
        record["refund_id"] = refund_id(refund)
    if line.gift:
        record["is_free_gift"] = True
    shipped = order.shipped if number or not order.part_shipped else order.part_shipped
    if 0 < shipped <= moment:
        record["consign_time"] = clock.text(shipped)
    return record


def _article(line: Line) -> Json:
    product = line.product
    return {
        "num_iid": product.tmall_num_iid,
        "sku_id": product.tmall_sku_id,
        "outer_sku_id": product.brand_sku,
        "title": product.name,
        "price": "0.00" if line.gift else yuan(product.price_fen),
        "num": line.quantity,
    }


def refund_id(refund: Refund) -> str:
    """The case's number, a text on this platform."""
    return str(refund.number)


def refund_record(order: Order, refund: Refund, moment: int, brand: Brand) -> Json:
    """The refund as it stood at the moment: the one place where both buyer ids of a trade meet."""
    shop, clock = TMALL_SHOPS[order.shop], brand.clock
    stage = refund.stage_at(moment) or Stage.APPLIED
    line = order.lines[refund.line]
    after = 0 < order.finished <= refund.applied_at
    return {
        "refund_id": refund_id(refund),
        "tid": order.number,
        "oid": line_id(order, refund.line),
        "status": REFUND_STATUS[stage],
        "refund_fee": yuan(refund.amount_fen),
        "total_fee": yuan(order.pay_fen),
        "payment": yuan(line.paid_fen - refund.amount_fen if refund.amount_fen <= line.paid_fen else 0),
        "created": clock.text(refund.applied_at),
        "modified": clock.text(moment),
        "order_status": TRADE_STATUS[order.line_phase_at(refund.line, moment)],
        "good_status": _good_status(order, refund, stage),
        "refund_phase": "aftersale" if after else "onsale",
        "dispute_type": "REFUND_AND_RETURN" if refund.kind is RefundKind.RETURN else "REFUND",
        "has_good_return": refund.kind in (RefundKind.RETURN, RefundKind.EXCHANGE),
        "refund_version": moment * 1000,
        "ouid": ouid(order.buyer, order.shop, brand),
        "buyer_open_uid": brand.ids.open_uid(shop.app_key, order.buyer.index),
        "buyer_nick": mask_nick(order.buyer),
        "seller_nick": shop.seller_nick,
        "reason": "七天无理由",
    }


def _good_status(order: Order, refund: Refund, stage: Stage) -> str:
    if not 0 < order.shipped <= refund.applied_at:
        return "BUYER_NOT_RECEIVED"
    returned = refund.kind is RefundKind.RETURN and stage in (Stage.RETURNED, Stage.SUCCESS)
    return "BUYER_RETURNED_GOODS" if returned else "BUYER_RECEIVED"


def ouid(person: Person, shop: int, brand: Brand) -> str:
    """The buyer's id in one shop, equal over all apps."""
    return "AAO" + brand.ids.text("ouid", TMALL_SHOPS[shop].seller_nick, person.index, 25)


def omid(person: Person, brand: Brand) -> str:
    """The buyer's id for the whole brand."""
    return "AAM" + brand.ids.text("omid", BRAND, person.index, 25)


def bind_request(person: Person, shop: int, brand: Brand, facts: Json) -> Json:
    """What the platform asks the merchant when a member binds, asks for or ends the membership.

    `facts`: mix_mobile, type (1 bind, 2 unbind), joined (epoch seconds or None), mobile (or None).
    """
    extend: Json = {"alipay_user_id": f"2088{person.index:012d}"}
    if facts["joined"] is not None:
        extend |= {"flightMode": "1", "flightJoinTime": brand.clock.text(facts["joined"])}
    request: Json = {
        "seller_name": TMALL_SHOPS[shop].seller_nick,
        "mix_mobile": facts["mix_mobile"],
        "ouid": ouid(person, shop, brand),
        "omid": omid(person, brand),
        "extend": orjson.dumps(extend).decode(),
        "nick": mask_nick(person),
        "type": facts["type"],
    }
    if facts["mobile"] is not None:
        request["mobile"] = facts["mobile"]
    return request


def crm_member(person: Person, shop: int, brand: Brand, trades: tuple[int, int]) -> Json:
    """A member as the shop's customer list shows them; `trades` is their number and their fen."""
    count, fen = trades
    return {
        "buyer_nick": mask_nick(person),
        "ouid": ouid(person, shop, brand),
        "grade": 1 + min(3, count // 3),
        "trade_count": count,
        "trade_amount": yuan(fen),
        "relation_source": 1 if count else 2,
        "status": "normal",
    }


def frame(number: int, topic: str, moment: int, clock: Clock, content: Json) -> Json:
    """A message frame; its content is JSON in a text, ids inside it are numbers."""
    return {
        "id": str(5_123_400_000_000_000_000 + number),
        "topic": topic,
        "userid": USER_ID,
        "publisher": PUBLISHER,
        "outtime": clock.text(moment),
        "dataid": f"sim-{number}",
        "content": orjson.dumps(content).decode(),
    }


def trade_topic(order: Order, moment: int) -> str | None:
    """The topic that tells of what happened to the trade at the moment; None where there is none."""
    topics = {
        order.created: "taobao_trade_TradeCreate",
        order.deposit_paid: "taobao_trade_TradeBuyerStepPay",
        order.paid: "taobao_trade_TradeBuyerPay",
        order.part_shipped: "taobao_trade_TradePartlySellerShip",
        order.shipped: "taobao_trade_TradeSellerShip",
        order.finished: "taobao_trade_TradeSuccess",
        order.cancelled: "taobao_trade_TradeClose",
    }
    return topics.get(moment)


def trade_content(order: Order, brand: Brand) -> Json:
    """The content of a trade message."""
    shop = TMALL_SHOPS[order.shop]
    return {
        "buyer_open_uid": brand.ids.open_uid(shop.app_key, order.buyer.index),
        "buyer_nick": mask_nick(order.buyer),
        "payment": yuan(order.pay_fen),
        "tid": order.number,
        "oid": line_id(order, 0),
        "type": "guarantee_trade",
        "seller_nick": shop.seller_nick,
    }


def refund_content(order: Order, refund: Refund, moment: int, clock: Clock) -> Json:
    """The content of a refund message."""
    returned = refund.kind is RefundKind.RETURN
    return {
        "refund_id": refund.number,
        "refund_fee": yuan(refund.amount_fen),
        "tid": order.number,
        "oid": line_id(order, refund.line),
        "bill_type": "return_bill" if returned else "refund_bill",
        "refund_phase": "aftersale" if 0 < order.finished <= refund.applied_at else "onsale",
        "modified": clock.text(moment),
    }
