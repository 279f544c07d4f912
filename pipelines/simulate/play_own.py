"""Tells the orders of the brand's own mall and tills, version by version."""

from pipelines.simulate import wire_brand
from pipelines.simulate.brand import BRAND, MINI_PROGRAMS
from pipelines.simulate.landing import Json
from pipelines.simulate.orders import Order
from pipelines.simulate.play_orders import deliveries
from pipelines.simulate.scene import Scene, app_context, member_node, openid_node, unionid_node
from pipelines.simulate.truth import Node


def play_own_orders(scene: Scene, orders: list[Order]) -> None:
    """Every order of the mall and the tills is told."""
    for order in orders:
        if order.platform in ("mall", "pos"):
            _play(scene, order)


def _play(scene: Scene, order: Order) -> None:
    clock, with_phone = scene.brand.clock, scene.rng.random() < 0.5
    context = app_context(0) if order.platform == "mall" else {"brand": BRAND}
    for day, moment in deliveries(scene, "shop_orders", order):
        ids = _buyer(scene, order, with_phone=with_phone)
        record = wire_brand.shop_order(order, moment, ids)
        at = max(moment + 2, clock.midnight(day) + 60)
        name = f"{record['order_id']}@{moment}"
        scene.landing.line("shop_orders", name, min(at, clock.midnight(day + 1) - 1), context, record)


def _buyer(scene: Scene, order: Order, *, with_phone: bool) -> Json:
    """What the mall or the till knows of the buyer at the time of the order, equal in all its versions."""
    person, at = order.buyer, order.created
    ids: Json = {}
    nodes: list[Node] = []
    if order.platform == "mall":
        platform = MINI_PROGRAMS[0].open_platform_id
        ids["openid"] = person.openids[0]
        nodes.append(openid_node(person, 0))
        unionid = person.unionid(platform, at)
        if unionid is not None:
            ids["unionid"] = unionid
            nodes.append(unionid_node(person, platform))
    if person.member_id is not None and (order.platform == "pos" or person.member_since <= at):
        ids["member_id"] = person.member_id
        nodes.append(member_node(person))
    scene.link(person, *nodes)
    if order.platform == "pos" and with_phone:
        ids["phone"] = person.phone_at(at).number
        scene.link_phone(person, nodes[0], at)
    return ids
