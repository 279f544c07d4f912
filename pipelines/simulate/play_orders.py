"""Tells the orders of both platforms: every version on the day it is pulled, refunds, pushes, decryption."""

from functools import lru_cache

from pipelines.simulate import wire_douyin, wire_douyin_calls, wire_tmall
from pipelines.simulate.brand import DOUYIN_SHOPS, TMALL_SHOPS
from pipelines.simulate.chance import between
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.ids import virtual_number
from pipelines.simulate.landing import Channel
from pipelines.simulate.orders import Order, Refund, RefundKind
from pipelines.simulate.scene import (
    Scene,
    doudian_node,
    douyin_context,
    open_uid_node,
    ouid_node,
    tmall_context,
)
from pipelines.simulate.truth import phone_node

DECRYPTED_SHARE = 0.15  # orders whose number the brand decrypts: those its service staff have to call about
PUSHED_SHARE = 0.3
DETAIL_SHARE = 0.03


@lru_cache(maxsize=256)
def channel(feed: str, method: str, shop: int, size: int) -> Channel:
    """The paged answers of one method for one shop."""
    envelopes = {
        "order.searchList": wire_douyin_calls.order_page,
        "afterSale.List": wire_douyin_calls.aftersale_page,
        "order.batchDecrypt": wire_douyin_calls.decrypt_page,
        "member.searchList": wire_douyin_calls.member_page,
        "taobao.trades.sold.increment.get": wire_tmall.trade_page,
        "taobao.refunds.receive.get": wire_tmall.refund_page,
        "taobao.crm.members.increment.get": wire_tmall.crm_member_page,
    }
    on_tmall = method.startswith("taobao.")
    context = tmall_context(shop, method) if on_tmall else douyin_context(shop, method)
    error = wire_tmall.error_response if on_tmall else wire_douyin_calls.error_envelope
    return Channel(feed, f"{method}:{shop}", context, envelopes[method], error, size)


def play_orders(scene: Scene, orders: list[Order]) -> None:
    """All orders of the cell are told, on both platforms; the brand's own are told elsewhere."""
    for order in orders:
        if order.platform == "douyin":
            _play_douyin(scene, order)
        elif order.platform == "tmall":
            _play_tmall(scene, order)


def deliveries(scene: Scene, feed: str, order: Order) -> list[tuple[int, int]]:
    """(day of arrival, moment) of every version seen, in order of arrival; some arrive after a later one."""
    rng, clock = scene.rng, scene.brand.clock
    moments = order.moments(clock.end)
    # A quick payment is over before the next pull, so the unpaid version is mostly not seen.
    if order.paid and order.paid - order.created < 600 and len(moments) > 1 and rng.random() < 0.75:
        moments = moments[1:]
    arrivals = []
    # The last version cannot be late, so the others bear its share.
    rate = scene.brand.config.dirt.out_of_order * len(moments) / max(1, len(moments) - 1)
    for nth, moment in enumerate(moments):
        day, place = clock.day_of(moment), float(nth)
        if nth + 1 < len(moments) and rng.random() < rate:
            day = min(clock.day_of(moments[nth + 1]) + int(rng.random() * 3), clock.days - 1)
            place = nth + 1.5
        arrivals.append((day, place, moment))
    delivered = [(day, moment) for day, _, moment in sorted(arrivals)]
    latest = 0
    for day, moment in delivered:
        if moment < latest:
            scene.landing.fault(("out_of_order", feed, day, f"{order.number}@{moment}", ""))
        latest = max(latest, moment)
    return delivered


def _play_douyin(scene: Scene, order: Order) -> None:
    brand, rng, shop = scene.brand, scene.rng, DOUYIN_SHOPS[order.shop]
    node = doudian_node(order.buyer, shop.app_key, brand)
    pages = channel("douyin_orders", "order.searchList", order.shop, brand.config.page_size)
    for day, moment in deliveries(scene, "douyin_orders", order):
        record, name = wire_douyin.shop_order(order, moment, brand, rng), f"{order.number}@{moment}"
        scene.see(order.buyer, node)
        if rng.random() < DETAIL_SHARE:
            at = max(moment, brand.clock.midnight(day) + 60)
            context = douyin_context(order.shop, "order.orderDetail")
            scene.landing.line("douyin_orders", name, at, context, wire_douyin_calls.order_detail(record, at))
        else:
            scene.landing.item(pages, name, day, record, wire_douyin.renew_ciphers)
        if rng.random() < PUSHED_SHARE:
            _push_douyin(scene, order, moment)
    for refund in order.refunds:
        _play_douyin_refund(scene, order, refund)
    if order.paid and rng.random() < DECRYPTED_SHARE:
        _decrypt(scene, order)


def _push_douyin(scene: Scene, order: Order, moment: int) -> None:
    message = wire_douyin_calls.trade_message(order, moment)
    if message is not None:
        push_douyin(scene, order, moment, *message)


def push_douyin(scene: Scene, order: Order, moment: int, tag: int, data: dict[str, object]) -> None:
    """One pushed message; most carry their data as text and a text tag, some as an object and a number."""
    as_object = scene.rng.random() < 0.1
    payload = wire_douyin_calls.push(tag, data, moment, order.number, as_object=as_object)
    context = douyin_context(order.shop, "push")
    scene.landing.line("douyin_messages", f"{order.number}:{tag}:{moment}", moment + 1, context, payload)


def _play_douyin_refund(scene: Scene, order: Order, refund: Refund) -> None:
    clock, rng = scene.brand.clock, scene.rng
    pages = channel("douyin_refunds", "afterSale.List", order.shop, scene.brand.config.page_size)
    quoted = rng.random() < 0.2
    for moment in [step for step, _ in refund.steps if step < clock.end]:
        item = wire_douyin.aftersale_item(order, refund, moment, quoted=quoted)
        scene.landing.item(pages, f"{refund.number}@{moment}", clock.day_of(moment), item)
        if rng.random() < PUSHED_SHARE and refund.kind <= RefundKind.EXCHANGE:
            push_douyin(scene, order, moment, *wire_douyin_calls.refund_message(order, refund, moment, clock))


def _decrypt(scene: Scene, order: Order) -> None:
    """The receiver's number in clear; privacy numbers and refusals tell nothing about anybody."""
    rng, clock = scene.rng, scene.brand.clock
    at = order.paid + between(rng, HOUR, 20 * HOUR)
    if at >= clock.end:
        return
    pages = channel("douyin_orders", "order.batchDecrypt", order.shop, 50)
    day, name = clock.day_of(at), f"decrypt:{order.number}"
    fate = rng.random()
    if fate < 0.04:
        record = wire_douyin_calls.not_decrypted(order, rng)
    elif fate < 0.04 + scene.brand.config.dirt.virtual_numbers:
        record = wire_douyin_calls.decrypted(order, virtual_number(rng), rng, virtual_until=at + 15 * DAY)
    else:
        record = wire_douyin_calls.decrypted(order, order.receiver.phone, rng, virtual_until=0)
        _note_receiver(scene, order, at)
    scene.landing.item(pages, name, day, record)
    if rng.random() < 0.3:
        scene.landing.item(pages, f"{name}:name", day, wire_douyin_calls.decrypted_name(order, rng))


def _note_receiver(scene: Scene, order: Order, moment: int) -> None:
    receiver, node = order.receiver, doudian_node(order.buyer, DOUYIN_SHOPS[order.shop].app_key, scene.brand)
    if receiver.kind == "self":
        scene.link_phone(order.buyer, node, order.created)
    elif receiver.person is not None:
        scene.see(receiver.person, phone_node(receiver.phone))
    elif receiver.kind == "outsider":
        scene.truth.see_outsider(receiver.phone, moment)


def _play_tmall(scene: Scene, order: Order) -> None:
    brand, rng, shop = scene.brand, scene.rng, TMALL_SHOPS[order.shop]
    node = open_uid_node(order.buyer, shop.app_key, brand)
    pages = channel("tmall_trades", "taobao.trades.sold.increment.get", order.shop, brand.config.page_size)
    same_second = brand.config.dirt.same_second
    for day, moment in deliveries(scene, "tmall_trades", order):
        name = f"{order.number}@{moment}"
        scene.see(order.buyer, node)
        if rng.random() < same_second and moment in (order.paid, order.shipped, order.finished):
            # Two versions of one second: the state before and the state after carry the same `modified`.
            earlier = wire_tmall.trade(order, moment, moment - 1, brand)
            scene.landing.item(pages, f"{name}-before", day, earlier)
            scene.landing.fault(("same_second", "tmall_trades", day, name, ""))
        scene.landing.item(pages, name, day, wire_tmall.trade(order, moment, moment, brand))
        if rng.random() < PUSHED_SHARE:
            topic = wire_tmall.trade_topic(order, moment)
            if topic is not None:
                _push_tmall(scene, order, moment, topic, wire_tmall.trade_content(order, brand))
    for refund in order.refunds:
        _play_tmall_refund(scene, order, refund)


def _push_tmall(scene: Scene, order: Order, moment: int, topic: str, content: dict[str, object]) -> None:
    number = (order.number * 31 + moment) % 10**15
    frame = wire_tmall.frame(number, topic, moment, scene.brand.clock, content)
    context = tmall_context(order.shop, "tmc")
    scene.landing.line("tmall_messages", f"{order.number}:{topic}:{moment}", moment + 1, context, frame)


def _play_tmall_refund(scene: Scene, order: Order, refund: Refund) -> None:
    brand, clock, rng = scene.brand, scene.brand.clock, scene.rng
    pages = channel("tmall_refunds", "taobao.refunds.receive.get", order.shop, brand.config.page_size)
    nodes = (
        open_uid_node(order.buyer, TMALL_SHOPS[order.shop].app_key, brand),
        ouid_node(order.buyer, order.shop, brand),
    )
    for moment, stage in [step for step in refund.steps if step[0] < clock.end]:
        record = wire_tmall.refund_record(order, refund, moment, brand)
        scene.landing.item(pages, f"{refund.number}@{moment}", clock.day_of(moment), record)
        scene.link(order.buyer, *nodes)
        topic = wire_tmall.REFUND_TOPICS.get(stage, "taobao_refund_RefundClosed")
        if rng.random() < PUSHED_SHARE:
            _push_tmall(scene, order, moment, topic, wire_tmall.refund_content(order, refund, moment, clock))
