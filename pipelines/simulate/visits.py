"""How people use the mini-programs: visits, the pages they see, log-ins, sign-ups and the number they give."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from pipelines.simulate.brand import Brand, Product
from pipelines.simulate.chance import Weighted, between, poisson
from pipelines.simulate.clock import BUSY_HOURS, DAY, HOUR
from pipelines.simulate.people import Person

EVENTS_PER_VISIT = 5
AHEAD_DAYS, RESET_DAYS = 400, 7300
"""How far wrong clocks are off: set to another year, or reset to the one the device was made for. A clock that is only
some days behind cannot be told from an event that was kept, and its time stands."""
SCENES: Weighted[str] = Weighted(
    [
        ("wx-1001", 20),
        ("wx-1005", 8),
        ("wx-1007", 12),
        ("wx-1008", 8),
        ("wx-1011", 6),
        ("wx-1035", 10),
        ("wx-1037", 5),
        ("wx-1047", 14),
        ("wx-1089", 12),
        ("wx-1107", 4),
        ("wx-1154", 1),
        ("未取到值", 1),
    ]
)
STEPS: Weighted[str] = Weighted(
    [
        ("$MPViewScreen", 62),
        ("$MPClick", 16),
        ("$MPPageLeave", 10),
        ("addToCart", 6),
        ("$MPShare", 4),
        ("$MPAddFavorites", 2),
    ]
)


class Step(NamedTuple):
    """One event of a visit, `after_ms` milliseconds after it began."""

    after_ms: int
    name: str
    product: Product | None


@dataclass(slots=True)
class Visit:
    """One visit to one mini-program; `clock_error_ms` is how far the device's clock is off."""

    person: Person
    app: int
    start: int
    nth: int
    scene: str
    steps: list[Step]
    clock_error_ms: int = 0
    logs_in: bool = False
    signs_up: bool = False
    gives_phone: bool = False
    binds_mobile: bool = False

    @property
    def first(self) -> bool:
        """True for the person's first visit to the program."""
        return self.nth == 0


class Visiting:
    """Makes the visits of one cell."""

    def __init__(self, brand: Brand, rng: Random, people: list[Person]) -> None:
        self._brand = brand
        self._clock = brand.clock
        self._rng = rng
        weights = sum(person.weight * len(person.apps) for person in people) or 1.0
        self._mean_per_weight = brand.config.avg_events_per_person * len(people) / weights

    def visits_of(self, person: Person) -> list[Visit]:
        """The person's visits inside the window, program by program, in order of time."""
        visits = []
        for app in person.apps:
            events = poisson(self._rng, person.weight * self._mean_per_weight)
            visits += self._visits(person, app, events)
        return visits

    def _visits(self, person: Person, app: int, events: int) -> list[Visit]:
        rng = self._rng
        count = max(1, round(events / EVENTS_PER_VISIT)) if events else 0
        moments = sorted(self._moment(person) for _ in range(count))
        sizes = [events // count + (nth < events % count) for nth in range(count)]
        visits = [self._visit(person, app, nth, moments[nth], sizes[nth]) for nth in range(count)]
        if visits:
            visits[0].logs_in = True
            visits[0].gives_phone = rng.random() < (0.85 if person.member_id else 0.5)
            self._sign_up(person, app, visits)
            self._give_new_phone(person, visits)
        return visits

    def _moment(self, person: Person) -> int:
        clock = self._clock
        day = clock.day_of(between(self._rng, person.since, person.until))
        moment = clock.midnight(day) + BUSY_HOURS.draw(self._rng) * HOUR + int(self._rng.random() * HOUR)
        return min(max(moment, person.since), clock.end - HOUR)

    def _visit(self, person: Person, app: int, nth: int, start: int, events: int) -> Visit:
        rng = self._rng
        steps, after = [Step(0, "$MPLaunch", None)], 0
        for _ in range(events - 2):
            after += 800 + int(rng.random() * 40_000)
            name = STEPS.draw(rng)
            product = self._brand.taste.draw(rng) if name != "$MPPageLeave" else None
            steps.append(Step(after, name, product))
        if events > 1:
            steps.append(Step(after + 500 + int(rng.random() * 20_000), "$MPHide", None))
        visit = Visit(person, app, start, nth, SCENES.draw(rng), steps, logs_in=rng.random() < 0.3)
        if rng.random() < self._brand.config.dirt.wrong_clocks:
            visit.clock_error_ms = (AHEAD_DAYS if rng.random() < 0.5 else -RESET_DAYS) * DAY * 1000
        return visit

    def _sign_up(self, person: Person, app: int, visits: list[Visit]) -> None:
        """The first visit as a member binds the log-in."""
        if app or person.login_id is None:
            return
        visit = next((visit for visit in visits if visit.start >= person.member_since), None)
        if visit is not None:
            visit.signs_up = True
            visit.binds_mobile = self._rng.random() < 0.15

    def _give_new_phone(self, person: Person, visits: list[Visit]) -> None:
        """Two in three who changed their number give the new one on a later visit."""
        changed = person.phones[-1].since
        if len(person.phones) > 1 and changed > self._clock.start and self._rng.random() < 0.67:
            visit = next((visit for visit in visits if visit.start >= changed), None)
            if visit is not None:
                visit.gives_phone = True
