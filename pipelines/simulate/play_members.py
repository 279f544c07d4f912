"""Tells what the brand's own customer system knows: registrations, and numbers that members change."""

from pipelines.simulate.people import Person
from pipelines.simulate.scene import Scene, member_node
from pipelines.simulate.wire_brand import registration


def play_registrations(scene: Scene, people: list[Person]) -> None:
    """Every member registers with a verified number; two in three report a new one."""
    clock = scene.brand.clock
    for person in people:
        if person.member_id is None:
            continue
        _register(scene, person, "", person.member_since)
        changed = person.phones[-1].since
        if len(person.phones) > 1 and changed > person.member_since and scene.rng.random() < 0.67:
            moment = changed + 3600
            if moment < clock.end:
                _register(scene, person, "-changed", moment)


def _register(scene: Scene, person: Person, suffix: str, moment: int) -> None:
    number = person.phone_at(moment).number
    written = f"+86 {number[:3]}-{number[3:7]}-{number[7:]}" if person.index % 11 == 0 and number[0] == "1" else number
    name = f"crm-{person.member_id}{suffix}"
    record = registration(name, moment, person.member_id or "", written)
    record["attributes"] = {"name": person.name}
    scene.landing.line("observations", name, moment + 5, {"platform": "crm"}, record)
    scene.link_phone(person, member_node(person), moment)
