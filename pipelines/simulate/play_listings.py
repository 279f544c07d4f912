"""Tells all standing friends in full, as a pull that reconciles does: after two weeks, then every four.

Whom such a listing leaves out is no friend any more, also where the message of it was lost. It comes whole: copies,
breaks and errors are for what is told by and by, and would only make a reader distrust the day.
"""

from pipelines.simulate import wire_wecom as wire
from pipelines.simulate.brand import CORPS, Brand
from pipelines.simulate.clock import Clock
from pipelines.simulate.landing import Landing
from pipelines.simulate.play_relations import note_shown
from pipelines.simulate.relations import Contact
from pipelines.simulate.scene import Scene, corp_context

FIRST, EVERY = 13, 28
PAGE = 100
FEED = "wecom_contacts"
GUIDES, CONTACTS = "externalcontact/get_follow_user_list", "externalcontact/batch/get_by_user"


def listing_moments(clock: Clock) -> list[int]:
    """When everybody is listed, at the end of a day; the last day of a window is like any other."""
    return [clock.midnight(day + 1) - 1 for day in range(FIRST, clock.days, EVERY)]


def play_listings(scene: Scene, contacts: list[Contact]) -> None:
    """The customers of the cell in every listing of their guides."""
    for moment in listing_moments(scene.brand.clock):
        for corp in range(len(CORPS)):
            listed = [one for one in contacts if one.corp == corp and _is_listed(one, moment, scene.brand)]
            for begin in range(0, len(listed), PAGE):
                _play_page(scene, corp, listed[begin : begin + PAGE], moment)


def _is_listed(contact: Contact, moment: int, brand: Brand) -> bool:
    """Whether the relation stands with a guide who is there."""
    return contact.stands_at(moment) and brand.is_there(contact.guide_at(moment), moment)


def _play_page(scene: Scene, corp: int, contacts: list[Contact], moment: int) -> None:
    records = [wire.contact_record(contact, moment, scene.brand) for contact in contacts]
    payload = wire.contact_page(records, moment)
    scene.landing.whole(FEED, moment, corp_context(corp, CONTACTS), payload, records=len(records))
    for contact in contacts:
        note_shown(scene, contact.person, corp, moment)


def play_guide_lists(brand: Brand, landing: Landing) -> None:
    """Whose customers each listing holds in full: everybody's who is there."""
    for moment in listing_moments(brand.clock):
        for corp in range(len(CORPS)):
            there = [guide.userid for guide in brand.guides if guide.corp == corp and brand.is_there(guide, moment)]
            context = corp_context(corp, GUIDES, complete=True)
            landing.whole(FEED, moment, context, wire.ok(follow_user=there), records=1)
