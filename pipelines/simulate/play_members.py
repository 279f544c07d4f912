"""Tells what the brand knows of its members: registrations, Tmall memberships, points, consents, claims."""

from pipelines.simulate import wire_brand, wire_tmall
from pipelines.simulate.brand import BRAND, DOUYIN_SHOPS, MINI_PROGRAMS, MIX_KEY, TMALL_SHOPS
from pipelines.simulate.claims import Claim
from pipelines.simulate.clock import HOUR
from pipelines.simulate.ids import mix_mobile
from pipelines.simulate.loyalty import Binding, Consent, PointMove
from pipelines.simulate.orders import Order
from pipelines.simulate.people import Person
from pipelines.simulate.play_orders import channel
from pipelines.simulate.scene import (
    Scene,
    app_context,
    doudian_node,
    member_node,
    omid_node,
    open_uid_node,
    openid_node,
    ouid_node,
    tmall_context,
    unionid_node,
)
from pipelines.simulate.truth import Node

CRM_LIST_SHARE = 0.3


def play_registrations(scene: Scene, people: list[Person]) -> None:
    """Every member registers with a verified number; two in three report a new one."""
    clock = scene.brand.clock
    for person in people:
        if person.member_id is None:
            continue
        _register(scene, person, "", person.member_since)
        changed = person.phones[-1].since
        if len(person.phones) > 1 and changed > person.member_since and scene.rng.random() < 0.67:
            moment = changed + HOUR
            if moment < clock.end:
                _register(scene, person, "-changed", moment)


def _register(scene: Scene, person: Person, suffix: str, moment: int) -> None:
    number = person.phone_at(moment).number
    spaced = person.index % 11 == 0 and number[0] == "1"
    written = f"+86 {number[:3]}-{number[3:7]}-{number[7:]}" if spaced else number
    name = f"crm-{person.member_id}{suffix}"
    record = wire_brand.registration(name, moment, person.member_id or "", written)
    record["attributes"] = {"name": person.name}
    scene.landing.line("observations", name, moment + 5, {"platform": "crm"}, record)
    scene.link_phone(person, member_node(person), moment)


def play_bindings(scene: Scene, bindings: list[Binding]) -> None:
    """Every Tmall membership is asked for, made, in flight mode told again, and sometimes ended."""
    for binding in bindings:
        if binding.told >= scene.end:
            continue
        _bind(scene, binding, "tmall.mei.crm.member.bind.query", 1, binding.told - 2)
        for again in range(3 if binding.flight else 1):
            _bind(scene, binding, "tmall.mei.crm.bind", 1, binding.told + again * 600)
        if 0 < binding.ended < scene.end:
            _bind(scene, binding, "tmall.mei.crm.bind", 2, binding.ended)


def _bind(scene: Scene, binding: Binding, method: str, kind: int, at: int) -> None:
    person, shop, brand = binding.person, binding.shop, scene.brand
    if at >= scene.end:
        return
    period = person.phone_at(binding.joined)
    facts = {
        "mix_mobile": mix_mobile(period.number, MIX_KEY),
        "type": kind,
        "joined": binding.joined if binding.flight and kind == 1 else None,
        "mobile": period.number if person.index % 3 == 0 and kind == 1 else None,
    }
    request = wire_tmall.bind_request(person, shop, brand, facts)
    name = f"{method}:{request['ouid']}:{kind}:{at}"
    scene.landing.line("tmall_members", name, at, tmall_context(shop, method), request)
    scene.link(person, ouid_node(person, shop, brand), omid_node(person, brand))
    if kind == 1:
        scene.link_phone(person, ouid_node(person, shop, brand), binding.joined)


def play_crm_lists(scene: Scene, people: list[Person], orders: list[Order]) -> None:
    """The shops' own customer lists, pulled on some day: ouids alone, with what they bought until then."""
    brand, clock = scene.brand, scene.brand.clock
    bought: dict[tuple[int, int], list[Order]] = {}
    for order in orders:
        if order.platform == "tmall" and order.paid:
            bought.setdefault((order.buyer.index, order.shop), []).append(order)
    buyers = {person.index: person for person in people}
    for (index, shop), theirs in bought.items():
        if scene.rng.random() >= CRM_LIST_SHARE:
            continue
        day = int(scene.rng.random() * clock.days)
        done = [order for order in theirs if 0 < order.finished < clock.midnight(day)]
        record = wire_tmall.crm_member(buyers[index], shop, brand, (len(done), sum(o.pay_fen for o in done)))
        pages = channel("tmall_members", "taobao.crm.members.increment.get", shop, brand.config.page_size)
        scene.landing.item(pages, f"crm:{record['ouid']}@{day}", day, record)
        scene.see(buyers[index], ouid_node(buyers[index], shop, brand))


def play_points(scene: Scene, moves: list[PointMove]) -> None:
    """Points move by the brand's ledger, by Tmall messages and by mall notices."""
    for move in moves:
        if move.way == "tmc":
            _point_change(scene, move)
        elif move.way == "mall" and move.order is not None:
            notice = wire_brand.mall_notice(move, move.order, scene.brand)
            context = app_context(0, method="mall.refund" if move.points < 0 else "mall.transaction")
            scene.landing.line("points_events", f"mall:{move.number}", move.moment, context, notice)
            scene.see(move.person, openid_node(move.person, 0))
        else:
            row = wire_brand.ledger_row(move, scene.brand.clock)
            scene.landing.line("points_events", row["record_id"], move.moment, {"brand": BRAND}, row)
            scene.see(move.person, member_node(move.person))


def _point_change(scene: Scene, move: PointMove) -> None:
    person, brand = move.person, scene.brand
    period = person.phone_at(move.moment)
    ids = (wire_tmall.ouid(person, 0, brand), wire_tmall.omid(person, brand), mix_mobile(period.number, MIX_KEY))
    content = wire_brand.point_change(move, ids, period.number)
    frame = wire_tmall.frame(10**12 + move.number, "tmall_mei_PointChange", move.moment, brand.clock, content)
    scene.landing.line("points_events", content["record_id"], move.moment, tmall_context(0, "tmc"), frame)
    scene.link(person, ouid_node(person, 0, brand), omid_node(person, brand))
    scene.link_phone(person, ouid_node(person, 0, brand), move.moment)


def play_consents(scene: Scene, consents: list[Consent]) -> None:
    """Consents and withdrawals; the subject is one identifier of the person."""
    for consent in consents:
        record = wire_brand.consent(consent, scene.brand.clock)
        scene.landing.line("consents", record["consent_id"], consent.moment, {"brand": BRAND}, record)
        node = member_node(consent.person) if consent.by == "member_id" else openid_node(consent.person, 0)
        scene.see(consent.person, node)


def play_claims(scene: Scene, claims: list[Claim]) -> None:
    """Every claim with every status; only approved claims without a rival join claimant and buyer."""
    platform = MINI_PROGRAMS[0].open_platform_id
    for claim in claims:
        person = claim.claimant
        for moment, status in claim.steps:
            if moment >= scene.end:
                continue
            unionid = person.unionid(platform, moment)
            record = wire_brand.claim(claim, status, unionid)
            scene.landing.line("order_claims", f"{record['claim_id']}:{status}", moment, app_context(0), record)
            for node in _claimant_nodes(claim, moment):
                scene.see(person, node)
        if claim.kind != "right":
            day = scene.brand.clock.day_of(claim.claimed_at)
            scene.landing.fault((f"{claim.kind}_claim", "order_claims", day, f"c{claim.number}", ""))
        elif 0 < claim.approved_at < scene.end and not claim.rivals:
            scene.link(person, _buyer_node(scene, claim.order), *_claimant_nodes(claim, claim.approved_at))


def _claimant_nodes(claim: Claim, moment: int) -> list[Node]:
    person, platform = claim.claimant, MINI_PROGRAMS[0].open_platform_id
    known = person.unionid(platform, moment) is not None
    return [openid_node(person, 0), *([unionid_node(person, platform)] if known else [])]


def _buyer_node(scene: Scene, order: Order) -> Node:
    if order.platform == "douyin":
        return doudian_node(order.buyer, DOUYIN_SHOPS[order.shop].app_key, scene.brand)
    return open_uid_node(order.buyer, TMALL_SHOPS[order.shop].app_key, scene.brand)
