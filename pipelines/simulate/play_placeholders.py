"""Tells the records that hold a placeholder where an identifier should be: it belongs to nobody and joins nobody."""

from pipelines.simulate import wire_miniprogram as wire
from pipelines.simulate.brand import BRAND
from pipelines.simulate.chance import pick
from pipelines.simulate.people import Person
from pipelines.simulate.scene import Scene, app_context, device_node, openid_node
from pipelines.simulate.visits import Visit
from pipelines.simulate.wire_brand import registration

NO_LOGIN = ("0", "null", "anonymous", "-1")
NO_UNIONID = ("undefined", "null", "0")
NO_PHONES = ("13800138000", "11111111111", "12345678901", "0")


def play_placeholders(scene: Scene, people: list[Person], visits: list[Visit]) -> None:
    """Some people's records hold a placeholder where an identifier should be; it belongs to nobody."""
    rate, rng = scene.brand.config.dirt.placeholders, scene.rng
    last = {visit.person.index: visit for visit in visits}
    for person in people:
        if rng.random() >= rate:
            continue
        visit = last.get(person.index)
        if visit is not None:
            _placeholder_visit(scene, visit)
        else:
            _placeholder_registration(scene, person)


def _placeholder_visit(scene: Scene, visit: Visit) -> None:
    rng, person = scene.rng, visit.person
    openid, at = person.openids[visit.app], visit.start
    if rng.random() < 0.5:
        name = f"session:{openid}:{at}:placeholder"
        context = app_context(visit.app, method="jscode2session", code=f"1{at % 10**9:09d}")
        scene.landing.line("miniprogram_users", name, at + 3, context, wire.session(openid, pick(rng, NO_UNIONID)))
        scene.see(person, openid_node(person, visit.app))
        _fault(scene, "miniprogram_users", at, name)
        return
    ids = wire.identities(visit, openid=openid, unionid=None, login=pick(rng, NO_LOGIN))
    record = wire.event(visit, visit.steps[0], ids)
    name = f"{record['distinct_id']}:{record['time']}:placeholder"
    scene.landing.line("miniprogram_events", name, at + 3, app_context(visit.app), record)
    scene.link(person, device_node(person, visit.app), openid_node(person, visit.app))
    _fault(scene, "miniprogram_events", at, name)


def _placeholder_registration(scene: Scene, person: Person) -> None:
    name, at = f"crm-placeholder-{person.index:08d}", person.since + 60
    record = registration(name, at, person.member_id or f"K9{person.index:07d}", pick(scene.rng, NO_PHONES))
    scene.landing.line("observations", name, at, {"platform": "crm"}, record)
    scene.see(person, ("member_id", BRAND, record["ids"][0]["value"]))
    _fault(scene, "observations", at, name)


def _fault(scene: Scene, feed: str, at: int, name: str) -> None:
    scene.landing.fault(("placeholder", feed, scene.brand.clock.landing_day(at), name, ""))
