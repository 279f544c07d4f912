"""The simulated world as the platforms see it at a moment: every record in its latest visible state only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pipelines.simulate.brand import CORPS, DOUYIN_SHOPS, TMALL_SHOPS, Brand
from pipelines.simulate.chance import stream
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.orders import Order, Refund
from pipelines.simulate.relations import Contact, Group
from pipelines.simulate.world import World

LATE_EVERY = 7
"""Every so many-th order shows its updates late."""


@dataclass
class PlatformData:
    """`clock` gives epoch ms; `late_seconds` is how long the late orders hide what happened to them."""

    config: SimulationConfig
    clock: Callable[[], int]
    late_seconds: int = 0
    brand: Brand = field(init=False)
    contacts: list[Contact] = field(init=False, default_factory=list)
    groups: list[Group] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        world = World(self.config)
        self.brand = world.brand
        self._orders: dict[tuple[str, int], list[Order]] = {}
        self._visible: dict[tuple[str, int], tuple[int, list[tuple[int, Order]]]] = {}
        for number in range(self.config.cells):
            cell = world.cell(number)
            for order in cell.orders:
                self._orders.setdefault((order.platform, order.shop), []).append(order)
            self.contacts += cell.contacts
            self.groups += cell.groups

    @property
    def now(self) -> int:
        """Epoch seconds."""
        return self.clock() // 1000

    def orders(self, platform: str, shop: int) -> list[tuple[int, Order]]:
        """(moment of the last visible update, order) of all that is visible, by that moment."""
        seen = self._visible.get((platform, shop))
        if seen is None or seen[0] != self.now:
            found = []
            for order in self._orders.get((platform, shop), []):
                hidden = self.late_seconds if order.number % LATE_EVERY == 0 else 0
                moments = order.moments(self.now - hidden + 1)
                if moments:
                    found.append((moments[-1], order))
            seen = (self.now, sorted(found, key=lambda item: (item[0], item[1].number)))
            self._visible[platform, shop] = seen
        return list(seen[1])

    def order(self, platform: str, shop: int, number: str) -> tuple[int, Order] | None:
        """One order by its number."""
        return next((found for found in self.orders(platform, shop) if str(found[1].number) == number), None)

    def refunds(self, platform: str, shop: int) -> Iterator[tuple[int, Order, Refund]]:
        """(moment of the last step, order, case) of all begun, by that moment."""
        found = []
        for order in self._orders.get((platform, shop), []):
            for refund in order.refunds:
                steps = [moment for moment, _ in refund.steps if moment <= self.now]
                if steps:
                    found.append((steps[-1], order, refund))
        return iter(sorted(found, key=lambda item: (item[0], item[2].number)))


def secret_of(name: str) -> str:
    """The secret of a simulated account; anyone can know it."""
    return f"{stream(0, 'secret', name).getrandbits(128):032x}"


def shop_number(platform: str, shop_id: str) -> int | None:
    """The number of the shop with this id."""
    ids = [str(shop.shop_id) for shop in (DOUYIN_SHOPS if platform == "douyin" else TMALL_SHOPS)]
    return ids.index(shop_id) if shop_id in ids else None


def corp_number(corp_id: str) -> int | None:
    """The number of the corp."""
    ids = [corp.corp_id for corp in CORPS]
    return ids.index(corp_id) if corp_id in ids else None
