"""The people of one cell: households, numbers that are shared, changed and re-issued, and their accounts."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from pipelines.simulate.brand import MINI_PROGRAMS, Brand
from pipelines.simulate.chance import Weighted, between, pick, stream, whole
from pipelines.simulate.clock import DAY
from pipelines.simulate.names import PLACES, SURNAMES, Place, full_name, nickname

HOUSEHOLDS: Weighted[int] = Weighted([(1, 0.45), (2, 0.30), (3, 0.15), (4, 0.10)])
REISSUE_YEARS_AGO = 300  # days before the window when the former holder last used a re-issued number
REISSUE_REST = 90  # days before the window from which the new holder may have it


@dataclass(slots=True)
class PhonePeriod:
    """A number somebody holds from `since` until `until` (None: still); epoch seconds."""

    number: str
    since: int
    until: int | None = None
    shared: bool = False


@dataclass(slots=True)
class Person:
    """One real person, with every account they will ever show; moments are epoch seconds."""

    index: int
    name: str
    nickname: str
    gender: int
    place: Place
    phones: list[PhonePeriod]
    since: int
    until: int
    weight: float
    apps: tuple[int, ...] = ()
    corps: tuple[int, ...] = ()
    douyin: bool = False
    tmall: bool = False
    douyin_app: bool = False
    member_id: str | None = None
    member_since: int = 0
    tmall_member: bool = False
    unionid_from: int = 0
    referrer: "Person | None" = None
    openids: dict[int, str] = field(default_factory=dict)
    devices: dict[int, str] = field(default_factory=dict)
    unionids: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The person's name in the truth files."""
        return f"p{self.index:08d}"

    @property
    def login_id(self) -> str | None:
        """The account number of the brand's own log-in, which members with the main app have."""
        return f"u{self.index + 10_000_000}" if self.member_id and 0 in self.apps else None

    def phone_at(self, moment: int) -> PhonePeriod:
        """The number in use at the moment."""
        for period in self.phones:
            if period.until is None or moment < period.until:
                return period
        return self.phones[-1]

    @property
    def foreign(self) -> bool:
        """True for holders of a number from outside the mainland."""
        return self.phones[-1].number.startswith("+")

    def unionid(self, open_platform_id: str, moment: int) -> str | None:
        """The unionid, once the platform has begun to return it."""
        return self.unionids.get(open_platform_id) if moment >= self.unionid_from else None


class Population:
    """Makes the people of a cell from the brand's settings alone."""

    def __init__(self, brand: Brand) -> None:
        self._brand = brand
        self._clock = brand.clock
        self._dirt = brand.config.dirt

    def people(self, cell: int) -> list[Person]:
        """The cell's people, in order of their number."""
        rng = stream(self._brand.config.seed, "people", cell)
        numbers = iter(self._brand.config.people_of(cell))
        households = list(self._households(rng, numbers))
        people = [person for household in households for person in household]
        self._share_phones(rng, households, len(people))
        self._change_phones(rng, people)
        self._reissue_phones(rng, people)
        self._refer(rng, people)
        return people

    def _households(self, rng: Random, numbers: Iterator[int]) -> Iterator[list[Person]]:
        for first in numbers:
            surname, place = pick(rng, SURNAMES), pick(rng, PLACES)
            size = HOUSEHOLDS.draw(rng)
            members = [first, *islice(numbers, size - 1)]
            yield [self._person(rng, number, surname, place) for number in members]

    def _person(self, rng: Random, index: int, surname: str, place: Place) -> Person:
        clock = self._clock
        known_before = rng.random() < 0.5
        since = clock.start if known_before else between(rng, clock.start, clock.end - 1)
        until = min(clock.end, since + max(1, int(rng.expovariate(1 / (60 * DAY)))))
        person = Person(
            index=index,
            name=full_name(rng, surname),
            nickname=nickname(rng),
            gender=1 + int(rng.random() * 2),
            place=place,
            phones=[PhonePeriod(self._brand.ids.mobile_of(index, 0), clock.start - 1000 * DAY)],
            since=since,
            until=until,
            weight=rng.gammavariate(0.8, 1.25),
        )
        self._accounts(rng, person)
        return person

    def _accounts(self, rng: Random, person: Person) -> None:
        if rng.random() < 0.004:
            person.phones[0].number = f"+8529{int(rng.random() * 10**7):07d}"
        person.apps = tuple(app for app, share in enumerate((0.45, 0.15)) if rng.random() < share)
        person.corps = tuple(corp for corp, share in enumerate((0.28, 0.10)) if rng.random() < share)
        person.douyin = rng.random() < 0.55
        person.tmall = rng.random() < 0.50
        person.douyin_app = rng.random() < 0.10
        member = rng.random() < (0.75 if person.apps else 0.25)
        if not (person.apps or person.corps or person.douyin or person.tmall or member):
            person.douyin = True
        if person.foreign:
            person.douyin = person.tmall = person.douyin_app = False
            person.apps = person.apps or (0,)
        self._wechat_ids(person)
        if member:
            self._enrol(rng, person)
        person.tmall_member = person.tmall and member and rng.random() < 0.6
        late = rng.random() < self._dirt.late_unionid
        person.unionid_from = person.since + int((2 + rng.random() * 20) * DAY) if late else 0

    def _wechat_ids(self, person: Person) -> None:
        ids = self._brand.ids
        for app in person.apps:
            program = MINI_PROGRAMS[app]
            person.openids[app] = ids.openid(program.app_id, person.index)
            stamp = person.since * 1000 + person.index % 1000
            person.devices[app] = f"{stamp}-{1_000_000 + person.index % 9_000_000}-{app}{person.index:x}-example"
        for program in MINI_PROGRAMS:
            person.unionids[program.open_platform_id] = ids.unionid(program.open_platform_id, person.index)

    def _enrol(self, rng: Random, person: Person) -> None:
        clock = self._clock
        person.member_id = f"K{person.index + 1:08d}"
        before = person.since == clock.start and rng.random() < 0.7
        low, high = (clock.start - 250 * DAY, clock.start) if before else (person.since, person.until)
        person.member_since = between(rng, low, max(high, low + 1))

    def _share_phones(self, rng: Random, households: list[list[Person]], count: int) -> None:
        families = [home for home in households if len(home) > 1 and not (home[0].foreign or home[1].foreign)]
        rng.shuffle(families)
        for owner, other, *_ in families[: whole(rng, count * self._dirt.shared_phones / 2)]:
            other.phones = [PhonePeriod(owner.phones[0].number, owner.phones[0].since, shared=True)]
            owner.phones[0].shared = True

    def _change_phones(self, rng: Random, people: list[Person]) -> None:
        clock = self._clock
        for person in people:
            if rng.random() < self._dirt.changed_phones and _plain(person):
                moment = between(rng, clock.start, clock.end)
                person.phones[0].until = moment
                person.phones.append(PhonePeriod(self._brand.ids.mobile_of(person.index, 1), moment))

    def _reissue_phones(self, rng: Random, people: list[Person]) -> None:
        """The former holder registered with the number long ago; the new one registers with it in the window."""
        clock = self._clock
        free = [person for person in people if _plain(person)]
        rng.shuffle(free)
        pairs = min(whole(rng, len(people) * self._dirt.reissued_phones), len(free) // 2)
        for former, holder in zip(free[:pairs], free[pairs : 2 * pairs], strict=True):
            number, left = former.phones[0].number, clock.start - 280 * DAY
            former.phones[0].until = left
            former.phones.append(PhonePeriod(self._brand.ids.mobile_of(former.index, 1), left))
            former.member_id = former.member_id or f"K{former.index + 1:08d}"
            former.member_since = clock.start - REISSUE_YEARS_AGO * DAY
            holder.phones = [PhonePeriod(number, clock.start - REISSUE_REST * DAY)]
            holder.member_id = holder.member_id or f"K{holder.index + 1:08d}"
            holder.member_since = between(rng, holder.since, max(holder.until, holder.since + 1))

    def _refer(self, rng: Random, people: list[Person]) -> None:
        users = [person for person in people if 0 in person.apps]
        for person in users:
            if rng.random() < 0.2:
                friend = pick(rng, users)
                if friend.since < person.since:
                    person.referrer = friend


def _plain(person: Person) -> bool:
    """True while nothing unusual has happened to the person's number yet."""
    return len(person.phones) == 1 and not person.phones[0].shared and not person.foreign
