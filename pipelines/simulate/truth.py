"""What is true of the world, written beside it: who is who, what can be known, and the books.

Nothing here is read back from serialised records: evidence is noted when a fact is told, money when it moves.
"""

from collections import defaultdict
from typing import Any

from pipelines.simulate.brand import DOUYIN_SHOPS, MALL_SHOP_ID, TMALL_SHOPS
from pipelines.simulate.clock import Clock
from pipelines.simulate.files import Appender
from pipelines.simulate.orders import Order
from pipelines.simulate.people import Person

Node = tuple[str, str, str]
Money = list[int]

IDENTIFIERS, GROUPS, BOOKS, REFERRALS = "identifiers", "reachable_pairs", "books", "referrals"


def phone_node(number: str) -> Node:
    """The identifier of a number; phones have no scope."""
    return ("phone", "", number)


class Evidence:
    """The identifiers of one person that some record showed, and which of them allowed evidence joins."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}
        self._ambiguous: set[Node] = set()

    def see(self, node: Node) -> None:
        """The identifier was shown, alone."""
        self._parent.setdefault(node, node)

    def link(self, *nodes: Node) -> None:
        """One record of allowed evidence held all of them."""
        first = nodes[0]
        self.see(first)
        for other in nodes[1:]:
            self.see(other)
            self._parent[self._root(other)] = self._root(first)

    def link_phone(self, node: Node, number: str, *, shared: bool) -> None:
        """Like `link`, but a number that two people verify joins nothing: it may be either's."""
        if shared:
            self.see(node)
            self.see(phone_node(number))
            self._ambiguous.add(phone_node(number))
        else:
            self.link(node, phone_node(number))

    def _root(self, node: Node) -> Node:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    @property
    def nodes(self) -> list[Node]:
        """Everything shown, in order of showing."""
        return list(self._parent)

    def groups(self) -> list[list[Node]]:
        """The identifiers by what joins them, ambiguous numbers left out; pairs inside a group are reachable."""
        groups: defaultdict[Node, list[Node]] = defaultdict(list)
        for node in self._parent:
            if node not in self._ambiguous:
                groups[self._root(node)].append(node)
        return list(groups.values())

    @property
    def ambiguous(self) -> list[Node]:
        """Numbers that belong to more than this person at the time."""
        return [node for node in self._parent if node in self._ambiguous]


class Truth:
    """Writes the truth of one cell after another."""

    def __init__(self, clock: Clock, files: Appender, part: str) -> None:
        self._clock = clock
        self._files = files
        self._part = part
        self._evidence: dict[int, Evidence] = {}
        self._outsiders: dict[str, int] = {}
        self.totals: dict[str, Money] = {}
        self.people = 0
        self.identifiers = 0
        self.groups = 0

    def of(self, person: Person) -> Evidence:
        """The person's evidence so far."""
        evidence = self._evidence.get(person.index)
        if evidence is None:
            evidence = self._evidence[person.index] = Evidence()
        return evidence

    def see_outsider(self, number: str, moment: int) -> None:
        """A number of somebody who is no customer was shown."""
        self._outsiders.setdefault(number, moment)

    def add_staff_phone(self, number: str) -> None:
        """A number of an assistant who orders for customers; shown on many people's orders."""
        self._write_identifier(phone_node(number), f"s{number}", {})

    def close_cell(self, people: list[Person], orders: list[Order]) -> None:
        """The cell's truth and books are written, its memory is free."""
        for person in people:
            self._write_person(person)
        for number in self._outsiders:
            self._write_identifier(phone_node(number), f"x{number}", {})
        self._write_books(orders)
        self._evidence.clear()
        self._outsiders.clear()

    def _write(self, table: str, row: dict[str, Any]) -> None:
        self._files.append_json(f"truth/{self._part}/{table}.jsonl", row)

    def _write_person(self, person: Person) -> None:
        evidence = self.of(person)
        self.people += 1
        periods = {period.number: period for period in person.phones}
        for node in evidence.nodes:
            held: dict[str, Any] = {}
            if node[0] == "phone" and node[2] in periods:
                period = periods[node[2]]
                until = self._clock.date_of(period.until) if period.until else None
                held = {"from": self._clock.date_of(period.since), "to": until, "shared": period.shared}
            self._write_identifier(node, person.key, held)
        for number, group in enumerate(evidence.groups()):
            self.groups += 1
            row = {"person": person.key, "group": number, "identifiers": group, "ambiguous": evidence.ambiguous}
            self._write(GROUPS, row)
        if person.referrer is not None:
            self._write(REFERRALS, {"person": person.key, "referrer": person.referrer.key})

    def _write_identifier(self, node: Node, person: str, held: dict[str, Any]) -> None:
        self.identifiers += 1
        row = {"namespace": node[0], "scope": node[1], "value": node[2], "person": person, **held}
        self._write(IDENTIFIERS, row)

    def _write_books(self, orders: list[Order]) -> None:
        for (platform, shop, day, person), money in sorted(book(orders, self._clock).items()):
            count, paid, refunded, deposit = money
            row = {"platform": platform, "shop": shop, "day": day, "person": person, "orders": count}
            self._write(BOOKS, row | {"paid_fen": paid, "refunded_fen": refunded, "deposit_fen": deposit})
            total = self.totals.setdefault(platform, [0, 0, 0, 0])
            self.totals[platform] = [a + b for a, b in zip(total, money, strict=True)]


def book(orders: list[Order], clock: Clock) -> dict[tuple[str, str, str, str], Money]:
    """Orders, paid, refunded and deposited fen by platform, shop, business day and person.

    Gross falls on the business day of the payment, a refund on the day its money went back, a deposit whose final
    payment has not come by the end of the window on the day it was paid; what happens later is not in the books.
    """
    rows: defaultdict[tuple[str, str, str, str], Money] = defaultdict(lambda: [0, 0, 0, 0])
    for order in orders:
        place, person = (order.platform, shop_key(order)), order.buyer.key
        paid = 0 < order.paid < clock.end
        if paid:
            row = rows[*place, clock.date_of(order.paid), person]
            row[0] += 1
            row[1] += order.pay_fen
        elif 0 < order.deposit_paid < clock.end:
            rows[*place, clock.date_of(order.deposit_paid), person][3] += order.deposit_fen
        for refund in order.refunds:
            if 0 < refund.success_at < clock.end:
                rows[*place, clock.date_of(refund.success_at), person][2] += refund.amount_fen
    return dict(rows)


def shop_key(order: Order) -> str:
    """The shop's name in the books: shop id on Douyin, seller nick on Tmall, till or mall otherwise."""
    if order.platform == "douyin":
        return str(DOUYIN_SHOPS[order.shop].shop_id)
    if order.platform == "tmall":
        return TMALL_SHOPS[order.shop].seller_nick
    return MALL_SHOP_ID if order.platform == "mall" else f"pos-{order.shop:04d}"
