"""Order claims: people type the number of a platform order into the mini-program, sometimes of an order not theirs."""

from dataclasses import dataclass
from random import Random

from pipelines.simulate.brand import Brand
from pipelines.simulate.chance import between, pick
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.orders import Order
from pipelines.simulate.people import Person

CLAIMING_SHARE = 0.25  # orders of people who have the main mini-program that they claim


@dataclass(slots=True)
class Claim:
    """One claim: `kind` is right, wrong or rival; `steps` are (epoch seconds, status); `rivals`: another claims too."""

    number: int
    kind: str
    claimant: Person
    order: Order
    phone: str
    steps: list[tuple[int, str]]
    rivals: bool = False

    @property
    def claimed_at(self) -> int:
        """When the number was typed."""
        return self.steps[0][0]

    @property
    def approved_at(self) -> int:
        """When the claim was approved; 0 when it never was."""
        return next((moment for moment, status in self.steps if status == "approved"), 0)


class Claiming:
    """Makes the claims of one cell from its orders."""

    def __init__(self, brand: Brand, cell: int, rng: Random, people: list[Person]) -> None:
        self._dirt = brand.config.dirt
        self._clock = brand.clock
        self._rng = rng
        self._people = [person for person in people if 0 in person.apps]
        self._next = cell * 1_000_000

    def claims(self, orders: list[Order]) -> list[Claim]:
        """All claims of the cell; a wrong one names an order whose mask contradicts the claimant's number."""
        claims: list[Claim] = []
        own = [order for order in orders if _claimable(order)]
        for order in own:
            if self._rng.random() >= CLAIMING_SHARE:
                continue
            claim = self._claim("right", order.buyer, order, order.receiver.phone)
            if self._rng.random() < self._dirt.wrong_claims:
                claim = self._wrong(claim, own) or claim
            claims.append(claim)
            if claim.kind == "right" and self._rng.random() < self._dirt.rival_claims:
                claims += self._rival(claim)
        return [claim for claim in claims if claim.claimed_at < self._clock.end]

    def _claim(self, kind: str, claimant: Person, order: Order, phone: str) -> Claim:
        rng = self._rng
        self._next += 1
        claimed = (order.paid or order.created) + between(rng, HOUR, 5 * DAY)
        steps = [(claimed, "pending")]
        answered = claimed + between(rng, HOUR, DAY)
        fate = rng.random()
        if kind == "right" and fate < 0.9:
            steps.append((answered, "approved"))
        elif kind == "wrong" and fate < 0.7:
            steps.append((answered, "rejected" if fate < 0.5 else "approved"))
        return Claim(self._next, kind, claimant, order, phone, steps)

    def _wrong(self, claim: Claim, own: list[Order]) -> Claim | None:
        other = pick(self._rng, own)
        phone = claim.claimant.phone_at(claim.claimed_at).number
        if other.buyer is claim.claimant or other.receiver.phone[-2:] == phone[-2:]:
            return None
        return self._claim("wrong", claim.claimant, other, phone)

    def _rival(self, claim: Claim) -> list[Claim]:
        """A second person claims the same order and keeps waiting: the order then proves nothing for either."""
        rival = pick(self._rng, self._people)
        if rival is claim.claimant:
            return []
        number = rival.phone_at(claim.claimed_at).number
        second = self._claim("rival", rival, claim.order, number)
        if second.claimed_at >= self._clock.end or claim.claimed_at >= self._clock.end:
            return []
        claim.rivals = second.rivals = True
        return [second]


def _claimable(order: Order) -> bool:
    mine = order.platform in ("douyin", "tmall") and order.receiver.kind == "self" and 0 in order.buyer.apps
    return mine and order.paid > 0
