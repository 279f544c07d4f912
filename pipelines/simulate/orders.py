"""The life of an order as it really happened, before any platform writes it down.

Moments are epoch seconds, 0 means never; money is fen. What a platform would answer at some moment is a pure
function of the order and that moment (`phase_at`, `Refund.stage_at`), so any version can be played again.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import IntEnum

from pipelines.simulate.brand import Product
from pipelines.simulate.people import Person


class Phase(IntEnum):
    """Where an order stands."""

    CREATED = 0
    DEPOSIT = 1
    RISK = 2
    PAID = 3
    PART_SHIPPED = 4
    SHIPPED = 5
    SIGNED = 6
    FINISHED = 7
    CANCELLED = 8
    CLOSED = 9


class RefundKind(IntEnum):
    """What the buyer asks for; the numbers are the order platforms' common ones."""

    RETURN = 0
    MONEY_ONLY = 1
    BEFORE_SHIPPING = 2
    EXCHANGE = 3
    PRICE_PROTECTION = 6
    RESEND = 7


class Stage(IntEnum):
    """Where a refund stands."""

    APPLIED = 0
    AGREED = 1
    RETURNED = 2
    REFUSED = 3
    FAILED = 4
    WITHDRAWN = 5
    SUCCESS = 6
    EXCHANGED = 7


@dataclass(slots=True)
class Refund:
    """One after-sale case of one line; `amount_fen` contains `post_fen` and what goes back for the lines of `also`."""

    number: int
    line: int
    kind: RefundKind
    amount_fen: int
    post_fen: int
    steps: list[tuple[int, Stage]]
    also: dict[int, int] = field(default_factory=dict)

    @property
    def goods_fen(self) -> dict[int, int]:
        """What goes back for the goods of each line, freight left out."""
        return {self.line: self.amount_fen - self.post_fen - sum(self.also.values()), **self.also}

    def absorb(self, other: "Refund") -> None:
        """The other case is part of this one."""
        self.amount_fen += other.amount_fen
        self.also[other.line] = other.amount_fen - other.post_fen
        self.post_fen += other.post_fen

    def stage_at(self, moment: float) -> Stage | None:
        """The stage reached at the moment; None before the application."""
        reached = bisect_right(self.steps, moment, key=lambda step: step[0])
        return self.steps[reached - 1][1] if reached else None

    @property
    def applied_at(self) -> int:
        """When the buyer applied."""
        return self.steps[0][0]

    @property
    def success_at(self) -> int:
        """When money went back; 0 when it never did."""
        for moment, stage in self.steps:
            if stage is Stage.SUCCESS:
                return moment
        return 0


@dataclass(slots=True)
class Line:
    """One article of an order; `paid_fen` leaves freight out, gifts cost nothing."""

    product: Product
    quantity: int
    sum_fen: int
    paid_fen: int
    gift: bool = False

    @property
    def discount_fen(self) -> int:
        """What the buyer did not have to pay of the list price."""
        return self.sum_fen - self.paid_fen


@dataclass(slots=True)
class Promotions:
    """Who bears the discount, in fen."""

    shop_fen: int = 0
    platform_fen: int = 0
    talent_fen: int = 0

    @property
    def total_fen(self) -> int:
        """The whole discount."""
        return self.shop_fen + self.platform_fen + self.talent_fen


@dataclass(slots=True)
class Receiver:
    """Where the parcel goes: `kind` is self, friend, outsider or staff."""

    kind: str
    name: str
    phone: str
    person: Person | None


@dataclass(slots=True)
class Order:
    """One payment of one buyer; `shop` is the number of the platform's shop."""

    platform: str
    number: int
    shop: int
    buyer: Person
    receiver: Receiver
    lines: list[Line]
    promotions: Promotions
    freight_fen: int
    created: int
    paid: int = 0
    risk_until: int = 0
    deposit_fen: int = 0
    deposit_paid: int = 0
    part_shipped: int = 0
    shipped: int = 0
    signed: int = 0
    finished: int = 0
    cancelled: int = 0
    cash_on_delivery: bool = False
    refunds: list[Refund] = field(default_factory=list)
    channel: int = 0  # seed of the talent, room or video it came from

    @property
    def list_fen(self) -> int:
        """Price of the goods before discounts, freight left out."""
        return sum(line.sum_fen for line in self.lines)

    @property
    def pay_fen(self) -> int:
        """What the buyer pays, freight included."""
        return sum(line.paid_fen for line in self.lines) + self.freight_fen

    @property
    def closed_at(self) -> int:
        """When the last paid line had its money back; 0 while one of them has not."""
        closing = [
            next((refund.success_at for refund in self.refunds if number in refund.goods_fen and _full(refund)), 0)
            for number, line in enumerate(self.lines)
            if not line.gift
        ]
        return max(closing) if closing and all(closing) else 0

    def phase_at(self, moment: float) -> Phase:
        """Where the order stood at the moment."""
        if 0 < self.closed_at <= moment:
            return Phase.CLOSED
        if 0 < self.cancelled <= moment:
            return Phase.CANCELLED
        if 0 < self.finished <= moment:
            return Phase.FINISHED
        return self._open_phase(moment)

    def _open_phase(self, moment: float) -> Phase:
        if 0 < self.signed <= moment:
            return Phase.SIGNED
        if 0 < self.shipped <= moment:
            return Phase.SHIPPED
        if 0 < self.part_shipped <= moment:
            return Phase.PART_SHIPPED
        if self.cash_on_delivery or 0 < self.paid <= moment:
            return Phase.RISK if moment < self.risk_until else Phase.PAID
        if 0 < self.deposit_paid <= moment:
            return Phase.DEPOSIT
        return Phase.CREATED

    def line_phase_at(self, number: int, moment: float) -> Phase:
        """Where one line stood: its own refund closes it, a part shipment ships the first line only."""
        for refund in self.refunds:
            if number in refund.goods_fen and _full(refund) and 0 < refund.success_at <= moment:
                return Phase.CLOSED
        if 0 < self.part_shipped <= moment and not 0 < self.shipped <= moment:
            return Phase.SHIPPED if number == 0 else Phase.PAID
        return self.phase_at(moment)

    def moments(self, end: int) -> list[int]:
        """The moments before `end` at which something about the order changed, in order."""
        life = (self.deposit_paid, self.paid, self.risk_until, self.part_shipped, self.shipped, self.signed)
        closed = self.closed_at
        finished = 0 if 0 < closed <= self.finished else self.finished
        steps = (step[0] for refund in self.refunds for step in refund.steps)
        happened = {self.created, *life, finished, self.cancelled, *steps}
        return sorted(moment for moment in happened if 0 < moment < end)

    def refund_of(self, number: int, moment: float) -> Refund | None:
        """The latest after-sale case of a line that had begun at the moment."""
        begun = [refund for refund in self.refunds if number in refund.goods_fen and refund.applied_at <= moment]
        return begun[-1] if begun else None


def _full(refund: Refund) -> bool:
    return refund.kind in (RefundKind.RETURN, RefundKind.MONEY_ONLY, RefundKind.BEFORE_SHIPPING)
