"""The brand's own records, and the platform records that its points come from.

Shop orders, products and staff have no platform form; theirs is documented in docs/landing-own-feeds.md and is:

- shop order: `order_id`, `channel` (mall, pos), `shop_id`, optional `member_id`, `openid`, `unionid`, `phone` (the
  buyer's own), `status` (created, paid, shipped, finished, cancelled, closed), `list_fen`, `discount_fen`,
  `freight_fen`, `payable_fen`, `paid_fen` (0 until paid), `lines[]` {`line_id`, `brand_sku`, `quantity`, `list_fen`,
  `paid_fen`, `gift`}, `created_at`, `paid_at` (null until paid), `updated_at` in epoch milliseconds,
  `refunds[]` {`refund_id`, `line_id`, `amount_fen`, `status` (applied, refused, closed, success), `at`}.
- product: `platform`, `product_id`, `sku_id`, `brand_sku`, `name`, `category`, `price_fen`.
- staff: `corp_id`, `userid`, `name`, `store_id`, `store_name`, `region`, `status` (active, left), `hired_at`,
  `left_at` (null while active) in epoch milliseconds.
"""

from typing import Any

from pipelines.simulate.brand import BRAND, CORPS, MALL_SHOP_ID, MINI_PROGRAMS, TMALL_SHOPS, Brand, Guide, Product
from pipelines.simulate.claims import Claim
from pipelines.simulate.clock import Clock
from pipelines.simulate.loyalty import Consent, PointMove
from pipelines.simulate.orders import Order, Phase, Refund, Stage

Json = dict[str, Any]

ORDER_STATUS = {
    Phase.CREATED: "created",
    Phase.PAID: "paid",
    Phase.SHIPPED: "shipped",
    Phase.FINISHED: "finished",
    Phase.CANCELLED: "cancelled",
    Phase.CLOSED: "closed",
}
REFUND_STATUS = {
    Stage.APPLIED: "applied",
    Stage.AGREED: "applied",
    Stage.RETURNED: "applied",
    Stage.REFUSED: "refused",
    Stage.FAILED: "refused",
    Stage.WITHDRAWN: "closed",
    Stage.SUCCESS: "success",
}
MCH_ID = "1900000109"


def registration(name: str, at: int, member_id: str, phone: str) -> Json:
    """A member registration of the customer system: membership number and verified phone."""
    return {
        "observation_id": name,
        "source": "crm",
        "kind": "link",
        "event_time": at * 1000,
        "ids": [
            {"namespace": "member_id", "scope": BRAND, "value": member_id},
            {"namespace": "phone", "value": phone, "role": "verified"},
        ],
    }


def shop_order(order: Order, moment: int, ids: Json) -> Json:
    """An order of the brand's own mall or till as it stood at the moment; `ids` are the buyer's, as far as told."""
    paid = 0 < order.paid <= moment
    return {
        "order_id": order_id(order),
        "channel": order.platform,
        "shop_id": MALL_SHOP_ID if order.platform == "mall" else f"pos-{order.shop:04d}",
        **ids,
        "status": ORDER_STATUS[order.phase_at(moment)],
        "list_fen": order.list_fen,
        "discount_fen": order.promotions.total_fen,
        "freight_fen": order.freight_fen,
        "payable_fen": order.pay_fen,
        "paid_fen": order.pay_fen if paid else 0,
        "lines": [
            {
                "line_id": f"{order_id(order)}-{number}",
                "brand_sku": line.product.brand_sku,
                "quantity": line.quantity,
                "list_fen": line.sum_fen,
                "paid_fen": line.paid_fen,
                "gift": line.gift,
            }
            for number, line in enumerate(order.lines)
        ],
        "created_at": order.created * 1000,
        "paid_at": order.paid * 1000 if paid else None,
        "updated_at": moment * 1000,
        "refunds": [_shop_refund(order, refund, moment) for refund in order.refunds if refund.applied_at <= moment],
    }


def order_id(order: Order) -> str:
    """The number on the receipt."""
    return f"{'M' if order.platform == 'mall' else 'P'}{order.number:012d}"


def _shop_refund(order: Order, refund: Refund, moment: int) -> Json:
    stage = refund.stage_at(moment) or Stage.APPLIED
    reached = [at for at, _ in refund.steps if at <= moment]
    return {
        "refund_id": str(refund.number),
        "line_id": f"{order_id(order)}-{refund.line}",
        "amount_fen": refund.amount_fen,
        "status": REFUND_STATUS[stage],
        "at": reached[-1] * 1000,
    }


def products(product: Product) -> list[Json]:
    """The product as each platform numbers it."""
    own = {"brand_sku": product.brand_sku, "name": product.name, "category": product.category}
    numbers = (
        ("douyin", str(product.douyin_product_id), str(product.douyin_sku_id)),
        ("tmall", str(product.tmall_num_iid), product.tmall_sku_id),
        ("mall", product.brand_sku, product.brand_sku),
    )
    return [
        {"platform": platform, "product_id": goods, "sku_id": sku, **own, "price_fen": product.price_fen}
        for platform, goods, sku in numbers
    ]


def staff(guide: Guide, left_at: int | None) -> Json:
    """A guide; `left_at` in epoch seconds once they have resigned."""
    return {
        "corp_id": CORPS[guide.corp].corp_id,
        "userid": guide.userid,
        "name": guide.name,
        "store_id": guide.store.store_id,
        "store_name": guide.store.name,
        "region": guide.store.region,
        "status": "active" if left_at is None else "left",
        "hired_at": guide.hired_at * 1000,
        "left_at": None if left_at is None else left_at * 1000,
    }


def claim(claim: Claim, status: str, unionid: str | None) -> Json:
    """An order claim with the status it has reached."""
    record: Json = {
        "event": "order_claim",
        "claim_id": f"c{claim.number}",
        "platform": claim.order.platform,
        "platform_order_id": str(claim.order.number),
        "openid": claim.claimant.openids[0],
        "phone": claim.phone,
        "claimed_at_ms": claim.claimed_at * 1000,
        "status": status,
    }
    if unionid is not None:
        record["unionid"] = unionid
    return record


def consent(consent: Consent, clock: Clock) -> Json:
    """A consent or its withdrawal."""
    person = consent.person
    scope = BRAND if consent.by == "member_id" else MINI_PROGRAMS[0].app_id
    value = person.member_id if consent.by == "member_id" else person.openids[0]
    return {
        "consent_id": f"n{consent.number}",
        "subject": {"namespace": consent.by, "scope": scope, "value": value},
        "purpose": consent.purpose,
        "status": consent.status,
        "at": clock.rfc3339(consent.moment),
        "source": "miniprogram" if consent.by == "wx_openid" else "crm",
    }


def ledger_row(move: PointMove, clock: Clock) -> Json:
    """A row of the brand's own points ledger; points are signed."""
    expires = clock.rfc3339(move.moment + 365 * 86_400) if move.points > 0 else None
    return {
        "record_id": f"L{move.number}",
        "subject": {"namespace": "member_id", "scope": BRAND, "value": move.person.member_id},
        "points": move.points,
        "reason": move.reason,
        "at": clock.rfc3339(move.moment),
        "expires_at": expires,
    }


def point_change(move: PointMove, ids: tuple[str, str, str], phone: str) -> Json:
    """The content of a Tmall PointChange: unsigned points, the sign in `type`; `ids` are ouid, omid, mix_mobile."""
    return {
        "biz_type": "gift_exchange" if move.points < 0 else "cancel_exchange",
        "mix_mobile": ids[2],
        "mobile": phone,
        "ouid": ids[0],
        "omid": ids[1],
        "point": abs(move.points),
        "type": 1 if move.points < 0 else 2,
        "record_id": f"T{move.number}",
        "seller_name": TMALL_SHOPS[0].seller_nick,
    }


def mall_notice(move: PointMove, order: Order, brand: Brand) -> Json:
    """A WeChat mall notice of a payment at the till, or of a refund there."""
    notice: Json = {
        "mchid": MCH_ID,
        "merchant_name": "示例商圈",
        "shop_name": "示例门店",
        "shop_number": f"pos-{order.shop:04d}",
        "appid": MINI_PROGRAMS[0].app_id,
        "openid": order.buyer.openids[0],
        "transaction_id": f"42000{order.number:023d}",
    }
    if move.points > 0:
        paid = brand.clock.rfc3339(order.paid)
        return {**notice, "time_end": paid, "amount": order.pay_fen, "code": "", "auth_type": "OPEN"}
    amount = next((refund.amount_fen for refund in order.refunds if refund.success_at + 60 == move.moment), 0)
    return {
        **notice,
        "pay_amount": order.pay_fen,
        "refund_amount": amount,
        "refund_id": f"50000{move.number:023d}",
        "refund_time": brand.clock.rfc3339(move.moment),
    }
