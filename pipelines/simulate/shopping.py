"""How people buy: when, where, what and for whom, and what they send back. The rates are those of daily trade."""

from random import Random

from pipelines.simulate.brand import DOUYIN_SHOPS, TMALL_SHOPS, Brand
from pipelines.simulate.chance import Weighted, between, pick, poisson
from pipelines.simulate.clock import BUSY_HOURS, DAY, HOUR
from pipelines.simulate.ids import long_id
from pipelines.simulate.names import full_name
from pipelines.simulate.orders import Line, Order, Promotions, Receiver, Refund, RefundKind, Stage
from pipelines.simulate.people import Person

LINES: Weighted[int] = Weighted([(1, 0.70), (2, 0.20), (3, 0.08), (4, 0.02)])
DOUYIN_SHOP: Weighted[int] = Weighted([(0, 0.5), (1, 0.3), (2, 0.2)])
TMALL_SHOP: Weighted[int] = Weighted([(0, 0.65), (1, 0.35)])
PROMOTION_DAY = 18  # of every month
NUMBERS_PER_CELL = 1_000_000


class Shopping:
    """Makes the orders of one cell; the world's randomness comes from the cell's own stream."""

    def __init__(self, brand: Brand, cell: int, rng: Random, people: list[Person]) -> None:
        self._brand = brand
        self._clock = brand.clock
        self._dirt = brand.config.dirt
        self._rng = rng
        self._people = people
        self._next = cell * NUMBERS_PER_CELL
        total = sum(person.weight for person in people if _platforms(person)) or 1.0
        self._mean_per_weight = brand.config.avg_orders_per_person * len(people) / total

    def orders_of(self, person: Person) -> list[Order]:
        """The person's orders inside the window, in order of time."""
        platforms = _platforms(person)
        if not platforms:
            return []
        count = poisson(self._rng, person.weight * self._mean_per_weight)
        moments = sorted(self._moment(person) for _ in range(count))
        return [self._order(person, pick(self._rng, platforms), moment) for moment in moments]

    def _moment(self, person: Person) -> int:
        rng, clock = self._rng, self._clock
        day = clock.day_of(between(rng, person.since, person.until))
        if rng.random() < 0.1:
            day = self._promotion_day(day)
        moment = clock.midnight(day) + BUSY_HOURS.draw(rng) * HOUR + int(rng.random() * HOUR)
        return min(max(moment, person.since), clock.end - 1)

    def _promotion_day(self, day: int) -> int:
        month = self._clock.dates[day][:8]
        date = f"{month}{PROMOTION_DAY}"
        return self._clock.dates.index(date) if date in self._clock.dates else day

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _order(self, person: Person, platform: str, moment: int) -> Order:
        lines, promotions = self._basket(platform)
        freight = 0 if platform in ("mall", "pos") or self._rng.random() < 0.8 else pick(self._rng, (600, 800, 1000))
        order = Order(
            platform=platform,
            number=self._order_number(platform),
            shop=self._shop(platform),
            buyer=person,
            receiver=self._receiver(person, platform, moment),
            lines=lines,
            promotions=promotions,
            freight_fen=freight,
            created=moment,
            channel=int(self._rng.random() * 1000),
        )
        if platform == "pos":
            order.paid = order.shipped = order.finished = moment
        else:
            self._pay(order)
        if order.paid or order.cash_on_delivery:
            self._fulfil(order)
        return order

    def _order_number(self, platform: str) -> int:
        number = self._number()
        if platform == "douyin":
            return long_id("douyin_order", number)
        return long_id("tmall_trade", number) if platform == "tmall" else number

    def _shop(self, platform: str) -> int:
        if platform == "douyin":
            return DOUYIN_SHOP.draw(self._rng) % len(DOUYIN_SHOPS)
        return TMALL_SHOP.draw(self._rng) % len(TMALL_SHOPS) if platform == "tmall" else 0

    def _basket(self, platform: str) -> tuple[list[Line], Promotions]:
        rng, taste = self._rng, self._brand.taste
        lines = []
        for _ in range(LINES.draw(rng)):
            product = taste.draw(rng)
            quantity = 1 if rng.random() < 0.85 else 2 + int(rng.random() * 2)
            total = product.price_fen * quantity
            lines.append(Line(product, quantity, total, total))
        goods = sum(line.sum_fen for line in lines)
        promotions = Promotions(shop_fen=int(goods * pick(rng, (0.0, 0.0, 0.05, 0.1, 0.15))))
        if platform in ("douyin", "tmall"):
            promotions.platform_fen = int(goods * pick(rng, (0.0, 0.0, 0.02, 0.03)))
        if platform == "douyin":
            promotions.talent_fen = int(goods * pick(rng, (0.0, 0.0, 0.0, 0.01)))
        spread_discount(lines, promotions.total_fen)
        if rng.random() < 0.06:
            lines.append(Line(taste.draw(rng), 1, 0, 0, gift=True))
        return lines, promotions

    def _receiver(self, person: Person, platform: str, moment: int) -> Receiver:
        rng, dirt = self._rng, self._dirt
        if platform in ("douyin", "tmall"):
            fate = rng.random()
            if fate < dirt.staff_phones:
                return Receiver("staff", person.name, pick(rng, self._brand.ordering_phones), None)
            if fate < dirt.staff_phones + dirt.gifts:
                return self._gift_receiver(person, moment)
        return Receiver("self", person.name, person.phone_at(moment).number, person)

    def _gift_receiver(self, person: Person, moment: int) -> Receiver:
        friend = pick(self._rng, self._people)
        if self._rng.random() < 0.4 and friend is not person and not friend.foreign:
            return Receiver("friend", friend.name, friend.phone_at(moment).number, friend)
        name = full_name(self._rng, person.name[0])
        return Receiver("outsider", name, self._brand.ids.mobile_of(person.index, 3), None)

    def _pay(self, order: Order) -> None:
        rng, fate = self._rng, self._rng.random()
        if order.platform == "tmall" and rng.random() < 0.005:
            order.cash_on_delivery = True
        elif order.platform in ("douyin", "tmall") and fate < 0.02:
            self._pay_in_two_steps(order)
        elif fate < 0.10:
            order.cancelled = order.created + 1800
        else:
            quick = rng.random() < 0.85
            order.paid = order.created + (between(rng, 5, 600) if quick else between(rng, 600, 1700))
            if order.platform == "douyin" and rng.random() < 0.1:
                order.risk_until = order.paid + between(rng, 60, 900)

    def _pay_in_two_steps(self, order: Order) -> None:
        order.deposit_fen = max(100, order.pay_fen // 10 // 100 * 100)
        order.deposit_paid = order.created + between(self._rng, 10, 300)
        # One in five deposits is forfeited: the final payment never comes.
        if self._rng.random() < 0.8:
            order.paid = order.deposit_paid + between(self._rng, 3 * DAY, 12 * DAY)

    def _fulfil(self, order: Order) -> None:
        rng, start = self._rng, order.paid or order.created
        if order.platform == "pos":
            self._return_later(order, 0.03)
        elif not order.cash_on_delivery and rng.random() < 0.03:
            self._refund_before_shipping(order, start)
        else:
            self._deliver(order, start)
            self._return_later(order, 0.09)

    def _deliver(self, order: Order, start: int) -> None:
        rng = self._rng
        order.shipped = start + between(rng, 4 * HOUR, 48 * HOUR)
        if len(order.lines) > 1 and rng.random() < 0.15 and order.platform in ("douyin", "tmall"):
            order.part_shipped, order.shipped = order.shipped, order.shipped + between(rng, 6 * HOUR, 30 * HOUR)
        arrived = order.shipped + between(rng, 2 * DAY, 5 * DAY)
        if order.cash_on_delivery:
            order.signed = order.paid = arrived
        order.finished = arrived + between(rng, HOUR, 7 * DAY)

    def _refund_before_shipping(self, order: Order, start: int) -> None:
        """Every paid line goes back; the freight goes back with the first. On Douyin every other order has one case."""
        applied = start + between(self._rng, 300, 12 * HOUR)
        for number, line in enumerate(order.lines):
            if not line.gift:
                post = order.freight_fen if number == 0 else 0
                steps = [(applied, Stage.APPLIED), (applied + between(self._rng, 600, 20 * HOUR), Stage.SUCCESS)]
                self._refund(order, number, RefundKind.BEFORE_SHIPPING, line.paid_fen + post, steps).post_fen = post
        if order.platform == "douyin" and order.number % 2 and order.refunds:
            whole, *others = order.refunds
            for other in others:
                whole.absorb(other)
            order.refunds = [whole]

    def _return_later(self, order: Order, share: float) -> None:
        rng = self._rng
        if rng.random() >= share:
            return
        number = int(rng.random() * len(order.lines))
        line = order.lines[number]
        if line.gift or not line.paid_fen:
            return
        after_receipt = order.platform == "pos" or rng.random() < 0.45
        begun = order.finished if after_receipt else order.shipped
        applied = begun + between(rng, HOUR, 36 * HOUR)
        kind = pick(rng, _AFTER_SALE_KINDS)
        amount = {RefundKind.PRICE_PROTECTION: max(1, line.paid_fen // 10)}.get(kind, line.paid_fen)
        if kind in (RefundKind.EXCHANGE, RefundKind.RESEND):
            amount = 0
        if order.platform in ("mall", "pos"):
            kind, amount = RefundKind.RETURN, line.paid_fen
        refund = self._refund(order, number, kind, amount, self._steps(kind, applied))
        if not after_receipt and refund.success_at and kind in (RefundKind.RETURN, RefundKind.MONEY_ONLY):
            order.finished = max(order.finished, refund.success_at + between(rng, HOUR, DAY))

    def _refund(self, order: Order, line: int, kind: RefundKind, amount: int, steps: list[tuple[int, Stage]]) -> Refund:
        refund = Refund(long_id("douyin_aftersale", self._number()), line, kind, amount, 0, steps)
        order.refunds.append(refund)
        return refund

    def _steps(self, kind: RefundKind, applied: int) -> list[tuple[int, Stage]]:
        rng = self._rng
        answered = applied + between(rng, HOUR, 24 * HOUR)
        fate = rng.random()
        if fate < 0.08:
            last = Stage.FAILED if fate < 0.05 else Stage.REFUSED
            return [(applied, Stage.APPLIED), (answered, Stage.REFUSED), (answered + between(rng, DAY, 2 * DAY), last)]
        if fate < 0.15:
            return [(applied, Stage.APPLIED), (answered, Stage.WITHDRAWN)]
        if kind in (RefundKind.MONEY_ONLY, RefundKind.PRICE_PROTECTION):
            return [(applied, Stage.APPLIED), (answered, Stage.SUCCESS)]
        sent = answered + between(rng, 6 * HOUR, 3 * DAY)
        last = Stage.SUCCESS if kind is RefundKind.RETURN else Stage.EXCHANGED
        way = [(applied, Stage.APPLIED), (answered, Stage.AGREED), (sent, Stage.RETURNED)]
        return [*way, (sent + between(rng, 12 * HOUR, 4 * DAY), last)]


_AFTER_SALE_KINDS = (
    *(RefundKind.RETURN,) * 6,
    *(RefundKind.MONEY_ONLY,) * 3,
    RefundKind.EXCHANGE,
    RefundKind.PRICE_PROTECTION,
    RefundKind.RESEND,
)


def spread_discount(lines: list[Line], discount_fen: int) -> None:
    """Every line bears its share of the discount; the shares add up to it exactly, to the fen."""
    goods, left = sum(line.sum_fen for line in lines), discount_fen
    for line in lines[:-1]:
        share = discount_fen * line.sum_fen // goods if goods else 0
        line.paid_fen = line.sum_fen - share
        left -= share
    lines[-1].paid_fen = lines[-1].sum_fen - left


def _platforms(person: Person) -> list[str]:
    places = ["douyin", "douyin"] if person.douyin else []
    places += ["tmall", "tmall"] if person.tmall else []
    places += ["mall"] if 0 in person.apps else []
    places += ["pos"] if person.member_id else []
    return places
