"""Tells the friendships and groups: pulled contacts, callbacks, hand-overs of leavers' customers."""

from functools import lru_cache

from pipelines.simulate import wire_wecom as wire
from pipelines.simulate.brand import CORPS
from pipelines.simulate.chance import stream
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.landing import Channel
from pipelines.simulate.people import Person
from pipelines.simulate.relations import Contact, Group, GroupMember, Transfer
from pipelines.simulate.scene import Scene, corp_context, external_node, unionid_node

ENDS = frozenset({"del_follow_user", "del_external_contact", "del_member"})
SINGLE_SHARE = 0.1  # contacts answered one by one instead of in a batch


@lru_cache(maxsize=4096)
def channel(feed: str, method: str, corp: int, people: tuple[str, str] | None = None) -> Channel:
    """The paged answers of one WeCom method; `people` are the leaver and the successor of a hand-over."""
    envelopes = {
        "externalcontact/batch/get_by_user": wire.contact_page,
        "externalcontact/get_unassigned_list": wire.unassigned_page,
        "externalcontact/transfer_customer": wire.transfer_page,
        "externalcontact/transfer_result": wire.transfer_result_page,
    }
    params = {"handover_userid": people[0], "takeover_userid": people[1]} if people else {}
    context = corp_context(corp, method, **params)
    key = f"{method}:{corp}:{':'.join(people or ())}"
    return Channel(feed, key, context, envelopes[method], wire.error_answer, 100)


def play_relations(scene: Scene, contacts: list[Contact], groups: list[Group]) -> None:
    """All friendships and groups of the cell are told."""
    for contact in contacts:
        _play_contact(scene, contact)
    for group in groups:
        _play_group(scene, group)


def _play_contact(scene: Scene, contact: Contact) -> None:
    clock = scene.brand.clock
    for moment in _pulls(scene, contact):
        record = wire.contact_record(contact, moment, scene.brand)
        external = record["external_contact"]["external_userid"]
        name = f"{external}:{record['follow_info']['userid']}@{moment}"
        if scene.rng.random() < SINGLE_SHARE:
            context = corp_context(contact.corp, "externalcontact/get", external_userid=external)
            answer = wire.contact_answer(contact, moment, scene.brand)
            scene.landing.line("wecom_contacts", name, moment + 60, context, answer)
        else:
            pages = channel("wecom_contacts", "externalcontact/batch/get_by_user", contact.corp)
            scene.landing.item(pages, name, clock.landing_day(moment), record)
        note_shown(scene, contact.person, contact.corp, moment)
    _callbacks(scene, contact)
    if contact.transfer is not None:
        _play_transfer(scene, contact, contact.transfer)


def _pulls(scene: Scene, contact: Contact) -> list[int]:
    """When the relation was pulled: when it began, when it changed, when the unionid came, when a successor took it."""
    clock = scene.brand.clock
    first = max(contact.added, clock.start + HOUR)
    moments = {first, *(since for since, _ in contact.tags)}
    if contact.person.unionid_from > first:
        moments.add(contact.person.unionid_from + HOUR)
    if contact.transfer is not None and contact.transfer.taken_at:
        moments.add(contact.transfer.taken_at + HOUR)
    gone = contact.deleted if contact.deleted else clock.end
    return sorted(moment for moment in moments if first <= moment < min(gone, clock.end - 60))


def note_shown(scene: Scene, person: Person, corp: int, moment: int) -> None:
    """The contact id was shown, with the unionid where the platform knows it by then."""
    node, platform = external_node(person, corp, scene.brand), CORPS[corp].open_platform_id
    if person.unionid(platform, moment) is not None:
        scene.link(person, node, unionid_node(person, platform))
    else:
        scene.see(person, node)


def _callbacks(scene: Scene, contact: Contact) -> None:
    clock = scene.brand.clock
    told = [(since, "edit_external_contact") for since, _ in contact.tags[:1]]
    if contact.added >= clock.start:
        told.append((contact.added, "add_half_external_contact" if contact.half else "add_external_contact"))
    if contact.deleted:
        told.append(
            (contact.deleted, "del_follow_user" if contact.deleted_by == "customer" else "del_external_contact")
        )
    if contact.transfer is not None and contact.transfer.status in wire.TRANSFER_FAILURES:
        told.append((contact.transfer.asked_at + 2 * HOUR, "transfer_fail"))
    for moment, change in sorted(told):
        if contact.deleted and moment > contact.deleted:
            continue
        name = f"{change}:{contact.person.index}:{contact.guide.userid}:{moment}"
        if moment < clock.end - 2 and not (change in ENDS and _is_lost(scene, name, moment)):
            guide = contact.transfer.taker if change == "transfer_fail" and contact.transfer else None
            payload = wire.contact_event(contact, change, moment, scene.brand, guide=guide)
            scene.landing.line("wecom_events", name, moment + 1, corp_context(contact.corp, "callback"), payload)
            scene.see(contact.person, external_node(contact.person, contact.corp, scene.brand))


def _is_lost(scene: Scene, name: str, moment: int) -> bool:
    """Whether the message of an end never comes; drawn by its name, so that nothing else depends on it."""
    config = scene.brand.config
    lost = stream(config.seed, "lost", name).random() < config.dirt.lost_messages
    if lost:
        scene.landing.fault(("lost_message", "wecom_events", scene.brand.clock.day_of(moment), name, ""))
    return lost


def _play_transfer(scene: Scene, contact: Contact, transfer: Transfer) -> None:
    clock, brand = scene.brand.clock, scene.brand
    left = clock.midnight(contact.guide.left_day or 0) + 18 * HOUR
    pair = (contact.guide.userid, transfer.taker.userid)
    name = f"{contact.person.index}:{pair[0]}:{pair[1]}"
    told = (
        (left, "externalcontact/get_unassigned_list", None, wire.unassigned(contact, left, brand)),
        (transfer.asked_at, "externalcontact/transfer_customer", pair, wire.transfer_asked(contact, brand)),
        (
            transfer.asked_at + 2 * DAY,
            "externalcontact/transfer_result",
            pair,
            wire.transfer_result(contact, transfer, brand),
        ),
    )
    for moment, method, people, record in told:
        if contact.added < moment < clock.end:
            pages = channel("wecom_transfers", method, contact.corp, people)
            scene.landing.item(pages, f"{method}:{name}", clock.day_of(moment), record)
            scene.see(contact.person, external_node(contact.person, contact.corp, brand))


def _play_group(scene: Scene, group: Group) -> None:
    """The group is pulled when first known, every week, and at the end."""
    clock, context = scene.brand.clock, corp_context(group.corp, "externalcontact/groupchat/get")
    first = max(0, clock.day_of(group.created))
    days = sorted({*range(first, clock.days, 7), clock.days - 1})
    for day in days:
        moment = clock.midnight(day) + DAY - 10 * 60
        answer = wire.group_answer(group, moment, scene.brand)
        scene.landing.line("wecom_group_chats", f"{group.chat_id}@{moment}", moment, context, answer)
        for member in group.members_at(moment):
            note_shown(scene, member.person, group.corp, moment)
    if group.created >= clock.start:
        payload = wire.chat_event(group, ("create", ""), group.created, None)
        scene.landing.line("wecom_events", f"create:{group.chat_id}", group.created + 1, _callback(group), payload)
    for member in group.members:
        _member_events(scene, group, member)


def _callback(group: Group) -> dict[str, object]:
    return corp_context(group.corp, "callback")


def _member_events(scene: Scene, group: Group, member: GroupMember) -> None:
    clock = scene.brand.clock
    node = external_node(member.person, group.corp, scene.brand)
    for moment, update, how in ((member.joined, "add_member", member.scene), (member.left, "del_member", 0)):
        name = f"{update}:{group.chat_id}:{member.person.index}:{moment}"
        if clock.start <= moment < clock.end - 2 and not (update in ENDS and _is_lost(scene, name, moment)):
            payload = wire.chat_event(group, ("update", update), moment, (node[2], how))
            scene.landing.line("wecom_events", name, moment + 1, _callback(group), payload)
            scene.see(member.person, node)
