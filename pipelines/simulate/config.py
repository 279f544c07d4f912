"""Settings of a simulated world: its size, its window and how dirty its life is."""

from dataclasses import dataclass, fields
from datetime import date

from pipelines.simulate.errors import SimulationRefusedError

CELL_SIZE = 500  # people who can meet each other; the unit that is made, written and forgotten at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirt:
    """Shares (0 to 1) of the faults of real life; the comment names what the share is taken of."""

    shared_phones: float = 0.02  # people whose number another member of the household verifies too
    changed_phones: float = 0.03  # people who take a new number inside the window
    reissued_phones: float = 0.01  # people who hold a number that was somebody else's before
    staff_phones: float = 0.01  # platform orders with a shop assistant's number as the receiver's
    gifts: float = 0.05  # platform orders sent to somebody else
    virtual_numbers: float = 0.30  # decrypted receiver numbers that are privacy numbers with an extension
    wrong_claims: float = 0.03  # order claims that name another person's order
    rival_claims: float = 0.005  # order claims whose order a second person claims too
    late_unionid: float = 0.20  # people whose first answers carry no unionid
    lost_messages: float = 0.03  # ended friendships and stays in groups of whose end no message came
    placeholders: float = 0.01  # people with one record holding a placeholder instead of an identifier
    wrong_clocks: float = 0.003  # mini-program visits from a device whose clock is wrong
    out_of_order: float = 0.05  # order versions that arrive after a later one
    same_second: float = 0.01  # order versions that share their update time with the version before
    duplicates: float = 0.03  # records delivered twice
    broken: float = 0.002  # records of which a broken copy is delivered too
    error_answers: float = 0.001  # pages before which the platform answered with an error

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 <= value <= 1.0:
                raise SimulationRefusedError(f"dirt.{field.name}", value, "0 to 1")

    @classmethod
    def default(cls) -> "Dirt":
        """The rates of an ordinary brand."""
        return cls()

    @classmethod
    def none(cls) -> "Dirt":
        """A clean world: every rate zero."""
        return cls(**{field.name: 0.0 for field in fields(cls)})

    def scaled(self, factor: float) -> "Dirt":
        """Every rate times the factor, at most 1."""
        return Dirt(**{field.name: min(1.0, getattr(self, field.name) * factor) for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """One world: equal settings give equal bytes.

    `start` is the first business date (Asia/Shanghai) of the window of `days` days; `shards` is the number of
    files each feed and day is written to, each by a process of its own, and so part of the world's identity.
    """

    people: int = 20_000
    days: int = 90
    start: str = "2025-01-01"
    seed: int = 7
    dirt: Dirt = Dirt()
    avg_orders_per_person: float = 5.0
    avg_events_per_person: float = 20.0
    shards: int = 2
    page_size: int = 80

    def __post_init__(self) -> None:
        _require_between("people", self.people, 1, 50_000_000)
        _require_between("days", self.days, 1, 3_660)
        _require_between("shards", self.shards, 1, 64)
        _require_between("page_size", self.page_size, 1, 100)
        _require_between("avg_orders_per_person", self.avg_orders_per_person, 0, 1_000)
        _require_between("avg_events_per_person", self.avg_events_per_person, 0, 10_000)
        _require_between("seed", self.seed, 0, 2**63 - 1)
        try:
            date.fromisoformat(self.start)
        except ValueError:
            raise SimulationRefusedError("start", self.start, "a date written YYYY-MM-DD") from None

    @property
    def cells(self) -> int:
        """The number of cells the people are dealt into."""
        return -(-self.people // CELL_SIZE)

    def people_of(self, cell: int) -> range:
        """The person numbers living in the cell."""
        first = cell * CELL_SIZE
        return range(first, min(first + CELL_SIZE, self.people))


def _require_between(setting: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SimulationRefusedError(setting, value, f"{low} to {high}")
