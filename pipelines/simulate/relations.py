"""Who befriends which guide, who joins which group, and what happens when guides leave. Moments: epoch seconds."""

from dataclasses import dataclass, field
from random import Random

from pipelines.simulate.brand import Brand, Guide
from pipelines.simulate.chance import Weighted, between, pick
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.people import Person

ADD_WAYS: Weighted[int] = Weighted([(1, 55), (2, 4), (3, 8), (4, 10), (10, 5), (16, 12), (0, 3), (24, 3)])
TAG_NAMES = ("新客", "VIP", "高意向", "母婴", "护肤", "沉睡")
TRANSFER_DONE, TRANSFER_WAITING, TRANSFER_REFUSED, TRANSFER_LIMIT = 1, 2, 3, 4
GROUPS_PER_CELL = 3


@dataclass(slots=True)
class Transfer:
    """The hand-over of a leaver's customer; `status` as the platform counts it."""

    taker: Guide
    asked_at: int
    status: int
    taken_at: int


@dataclass(slots=True)
class Contact:
    """One customer added by one guide; `deleted_by` is customer, staff or None."""

    person: Person
    corp: int
    guide: Guide
    added: int
    add_way: int
    state: str
    half: bool
    remark_mobile: str | None
    tags: list[tuple[int, str]]
    deleted: int = 0
    deleted_by: str | None = None
    transfer: Transfer | None = None

    def stands_at(self, moment: int) -> bool:
        """Whether they are friends at the moment."""
        return self.added <= moment and not 0 < self.deleted <= moment

    def taken_at(self, moment: int) -> Transfer | None:
        """The hand-over, once it is done."""
        return self.transfer if self.transfer is not None and 0 < self.transfer.taken_at <= moment else None

    def guide_at(self, moment: int) -> Guide:
        """Whose customer they are at the moment."""
        taken = self.taken_at(moment)
        return self.guide if taken is None else taken.taker


@dataclass(slots=True)
class GroupMember:
    """One customer's stay in a group; `left` is 0 while they stay."""

    person: Person
    joined: int
    scene: int
    left: int = 0


@dataclass(slots=True)
class Group:
    """One customer group of a guide."""

    chat_id: str
    name: str
    corp: int
    owner: Guide
    created: int
    members: list[GroupMember] = field(default_factory=list)

    def members_at(self, moment: int) -> list[GroupMember]:
        """Who is in the group at the moment, in order of joining."""
        return [m for m in self.members if m.joined <= moment and not 0 < m.left <= moment]


class Relating:
    """Makes the friendships and groups of one cell."""

    def __init__(self, brand: Brand, cell: int, rng: Random, people: list[Person]) -> None:
        self._brand = brand
        self._clock = brand.clock
        self._cell = cell
        self._rng = rng
        self._people = people

    def contacts(self) -> list[Contact]:
        """All friendships of the cell, in order of person and corp."""
        contacts = []
        for person in self._people:
            for corp in person.corps:
                guides = self._brand.guides_of(self._cell, corp)
                first = pick(self._rng, guides)
                contacts.append(self._contact(person, corp, first))
                if self._rng.random() < 0.12:
                    other = pick(self._rng, guides)
                    if other is not first:
                        contacts.append(self._contact(person, corp, other))
        return contacts

    def _contact(self, person: Person, corp: int, guide: Guide) -> Contact:
        rng = self._rng
        added = self._added(person, guide)
        contact = Contact(
            person=person,
            corp=corp,
            guide=guide,
            added=added,
            add_way=ADD_WAYS.draw(rng),
            state=self._state(guide),
            half=rng.random() < 0.05,
            remark_mobile=self._remark(person, added),
            tags=self._tags(added),
        )
        fate = rng.random()
        if fate < 0.10:
            contact.deleted = between(rng, max(added, self._clock.start) + HOUR, self._clock.end + 30 * DAY)
            contact.deleted_by = "customer" if fate < 0.07 else "staff"
        self._hand_over(contact)
        return contact

    def _added(self, person: Person, guide: Guide) -> int:
        """Half of the friends of old were added before the window; nobody adds a guide who has left."""
        clock, rng = self._clock, self._rng
        if person.since == clock.start and rng.random() < 0.6:
            return between(rng, clock.start - 300 * DAY, clock.start)
        latest = clock.midnight(guide.left_day) if guide.left_day is not None else clock.end
        if person.since + HOUR >= latest:
            return clock.start - between(rng, DAY, 100 * DAY)
        return between(rng, person.since, min(max(person.until, person.since + HOUR), latest))

    def _state(self, guide: Guide) -> str:
        fate = self._rng.random()
        if fate < 0.7:
            return f"store_{guide.store.store_id}"
        # Re-added customers come back with values nobody set.
        return "wb:1:4285486" if fate < 0.72 else ""

    def _remark(self, person: Person, moment: int) -> str | None:
        """A number typed by staff: mostly the customer's, sometimes somebody else's."""
        fate = self._rng.random()
        if fate >= 0.25:
            return None
        owner = pick(self._rng, self._people) if fate < 0.025 else person
        return owner.phone_at(moment).number

    def _tags(self, added: int) -> list[tuple[int, str]]:
        """(since, tag) of the marks the guide puts on the customer."""
        rng, moment, tags = self._rng, max(added, self._clock.start), []
        for name in TAG_NAMES:
            if rng.random() < 0.12:
                moment += between(rng, HOUR, 15 * DAY)
                tags.append((moment, name))
        return tags

    def _hand_over(self, contact: Contact) -> None:
        """A leaver's customers are offered to a successor a day later; some refuse, some never answer."""
        rng, clock, guide = self._rng, self._clock, contact.guide
        if guide.left_day is None or 0 < contact.deleted < clock.midnight(guide.left_day):
            return
        successors = [g for g in self._brand.guides_of(self._cell, contact.corp) if g.left_day is None]
        if not successors:
            return
        asked = clock.midnight(guide.left_day) + DAY + 10 * HOUR + int(rng.random() * HOUR)
        fate = rng.random()
        status = TRANSFER_DONE if fate < 0.8 else TRANSFER_WAITING if fate < 0.9 else TRANSFER_REFUSED
        status = TRANSFER_LIMIT if fate > 0.97 else status
        taken = asked + between(rng, HOUR, DAY) if status == TRANSFER_DONE else 0
        contact.transfer = Transfer(pick(rng, successors), asked, status, taken)
        contact.deleted, contact.deleted_by = 0, None

    def groups(self, contacts: list[Contact]) -> list[Group]:
        """The cell's customer groups; members come and go."""
        rng, clock, groups = self._rng, self._clock, []
        for nth in range(GROUPS_PER_CELL):
            corp = 0 if nth < GROUPS_PER_CELL - 1 else 1
            owners = [guide for guide in self._brand.guides_of(self._cell, corp) if guide.left_day is None]
            friends = [contact for contact in contacts if contact.corp == corp]
            if not owners or not friends:
                continue
            number = self._cell * GROUPS_PER_CELL + nth
            group = Group(
                chat_id="wr" + self._brand.ids.alphanumeric("chat", str(corp), number, 30),
                name=f"示例福利{number + 1}群",
                corp=corp,
                owner=pick(rng, owners),
                created=clock.start - between(rng, 1, 200 * DAY) if rng.random() < 0.7 else self._early(),
            )
            group.members = self._members(group, friends)
            groups.append(group)
        return groups

    def _early(self) -> int:
        return between(self._rng, self._clock.start, self._clock.start + max(1, self._clock.days // 2) * DAY)

    def _members(self, group: Group, friends: list[Contact]) -> list[GroupMember]:
        rng, clock, members, known = self._rng, self._clock, [], set[int]()
        for contact in friends:
            if rng.random() >= 0.3 or contact.person.index in known:
                continue
            known.add(contact.person.index)
            joined = max(contact.added, group.created) + between(rng, 60, 20 * DAY)
            if joined < clock.end:
                stays = rng.random() < 0.8
                left = 0 if stays else joined + between(rng, HOUR, 60 * DAY)
                members.append(GroupMember(contact.person, joined, pick(rng, (1, 2, 3, 3)), left))
        return sorted(members, key=lambda member: (member.joined, member.person.index))
