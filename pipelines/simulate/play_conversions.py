"""Tells the answers that turn one platform's id into another's, and what the Douyin mini-program knows."""

from pipelines.simulate import wire_douyin_calls, wire_wecom
from pipelines.simulate.brand import CORPS, DOUYIN_APP, DOUYIN_SHOPS, MINI_PROGRAMS, SUITE_ID, Guide
from pipelines.simulate.chance import between
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.landing import Json
from pipelines.simulate.orders import Order
from pipelines.simulate.people import Person
from pipelines.simulate.play_orders import channel
from pipelines.simulate.relations import Contact
from pipelines.simulate.scene import (
    Scene,
    doudian_node,
    douyin_context,
    douyin_device_node,
    douyin_openid_node,
    douyin_unionid_node,
    external_node,
    openid_node,
    pending_node,
    suite_external_node,
    unionid_node,
)
from pipelines.simulate.truth import Node
from pipelines.simulate.wire_miniprogram import douyin_session

MEMBER_SHARE = 0.2  # Douyin orders whose member the shop asks for
DOUDIAN_SHARE = 0.6  # users of the Douyin mini-program whose shop id is asked for
CORP_SHARE = 0.25  # users with a unionid whose contact id is asked for
SUITE_SHARE = 0.4
SUITE_CORP = 1


def play_conversions(scene: Scene, people: list[Person], orders: list[Order], contacts: list[Contact]) -> None:
    """All conversions of the cell are told."""
    _douyin_members(scene, orders)
    shops: dict[int, int] = {}
    for order in orders:
        if order.platform == "douyin":
            shops.setdefault(order.buyer.index, order.shop)
    for person in people:
        if person.douyin_app:
            _douyin_app(scene, person, shops.get(person.index))
    for contact in contacts:
        if contact.corp == 0 and 0 in contact.person.apps and scene.rng.random() < CORP_SHARE:
            _corp_contact(scene, contact)
        elif contact.corp == SUITE_CORP and 1 in contact.person.apps and scene.rng.random() < SUITE_SHARE:
            _suite_contact(scene, contact)
    known = {contact.person.index for contact in contacts}
    for person in people:
        if 1 in person.apps and person.index not in known and scene.rng.random() < SUITE_SHARE / 4:
            _ask_suite(scene, person, pending_node(person, scene.brand), _within(scene, person))


def _within(scene: Scene, person: Person) -> int:
    later = max(person.unionid_from, person.since) + between(scene.rng, HOUR, 10 * DAY)
    return min(later, scene.end - HOUR)


def _douyin_members(scene: Scene, orders: list[Order]) -> None:
    for order in orders:
        if order.platform == "douyin" and order.paid and scene.rng.random() < MEMBER_SHARE:
            at = order.paid + 2 * HOUR
            if at < scene.end:
                node = doudian_node(order.buyer, DOUYIN_SHOPS[order.shop].app_key, scene.brand)
                pages = channel("douyin_members", "member.searchList", order.shop, 100)
                record: Json = {"open_id": node[2], "order_id": str(order.number)}
                scene.landing.item(pages, f"member:{order.number}", scene.brand.clock.day_of(at), record)
                scene.see(order.buyer, node)


def _douyin_app(scene: Scene, person: Person, shop: int | None) -> None:
    brand, at = scene.brand, person.since + 30
    openid, unionid = douyin_openid_node(person, brand), douyin_unionid_node(person, brand)
    device = douyin_device_node(person, brand)
    late = at < person.unionid_from
    answer = douyin_session(openid[2], None if late else unionid[2], device[2])
    context: Json = {
        "platform": "douyin",
        "app_id": DOUYIN_APP.app_id,
        "open_platform_id": DOUYIN_APP.open_platform_id,
        "method": "douyin.jscode2session",
        "code": f"d{person.index:09d}",
    }
    scene.landing.line("miniprogram_users", f"session:{openid[2]}:{at}", min(at, scene.end - 1), context, answer)
    scene.link(person, openid, device, *(() if late else (unionid,)))
    if shop is not None and scene.rng.random() < DOUDIAN_SHARE:
        node = doudian_node(person, DOUYIN_SHOPS[shop].app_key, brand)
        asked = min(at + between(scene.rng, HOUR, 5 * DAY), scene.end - 1)
        params = {"dy_open_id": openid[2], "dy_client_key": DOUYIN_APP.app_id}
        context = {**douyin_context(shop, "user.getDoudianOpenID"), "client_key": DOUYIN_APP.app_id, "params": params}
        answer = wire_douyin_calls.doudian_open_id_answer(node[2], asked)
        scene.landing.line("id_conversions", f"doudian:{openid[2]}", asked, context, answer)
        scene.link(person, openid, node)


def _corp_contact(scene: Scene, contact: Contact) -> None:
    person, program = contact.person, MINI_PROGRAMS[0]
    at = max(_within(scene, person), contact.added + HOUR)
    if at >= scene.end:
        return
    params = {"unionid": person.unionids[program.open_platform_id], "openid": person.openids[0]}
    context: Json = {
        "platform": "wecom",
        "corp_id": CORPS[0].corp_id,
        "open_platform_id": program.open_platform_id,
        "app_id": program.app_id,
        "method": "externalcontact/unionid_to_external_userid",
        "params": params,
    }
    node = external_node(person, 0, scene.brand)
    name = f"unionid:{node[2]}"
    scene.landing.line("id_conversions", name, at, context, wire_wecom.ok(external_userid=node[2]))
    scene.link(person, unionid_node(person, program.open_platform_id), openid_node(person, 0), node)


def _suite_contact(scene: Scene, contact: Contact) -> None:
    """A contact of old is found at once; one to come has a pending id that is resolved after the friendship."""
    person, brand, clock = contact.person, scene.brand, scene.brand.clock
    external = suite_external_node(person, brand)
    early = contact.added - 2 * HOUR
    if early <= max(clock.start, person.unionid_from, person.since):
        at = max(_within(scene, person), contact.added + HOUR)
        if at < scene.end:
            _ask_suite(scene, person, external, at)
        return
    _ask_suite(scene, person, pending_node(person, brand), early)
    if contact.added + DAY >= scene.end:
        return
    pending = pending_node(person, brand)
    answer = wire_wecom.ok(result=[{"external_userid": external[2], "pending_id": pending[2]}])
    context = _suite_context("idconvert/batch/external_userid_to_pending_id", {})
    scene.landing.line("id_conversions", f"pending:{pending[2]}", contact.added + DAY, context, answer)
    scene.link(person, pending, external)
    _suite_callback(scene, person, contact.guide, contact.added)


def _ask_suite(scene: Scene, person: Person, node: Node, at: int) -> None:
    program = MINI_PROGRAMS[1]
    params = {"unionid": person.unionids[program.open_platform_id], "openid": person.openids[1]}
    answer = wire_wecom.ok(external_userid="", pending_id=node[2])
    if node[0] == "wecom_isv_external_userid":
        answer = wire_wecom.ok(external_userid=node[2], pending_id="")
    context = _suite_context("idconvert/unionid_to_external_userid", params)
    scene.landing.line("id_conversions", f"suite:{node[2]}", at, context, answer)
    scene.link(person, unionid_node(person, program.open_platform_id), openid_node(person, 1), node)


def _suite_context(method: str, params: Json) -> Json:
    program = MINI_PROGRAMS[1]
    return {
        "platform": "wecom",
        "corp_id": CORPS[SUITE_CORP].corp_id,
        "suite_id": SUITE_ID,
        "open_platform_id": program.open_platform_id,
        "app_id": program.app_id,
        "method": method,
        "params": params,
    }


def _suite_callback(scene: Scene, person: Person, guide: Guide, at: int) -> None:
    node = suite_external_node(person, scene.brand)
    payload = wire_wecom.suite_contact_event(node[2], guide, at, (SUITE_ID, CORPS[SUITE_CORP].corp_id))
    context = _suite_context("callback", {})
    scene.landing.line("wecom_events", f"suite:{node[2]}:{at}", at + 2, context, payload)
    scene.see(person, node)
