"""Sessions: what is one, and that they follow from the events alone, in whatever order these and merges come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.embedded import connected, embedded_session
from pipelines.jobs import s6_gold, s6_sessions
from pipelines.tables import ALL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from pipelines.store.creation import WriteResult

Rows = Callable[..., "DataFrame"]
Owners = dict[int, str]
pytestmark = pytest.mark.spark

NOON = datetime(2025, 3, 1, 4, tzinfo=UTC)
"""12:00 in Asia/Shanghai; the business day ends at 16:00 UTC."""
A, HUB, DEVICE = 1, 9, 2
OWNED = {A: "A", DEVICE: "A", 3: "B", 4: "C"}


def event(name: str, minutes: float, **given: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minutes)
    day = (at + timedelta(hours=8)).date()
    told = {"source": "sensors", "app_id": "wx1", "event": "$MPViewScreen", "subject_key": A, "clock_flag": "ok"}
    return {**told, "event_id": name, "event_at": at, "business_date": day, "interval": day, **given}


def owners(rows: Rows, held: Owners) -> DataFrame:
    named = ({"identifier_key": key, "one_id": one_id} for key, one_id in held.items())
    return rows("identity.oneid_map", *named).selectExpr("identifier_key AS subject_key", "one_id")


def cut(rows: Rows, *events: dict[str, Any], idle_minutes: int = 30) -> dict[str, str | None]:
    """The session of each event."""
    given = rows("silver.events", *events)
    found = s6_sessions.with_sessions(given, owners(rows, OWNED), idle_minutes=idle_minutes).collect()
    return {row["event_id"]: row["session_id"] for row in found}


def test_a_pause_longer_than_the_idle_time_ends_a_session(rows: Rows) -> None:
    found = cut(rows, event("a", 0), event("b", 30), event("c", 60.001), event("d", 61))
    assert found == {"a": "a", "b": "a", "c": "c", "d": "c"}


def test_the_idle_time_is_a_setting(rows: Rows) -> None:
    assert cut(rows, event("a", 0), event("b", 6), idle_minutes=5) == {"a": "a", "b": "b"}


def test_midnight_in_shanghai_ends_a_session_and_midnight_in_london_does_not(rows: Rows) -> None:
    night, london = 12 * 60, 20 * 60
    found = cut(rows, event("a", night - 1), event("b", night), event("c", london - 1), event("d", london))
    assert found == {"a": "a", "b": "b", "c": "c", "d": "c"}


def test_a_person_has_one_session_across_identifiers_and_others_their_own(rows: Rows) -> None:
    first = event("a", 0, subject_key=DEVICE)
    assert cut(rows, first, event("b", 1), event("c", 2, subject_key=3)) == {"a": "a", "b": "a", "c": "c"}


def test_an_identifier_of_nobody_has_sessions_too(rows: Rows) -> None:
    assert cut(rows, event("a", 0, subject_key=HUB), event("b", 1, subject_key=HUB)) == {"a": "a", "b": "a"}


@pytest.mark.parametrize("other", [{"app_id": "wx2"}, {"source": "youshu", "event": "browse_sku_page"}], ids=str)
def test_apps_and_dialects_have_sessions_of_their_own(rows: Rows, other: dict[str, Any]) -> None:
    assert cut(rows, event("a", 0), event("b", 1, **other), event("c", 2)) == {"a": "a", "b": "b", "c": "a"}


@pytest.mark.parametrize(
    "other",
    [
        {"event": "profile_set"},
        {"event": "$BindID"},
        {"scene": "1154"},
        {"source": "wecom", "event": "x"},
        {"subject_key": None},
    ],
    ids=str,
)
def test_what_is_no_use_of_a_mini_program_has_no_session_and_bridges_no_pause(
    rows: Rows, other: dict[str, Any]
) -> None:
    assert cut(rows, event("a", 0), event("b", 25, **other), event("c", 50)) == {"a": "a", "b": None, "c": "c"}


def test_a_session_says_how_long_it_took_where_it_came_from_and_what_was_seen(rows: Rows) -> None:
    given = rows(
        "silver.events",
        event("a", 0, event="$MPLaunch", scene="1047", utm_source="wecom", clock_flag="corrected"),
        event("b", 1, url_path="/index", product_id="p"),
        event("c", 2, url_path="/goods", product_id="p", scene="1089"),
        event("d", 5, event="$MPHide"),
    )
    known = s6_sessions.with_sessions(given, owners(rows, OWNED), idle_minutes=30)
    (row,) = (found.asDict() for found in s6_sessions.sessions(known).collect())
    told = {name: row[name] for name in ("entry_path", "exit_path", "scene", "utm_source", "clock_flag", "one_id")}
    assert told == {
        "entry_path": "/index",
        "exit_path": "/goods",
        "scene": "1047",
        "utm_source": "wecom",
        "clock_flag": "corrected",
        "one_id": "A",
    }
    assert (row["duration_ms"], row["events"], row["views"], row["products"]) == (300_000, 4, 2, 1)


def test_events_of_one_instant_are_in_one_order(rows: Rows) -> None:
    assert cut(rows, event("b", 0), event("a", 0)) == {"a": "a", "b": "a"}


def told(events: Iterable[dict[str, Any]], held: Owners) -> dict[str, tuple[str | None, int]]:
    """What the sessions must be, said once more without Spark: person and number of events of each."""
    found: dict[str, tuple[str | None, int]] = {}
    last: dict[tuple[Any, ...], tuple[datetime, str]] = {}
    for one in sorted(events, key=lambda row: (row["event_at"], row["event_id"])):
        owner = held.get(one["subject_key"])
        place = (owner or one["subject_key"], one["app_id"], one["business_date"])
        at, session = last.get(place, (datetime.min.replace(tzinfo=UTC), ""))
        session = one["event_id"] if one["event_at"] - at > timedelta(minutes=30) else session
        last[place] = (one["event_at"], session)
        found[session] = (owner, found.get(session, (None, 0))[1] + 1)
    return found


class Gold:
    """Events and sessions in gold, run by run."""

    def __init__(self, rows: Rows, home: Path) -> None:
        from pipelines.store.lake import Lake

        self.rows, self.lake = rows, Lake(embedded_session(), home, in_process=True)
        self.events: list[dict[str, Any]] = []
        self.held: dict[int, str] = {}

    def run(self, arrived: list[dict[str, Any]], held: Owners, people: set[str] | None) -> list[WriteResult]:
        """Events arrive; `people` are those whose facts or identity changed (None: a rebuild)."""
        day = f"2025-04-{len(self.events) % 28 + 1:02d}"
        self.events = [*self.events, *({**one, "interval": day} for one in arrived)]
        frames = {
            "silver.events": self.rows("silver.events", *self.events),
            "identity.oneid_map": self.rows(
                "identity.oneid_map",
                *({"identifier_key": key, "one_id": one_id} for key, one_id in held.items()),
            ),
        }
        touched = None if people is None else self.lake.spark.createDataFrame([(p,) for p in people], "one_id string")
        changed = [(key, self.held.get(key)) for key in {*held, *self.held} if held.get(key) != self.held.get(key)]
        self.held = dict(held)
        moved = self.lake.spark.createDataFrame(changed, "subject_key bigint, was string")
        scope = s6_gold.Scope(
            read=frames.__getitem__,
            hold=lambda frame: frame,
            people=touched,
            moved=None if people is None else moved,
            first=day,
            last=day,
            as_of=day,
            arrived=frozenset({"silver.events"}),
            tags=(),
        )
        parts = {name: s6_gold.PARTS[name] for name in ("gold.fact_event", "gold.fact_session")}
        with connected():
            return s6_gold.write_due(self.lake, scope, parts)

    def sessions(self) -> dict[str, tuple[str | None, int]]:
        found = self.lake.local.scan(ALL["gold.fact_session"]).select("session_id", "one_id", "events").collect()
        return {session: (one_id, events) for session, one_id, events in found.iter_rows()}

    def of_events(self) -> dict[str, tuple[str | None, int]]:
        """The sessions as the events name them."""
        events = self.lake.local.scan(ALL["gold.fact_event"])
        rows = events.group_by("session_id", "one_id").len().collect()
        return {session: (one_id, count) for session, one_id, count in rows.iter_rows()}


@pytest.mark.parametrize("seed", [1, 2])
def test_late_events_merges_and_splits_leave_the_sessions_of_a_rebuild(
    embedded_rows: Rows, tmp_path: Path, seed: int
) -> None:
    rng = Random(seed)
    given = [
        event(f"{number:03d}", rng.uniform(0, 1600), subject_key=rng.choice((A, DEVICE, 3, 4, HUB)))
        for number in range(90)
    ]
    rng.shuffle(given)
    alone, merged = {A: "A", DEVICE: "D", 3: "B", 4: "C"}, {A: "A", DEVICE: "A", 3: "B", 4: "B"}
    gold = Gold(embedded_rows, tmp_path)
    gold.run(given[:40], alone, None)
    gold.run(given[40:60], merged, {"A", "B", "C", "D"})
    assert gold.sessions() == told(gold.events, merged)
    gold.run(given[60:75], merged, {merged[key] for one in given[60:75] if (key := one["subject_key"]) in merged})
    assert gold.sessions() == told(gold.events, merged)
    gold.run(given[75:], alone, {"A", "B", "C", "D"})
    assert gold.sessions() == gold.of_events() == told(given, alone)


def test_a_late_event_rewrites_the_sessions_it_stands_in_or_beside_and_no_others(
    embedded_rows: Rows, tmp_path: Path
) -> None:
    gold = Gold(embedded_rows, tmp_path)
    gold.run([event("a", 0), event("b", 50), event("c", 200), event("x", 0, subject_key=3)], OWNED, None)
    _, written = gold.run([event("l", 25)], OWNED, {"A"})
    assert (written.inserted, written.updated, written.deleted) == (0, 1, 1)
    assert gold.sessions() == {"a": ("A", 3), "c": ("A", 1), "x": ("B", 1)}
