"""What complete listings say by silence: relations that ended without a word, in whatever order everything arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from pipelines.jobs.s2_silver import _write_ended
from pipelines.jobs.snapshots import CHANGES, CONTACT_LISTINGS, FOLLOWS, QUARANTINE, relations_that_ended
from pipelines.sources import wecom_contacts
from pipelines.sources.base import Parsed
from pipelines.spec import Table
from pipelines.store.arrow import arrow_table
from pipelines.store.local import LocalLake
from tests.pipelines.published import complete
from tests.pipelines.sources.private_domain import RECEIVED_MS, read_one

CORP, GUIDE = "ww0000000000000001", "lisi"
Step = tuple[Table, dict[str, Any]]


def at(day: int, hour: int = 9) -> datetime:
    """An hour of a day in March in Asia/Shanghai."""
    return datetime(2025, 3, day, hour, tzinfo=UTC) - timedelta(hours=8)


def version(moment: datetime, rank: int = 0) -> str:
    return f"{int(moment.timestamp() * 1000):016d}|{rank:02d}|00|{'0' * 32}"


def seen(day: int, contact: str = "wmA", userid: str = GUIDE) -> Step:
    """The relation in a pull of the day."""
    return FOLLOWS, {
        "corp_id": CORP,
        "external_userid": contact,
        "userid": userid,
        "subject_key": 5,
        "status": "active",
        "added_at": at(1),
        "updated_at": at(day),
        "interval": at(day).date(),
        "version_key": version(at(day)),
    }


def ended(day: int, hour: int, status: str = "deleted_by_customer") -> Step:
    """A message that the relation ended."""
    table, row = seen(day)
    moment = at(day, hour)
    told = {"status": status, "ended_at": moment, "updated_at": moment, "version_key": version(moment, 2)}
    return table, row | told


def changed(day: int, change: str, **known: Any) -> Step:
    """A beginning or end that was told."""
    _, row = seen(day)
    told = {"change": change, "changed_at": row["updated_at"], **known}
    return CHANGES, {name: row[name] for name in ("corp_id", "external_userid", "userid", "interval")} | told | {
        "version_key": row["version_key"]
    }


def pulled(day: int, added: int, **known: Any) -> Step:
    """The relation in a pull of the day, with the day on which it was added and how."""
    table, row = seen(day)
    return table, row | {"added_at": at(added)} | known


def listed(day: int, hour: int = 9, userid: str = GUIDE) -> Step:
    """A complete listing of the guide's customers."""
    moment = at(day, hour)
    row = {"corp_id": CORP, "userid": userid, "listed_at": moment, "interval": at(day).date()}
    return CONTACT_LISTINGS, row | {"version_key": version(moment)}


def refused(day: int, status: str = "open") -> Step:
    """A record of the day's customers that could not be read."""
    row = {"quarantine_id": f"q{day}", "feed": "wecom_contacts", "interval": at(day).date(), "status": status}
    return QUARANTINE, row


def arrive(lake: LocalLake, *steps: Step, corps: Sequence[str] = (CORP,)) -> None:
    """The rows arrive and what follows from silence is drawn."""
    for table in (QUARANTINE, FOLLOWS, CHANGES, CONTACT_LISTINGS):
        rows = [complete(table, row) for of, row in steps if of is table]
        frame = pl.from_arrow(arrow_table(table, rows))
        assert isinstance(frame, pl.DataFrame)
        if table is QUARANTINE:
            lake.replace_keys(table, frame, frame.select(table.key))
        elif rows:
            lake.upsert_latest(table, frame)
    found = relations_that_ended(lake, corps)
    lake.replace_keys(FOLLOWS, found, found.select(FOLLOWS.key))
    assert relations_that_ended(lake, corps).height == 0


def relation(lake: LocalLake, contact: str = "wmA") -> tuple[str, datetime | None]:
    (row,) = lake.scan(FOLLOWS).filter(pl.col("external_userid") == contact).collect().to_dicts()
    return row["status"], row["ended_at"]


CASES: dict[str, tuple[list[Step], tuple[str, datetime | None]]] = {
    "not listed any more": ([seen(1), listed(1), listed(2), listed(3)], ("deleted", at(2))),
    "seen in the listing": ([seen(1), listed(1), seen(2), listed(2)], ("active", None)),
    "listed again later": ([seen(1), listed(2), seen(3), listed(3)], ("active", None)),
    "gone, back, gone": ([seen(1), listed(2), seen(3), listed(4)], ("deleted", at(4))),
    "its end was told": ([seen(1), ended(1, 20), listed(2)], ("deleted_by_customer", at(1, 20))),
    "its end was told late": ([seen(1), listed(2), ended(2, 12)], ("deleted_by_customer", at(2, 12))),
    "handed over": ([seen(1), ended(1, 20, "transferred"), listed(2)], ("transferred", at(1, 20))),
    "another guide's listing": ([seen(1), listed(2, userid="wang")], ("active", None)),
    "listed twice on the day it was seen": ([seen(1), listed(1), listed(1, 15)], ("active", None)),
    "the day's customers were not all read": ([seen(1), listed(2), refused(2)], ("active", None)),
    "what was refused came in again": ([seen(1), listed(2), refused(2, "replayed")], ("deleted", at(2))),
    "another day's customers were not all read": ([seen(1), listed(2), refused(1)], ("deleted", at(2))),
    "deleted, and still in the guide's list": (
        [seen(1), changed(1, "began"), changed(2, "deleted_by_customer"), seen(3)],
        ("deleted_by_customer", at(2)),
    ),
    "deleted, in the guide's list, then not": (
        [seen(1), changed(2, "deleted_by_customer"), seen(3), listed(4)],
        ("deleted_by_customer", at(2)),
    ),
    "deleted and added again": (
        [pulled(1, 1), changed(1, "began"), changed(2, "deleted_by_staff"), changed(3, "began"), pulled(4, 3)],
        ("active", None),
    ),
    "added again, as a pull alone says": (
        [pulled(1, 1), changed(2, "deleted_by_staff"), pulled(4, 3)],
        ("active", None),
    ),
    "added again and not listed any more": (
        [pulled(1, 1), changed(2, "transferred"), changed(3, "began"), pulled(4, 3), listed(6)],
        ("deleted", at(6)),
    ),
    "an old listing that was loaded late": (
        [seen(3), (CONTACT_LISTINGS, listed(5)[1] | {"interval": at(2).date()})],
        ("active", None),
    ),
}


def later(value: Any, days: int) -> Any:
    """A value of a row so many days later: each case has days of its own, since a day's refusals hold for all corps."""
    if isinstance(value, date):
        return value + timedelta(days=days)
    if isinstance(value, str) and "|" in value:
        moment, _, rest = value.partition("|")
        return f"{int(moment) + days * 86_400_000:016d}|{rest}"
    return value


def step_of(number: int, step: Step) -> Step:
    """A step of the case of that number: in a corp and on days of its own."""
    table, row = step
    moved = {name: later(value, 10 * number) for name, value in row.items()}
    return table, moved | ({"quarantine_id": f"q{number}"} if table is QUARANTINE else {"corp_id": f"ww{number:02d}"})


ORDERS: dict[str, Callable[[list[Step]], list[Step]]] = {
    "in order": lambda steps: steps,
    "in reverse": lambda steps: steps[::-1],
    "the first last": lambda steps: [*steps[1:], steps[0]],
}


FAST = "in order"
played = pytest.mark.parametrize(
    "order", [name if name == FAST else pytest.param(name, marks=pytest.mark.e2e) for name in ORDERS]
)


@played
def test_a_relation_ends_at_the_first_complete_listing_without_it(tmp_path: Path, order: str) -> None:
    lake = LocalLake(tmp_path)
    corps = [f"ww{number:02d}" for number in range(len(CASES))]
    played = [ORDERS[order](steps) for steps, _ in CASES.values()]
    for place in range(max(map(len, played))):
        told = [step_of(number, steps[place]) for number, steps in enumerate(played) if place < len(steps)]
        arrive(lake, *told, corps=corps)
    found = {row["corp_id"]: (row["status"], row["ended_at"]) for row in lake.scan(FOLLOWS).collect().to_dicts()}
    expected = [(status, later(ended, 10 * n)) for n, (_, (status, ended)) in enumerate(CASES.values())]
    assert {name: found[corp] for corp, name in zip(corps, CASES, strict=True)} == dict(
        zip(CASES, expected, strict=True)
    )


@played
def test_how_a_relation_came_about_is_said_by_its_last_beginning_alone(tmp_path: Path, order: str) -> None:
    lake = LocalLake(tmp_path)
    first = {"state": "store", "add_way": "1", "oper_userid": "wmA"}
    again = {"state": None, "add_way": "2", "oper_userid": GUIDE}
    steps = [
        pulled(1, 1, **first),
        changed(1, "began", **first),
        changed(2, "deleted_by_customer"),
        changed(3, "began", **again),
        pulled(4, 3, **again),
    ]
    for step in ORDERS[order](steps):
        arrive(lake, step)
    (row,) = lake.scan(FOLLOWS).collect().to_dicts()
    assert ({name: row[name] for name in again}, row["filled_from"]) == (again, None)


def test_an_inferred_end_keeps_what_was_known_of_the_relation(tmp_path: Path) -> None:
    lake = LocalLake(tmp_path)
    for step in (seen(1), listed(2)):
        arrive(lake, step)
    (row,) = lake.scan(FOLLOWS).collect().to_dicts()
    assert (row["added_at"], row["updated_at"]) == (at(1), at(2))


def test_a_run_that_brings_a_listing_ends_the_relations_and_looks_at_their_customers(tmp_path: Path) -> None:
    lake, state = LocalLake(tmp_path), SimpleNamespace(touched=[])
    for step in (seen(1), seen(1, "wmB", "wang")):
        arrive(lake, step)
    table, row = listed(2)
    staged = pl.from_arrow(arrow_table(table, [complete(table, row)]))
    assert isinstance(staged, pl.DataFrame)
    lake.upsert_latest(table, staged)
    context: Any = SimpleNamespace(lake=SimpleNamespace(local=lake, exists=lake.exists), state=state)
    (written,) = _write_ended(context, {table.full_name: staged})
    assert (written.inserted, written.updated, written.deleted) == (0, 1, 0)
    assert relation(lake) == ("deleted", at(2))
    assert [frame.to_dicts() for frame in state.touched] == [[{"identifier_key": 5}]]
    assert _write_ended(context, {"silver.orders": staged}) == []


def parsed_list(**params: Any) -> Parsed:
    answer = {"errcode": 0, "errmsg": "ok", "follow_user": ["lisi", "wang", "lisi"]}
    return read_one(wecom_contacts.PARSERS[0], answer, params=params)


def test_a_list_of_guides_that_was_landed_with_all_their_customers_is_a_listing_of_each() -> None:
    rows = [row for table, row in parsed_list(complete=True).rows if table == "silver.contact_listings"]
    assert [(row["userid"], row["listed_at"]) for row in rows] == [("lisi", RECEIVED_MS), ("wang", RECEIVED_MS)]


def test_a_list_of_guides_alone_is_no_listing() -> None:
    assert parsed_list().rows == []
