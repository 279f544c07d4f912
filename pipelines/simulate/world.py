"""The world, cell by cell: facts only, made again at will, before anything is written in a platform's words."""

from dataclasses import dataclass

from pipelines.simulate.brand import Brand
from pipelines.simulate.chance import stream
from pipelines.simulate.config import SimulationConfig
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


class World:
    """A seeded world; `cell(n)` is a pure function of the settings and n."""

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.brand = Brand(config)
        self._population = Population(self.brand)

    def cell(self, number: int) -> Cell:
        """The facts of one cell."""
        seed = self.config.seed
        people = self._population.people(number)
        shopping = Shopping(self.brand, number, stream(seed, "shopping", number), people)
        visiting = Visiting(self.brand, stream(seed, "visiting", number), people)
        relating = Relating(self.brand, number, stream(seed, "relating", number), people)
        contacts = relating.contacts()
        return Cell(
            number=number,
            people=people,
            orders=[order for person in people for order in shopping.orders_of(person)],
            visits=[visit for person in people for visit in visiting.visits_of(person)],
            contacts=contacts,
            groups=relating.groups(contacts),
        )
