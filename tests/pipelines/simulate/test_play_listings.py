"""Listings of all friends: whole, true of their moment, and enough to notice an end that no message told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.jobs.records import make_record, records_of_line
from pipelines.jobs.snapshots import CONTACT_LISTINGS, FOLLOWS, QUARANTINE, relations_that_ended
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.simulate.brand import CORPS, Brand
from pipelines.simulate.clock import Clock
from pipelines.simulate.play_listings import CONTACTS, GUIDES, listing_moments
from pipelines.simulate.play_relations import ENDS
from pipelines.simulate.relations import Contact
from pipelines.simulate.world import World
from pipelines.sources import FEED_PARSERS
from pipelines.sources.config import load_sources
from pipelines.store.arrow import arrow_table
from pipelines.store.local import LocalLake
from tests.pipelines.published import complete
from tests.pipelines.simulate.conftest import SimulatedWorld

CONF = Path(__file__).resolve().parents[3] / "conf"
TOLD = ("wecom_contacts", "wecom_events", "wecom_transfers")
Relation = tuple[str, str, str]


def config(days: int, lost: float) -> SimulationConfig:
    dirt = Dirt(**{**dict.fromkeys(Dirt.__dataclass_fields__, 0.0), "lost_messages": lost})
    quiet = {"avg_events_per_person": 0.0, "avg_orders_per_person": 0.0}
    return SimulationConfig(people=1_500, days=days, seed=13, dirt=dirt, **quiet)


def contacts(world: World) -> list[Contact]:
    return [contact for number in range(world.config.cells) for contact in world.cell(number).contacts]


def relation(contact: Contact, moment: int, brand: Brand) -> Relation:
    corp_id = CORPS[contact.corp].corp_id
    return corp_id, brand.ids.external_userid(corp_id, contact.person.index), contact.guide_at(moment).userid


def listed(lines: list[Any]) -> tuple[dict[tuple[str, str], set[Relation]], dict[tuple[str, str], set[str]]]:
    """By corp and arrival what the lists hold: the relations of the pages of that moment, and the guides."""
    pages: dict[tuple[str, str], set[Relation]] = {}
    guides: dict[tuple[str, str], set[str]] = {}
    for line in lines:
        corp = line.context["corp_id"]
        place = (corp, line.context["received_at"])
        if line.context["method"] == GUIDES:
            assert line.context["params"] == {"complete": True}
            guides[place] = set(line.payload["follow_user"])
        elif line.context["method"] == CONTACTS:
            for row in line.payload["external_contact_list"]:
                known = (corp, row["external_contact"]["external_userid"], row["follow_info"]["userid"])
                pages.setdefault(place, set()).add(known)
    return pages, guides


@pytest.mark.parametrize(
    ("days", "expected"), [(1, []), (13, []), (14, [13]), (41, [13]), (42, [13, 41]), (91, [13, 41, 69])]
)
def test_everybody_is_listed_after_two_weeks_and_every_four(days: int, expected: list[int]) -> None:
    clock = Clock("2025-01-01", days)
    assert listing_moments(clock) == [clock.midnight(day + 1) - 1 for day in expected]


def test_a_listing_holds_every_friend_of_every_guide_who_is_there(tmp_path: Path) -> None:
    settings = config(20, 0.0)
    written = SimulatedWorld(settings, tmp_path, simulate(settings, tmp_path))
    world = World(settings)
    brand, (moment,) = world.brand, listing_moments(world.brand.clock)
    pages, guides = listed(written.lines("wecom_contacts"))
    standing = [one for one in contacts(world) if one.stands_at(moment)]
    leavers = 0
    for number, corp in enumerate(CORPS):
        place = (corp.corp_id, brand.clock.rfc3339(moment))
        there = {guide.userid for guide in brand.guides if guide.corp == number and brand.is_there(guide, moment)}
        mine = [relation(one, moment, brand) for one in standing if one.corp == number]
        assert guides[place] == there
        assert pages[place] == {one for one in mine if one[2] in there} != set()
        leavers += sum(guide.corp == number for guide in brand.guides) - len(there)
    assert len(guides) == len(CORPS)
    assert leavers > 0


def test_a_listing_has_no_copies_and_nothing_broken(world: Any) -> None:
    (moment,) = listing_moments(world_clock := Clock(world.config.start, world.config.days))
    at = world_clock.rfc3339(moment)
    faults = Counter(fault["record"] for fault in world.truth("faults") if fault["feed"] == "wecom_contacts")
    lists = [line for line in world.lines("wecom_contacts") if line.context.get("method") == GUIDES]
    assert [line.context["received_at"] for line in lists] == [at] * len(CORPS)
    assert not any(GUIDES in record for record in faults)


def test_messages_of_ends_are_lost_in_their_share_and_listed(tmp_path: Path) -> None:
    simulate(config(20, 1.0), tmp_path)
    told = "".join(path.read_text() for path in (tmp_path / "landing" / "wecom_events").rglob("*.jsonl"))
    assert not any(end in told for end in ENDS)
    assert "add_member" in told
    faults = (tmp_path / "truth" / "faults.jsonl").read_text().splitlines()
    assert {line.split('"record":"')[1].split(":")[0] for line in faults if "lost_message" in line} == ENDS


def silver(folder: Path) -> LocalLake:
    """The relations and listings of a world's landing, as a run leaves them, before what silence says is drawn."""
    sources, rows = load_sources(CONF), {FOLLOWS: [], CONTACT_LISTINGS: []}  # type: ignore[var-annotated]  # rows
    names = {table.full_name: table for table in rows}
    for feed in TOLD:
        parser = FEED_PARSERS[feed]
        for path in sorted((folder / "landing" / feed).rglob("*.jsonl")):
            day = path.parent.name
            for number, line in enumerate(path.read_bytes().splitlines()):
                for raw in records_of_line(number, line, parser=parser, settings=sources[parser.source], interval=day):
                    parsed = parser.parse(make_record(raw, parser, sources[parser.source]))
                    for name, row in parsed.rows:
                        if name in names:
                            rows[names[name]].append(complete(names[name], row | {"interval": day, "subject_key": 1}))
    lake = LocalLake(folder)
    for table, found in rows.items():
        frame = pl.from_arrow(arrow_table(table, found))
        assert isinstance(frame, pl.DataFrame)
        lake.upsert_latest(table, frame)
    empty = pl.from_arrow(arrow_table(QUARANTINE, []))
    assert isinstance(empty, pl.DataFrame)
    lake.append(QUARANTINE, empty)
    return lake


def statuses(lake: LocalLake) -> dict[Relation, str]:
    rows = lake.scan(FOLLOWS).collect().iter_rows(named=True)
    return {(row["corp_id"], row["external_userid"], row["userid"]): row["status"] for row in rows}


def lake_key(corp_id: str) -> str:
    """The corp as the lake writes it."""
    return corp_id if corp_id.startswith("wp") else corp_id.lower()


@pytest.mark.parametrize("lost", [1.0, 0.0])
def test_ends_that_no_message_told_are_noticed_at_the_next_listing_and_no_other_relation_ends(
    tmp_path: Path, lost: float
) -> None:
    settings = config(45, lost)
    simulate(settings, tmp_path)
    world = World(settings)
    brand, (first, last) = world.brand, listing_moments(world.brand.clock)
    lake = silver(tmp_path)
    before = statuses(lake)
    ended = relations_that_ended(lake, [lake_key(corp.corp_id) for corp in CORPS])
    found = {(r["corp_id"], r["external_userid"], r["userid"]): r["ended_at"] for r in ended.iter_rows(named=True)}
    gone, standing = {}, set()
    for contact in contacts(world):
        corp, external, userid = relation(contact, last, brand)
        key = lake_key(corp), external, userid
        if contact.stands_at(last):
            standing.add(key)
        elif 0 < contact.deleted <= last and brand.is_there(contact.guide, last):
            gone[key] = contact.deleted
    assert found.keys() & standing == set()
    assert found.keys() <= gone.keys() - standing
    told = {key for key in gone if before[key] in ("deleted_by_customer", "deleted_by_staff")}
    assert gone.keys() - standing == found.keys() | told
    if lost:
        assert told == set()
        assert len(found) > 10
        assert {int(at.timestamp()) for at in found.values()} == {first, last}
        assert all(gone[key] <= at.timestamp() for key, at in found.items())
    else:
        assert len(found) < len(told) / 3
