"""The world, cell by cell: facts only, made again at will, before anything is written in a platform's words."""

from dataclasses import dataclass

from pipelines.simulate.brand import Brand
from pipelines.simulate.chance import stream
from pipelines.simulate.claims import Claim, Claiming
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.loyalty import Binding, Consent, Loyalty, PointMove
from pipelines.simulate.orders import Order
from pipelines.simulate.people import Person, Population
from pipelines.simulate.relations import Contact, Group, Relating
from pipelines.simulate.shopping import Shopping
from pipelines.simulate.visits import Visit, Visiting


@dataclass(slots=True)
class Cell:
    """Everything that happens among the people of one cell."""

    number: int
    people: list[Person]
    orders: list[Order]
    visits: list[Visit]
    contacts: list[Contact]
    groups: list[Group]
    claims: list[Claim]
    bindings: list[Binding]
    points: list[PointMove]
    consents: list[Consent]


class World:
    """A seeded world; `cell(n)` is a pure function of the settings and n."""

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.brand = Brand(config)
        self._population = Population(self.brand)

    def cell(self, number: int) -> Cell:
        """The facts of one cell."""
        brand, seed = self.brand, self.config.seed
        people = self._population.people(number)
        shopping = Shopping(brand, number, stream(seed, "shopping", number), people)
        visiting = Visiting(brand, stream(seed, "visiting", number), people)
        relating = Relating(brand, number, stream(seed, "relating", number), people)
        claiming = Claiming(brand, number, stream(seed, "claiming", number), people)
        loyalty = Loyalty(brand, number, stream(seed, "loyalty", number), people)
        orders = [order for person in people for order in shopping.orders_of(person)]
        contacts = relating.contacts()
        return Cell(
            number=number,
            people=people,
            orders=orders,
            visits=[visit for person in people for visit in visiting.visits_of(person)],
            contacts=contacts,
            groups=relating.groups(contacts),
            claims=claiming.claims(orders),
            bindings=loyalty.bindings(),
            points=loyalty.points(orders),
            consents=loyalty.consents(),
        )
