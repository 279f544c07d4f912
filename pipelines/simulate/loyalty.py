"""Memberships on Tmall, points and consents: facts about members, in epoch seconds."""

from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from pipelines.simulate.brand import Brand
from pipelines.simulate.chance import between
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.orders import Order
from pipelines.simulate.people import Person


@dataclass(slots=True)
class Binding:
    """A Tmall membership in one shop; joins made in flight mode are told several times."""

    person: Person
    shop: int
    joined: int
    told: int
    flight: bool
    ended: int


class PointMove(NamedTuple):
    """Points that moved; `way` is ledger, tmc or mall, and `points` is signed."""

    number: int
    person: Person
    moment: int
    points: int
    reason: str
    way: str
    order: Order | None


class Consent(NamedTuple):
    """A consent given or withdrawn; `by` names the kind of identifier it was given with."""

    number: int
    person: Person
    moment: int
    purpose: str
    status: str
    by: str


class Loyalty:
    """Makes what one cell's people do as members."""

    def __init__(self, brand: Brand, cell: int, rng: Random, people: list[Person]) -> None:
        self._clock = brand.clock
        self._rng = rng
        self._people = people
        self._next = cell * 1_000_000

    def _number(self) -> int:
        self._next += 1
        return self._next

    def bindings(self) -> list[Binding]:
        """The Tmall memberships of the cell."""
        rng, clock, bindings = self._rng, self._clock, []
        for person in self._people:
            if not person.tmall_member:
                continue
            for shop in (0, 1) if rng.random() < 0.3 else (0,):
                before = person.since == clock.start and rng.random() < 0.5
                joined = between(rng, clock.start - 60 * DAY, clock.start) if before else self._within(person)
                ended = joined + between(rng, DAY, 80 * DAY) if rng.random() < 0.05 else 0
                flight = rng.random() < 0.2
                told = max(joined + (between(rng, 60, DAY) if flight else 5), clock.start + HOUR)
                bindings.append(Binding(person, shop, joined, told, flight, max(ended, told + 60) if ended else 0))
        return bindings

    def _within(self, person: Person) -> int:
        return between(self._rng, person.since, max(person.until, person.since + 1))

    def points(self, orders: list[Order]) -> list[PointMove]:
        """Points earned by finished orders, taken back by refunds, spent and expired."""
        moves = []
        for order in orders:
            person = order.buyer
            if person.member_id is None or not 0 < order.finished < self._clock.end:
                continue
            if order.platform == "tmall" and person.tmall_member:
                moves.append(self._move(person, order.finished + 60, order.pay_fen // 100, ("order", "tmc"), order))
            elif order.platform in ("mall", "pos"):
                way = "mall" if order.platform == "pos" and 0 in person.apps and self._rng.random() < 0.4 else "ledger"
                moves.append(self._move(person, order.finished + 60, order.pay_fen // 100, ("order", way), order))
                moves += self._taken_back(person, order, way)
        moves += self._spending([move for move in moves if move.points > 0])
        return [move for move in moves if move.moment < self._clock.end]

    def _move(self, person: Person, moment: int, points: int, why: tuple[str, str], order: Order | None) -> PointMove:
        reason, way = why
        return PointMove(self._number(), person, moment, points, reason, way, order)

    def _taken_back(self, person: Person, order: Order, way: str) -> list[PointMove]:
        return [
            self._move(person, refund.success_at + 60, -(refund.amount_fen // 100), ("refund", way), order)
            for refund in order.refunds
            if refund.success_at > order.finished
        ]

    def _spending(self, earned: list[PointMove]) -> list[PointMove]:
        rng, moves = self._rng, []
        for move in earned:
            fate, later = rng.random(), move.moment + between(rng, HOUR, 40 * DAY)
            if fate < 0.2:
                way = "tmc" if move.way == "tmc" else "ledger"
                moves.append(self._move(move.person, later, -(move.points // 2 + 1), ("gift_exchange", way), None))
            elif fate < 0.25 and move.way == "ledger":
                moves.append(self._move(move.person, later, -move.points, ("expired", "ledger"), None))
        return [move for move in moves if move.points]

    def consents(self) -> list[Consent]:
        """Consents of members and mini-program users; one in ten is withdrawn later."""
        rng, consents = self._rng, list[Consent]()
        for person in self._people:
            for purpose, share in (("marketing", 0.35), ("profiling", 0.2)):
                if (person.member_id is None and 0 not in person.apps) or rng.random() >= share:
                    continue
                by = "member_id" if person.member_id is not None and rng.random() < 0.7 else "wx_openid"
                by = by if 0 in person.apps or person.member_id is None else "member_id"
                moment = self._within(person)
                consents.append(Consent(self._number(), person, moment, purpose, "granted", by))
                if rng.random() < 0.1:
                    later = moment + between(rng, HOUR, 40 * DAY)
                    consents.append(Consent(self._number(), person, later, purpose, "withdrawn", by))
        return [consent for consent in consents if consent.moment < self._clock.end]
