"""Tells what a tenth of the customers do in WeCom beside relations: who came by a link, was served, and wrote."""

from pipelines.simulate import wire_wecom as wire
from pipelines.simulate.clock import HOUR
from pipelines.simulate.relations import Contact
from pipelines.simulate.scene import Scene, corp_context, external_node

ONE_IN = 10


def play_activity(scene: Scene, contacts: list[Contact]) -> None:
    """Told after all that is drawn by chance, so that nothing else in the cell depends on it."""
    clock = scene.brand.clock
    for contact in contacts:
        at = contact.added + HOUR
        if contact.person.index % ONE_IN == 0 and clock.start <= contact.added and at < (contact.deleted or clock.end):
            _play_contact(scene, contact, min(at, clock.end - 2))


def _play_contact(scene: Scene, contact: Contact, at: int) -> None:
    external = external_node(contact.person, contact.corp, scene.brand)[2]
    told = (
        ("wecom_contacts", "externalcontact/customer_acquisition/customer", wire.acquired_page(contact, external)),
        ("wecom_contacts", "externalcontact/contact_list", wire.served_page(contact, external)),
        ("wecom_events", "msgaudit", wire.audited_message(contact, external, at)),
    )
    for feed, method, payload in told:
        name = f"{method}:{external}:{contact.guide.userid}:{at}"
        scene.landing.line(feed, name, at + 1, corp_context(contact.corp, method), payload)
