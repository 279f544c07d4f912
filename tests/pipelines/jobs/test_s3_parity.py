"""The lake and the engine in process give the same people, ids, rejections and changes on the same observations."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from identity import DecisionRefused, Policy, Resolver
from identity.namespace import PHONE_FORMS
from identity.token import phone_hashes
from pipelines.group_evidence import LakeReader
from pipelines.jobs import s3_plain
from pipelines.jobs.s3_verify import verify
from pipelines.lookup import Lookup
from pipelines.tables import ALL
from tests.pipelines.jobs.identity_lake import KEY, IdentityLake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.store.lake import Lake

Row = dict[str, Any]
DAYS = ("2025-01-10", "2025-02-20", "2025-02-21", "2025-06-30", "2025-07-01")
MIX = {"shop": "demo_key"}
POLICIES = {
    "hold": Policy.from_dict(
        {"hub": {"max_accounts": 3, "max_total": 5}, "size_cap": 7}
        | {"review": {"recipient_min_orders": 1, "staff_min_sightings": 1}}
    ),
    "last": Policy.from_dict({"policy": "last", "hub": {"max_accounts": 3, "max_total": 5}, "size_cap": 9}),
    "inferring": Policy.from_dict({"inference": {"promote_recipient_phone": True}, "reissue_days": 30}),
}
MANY = pytest.mark.e2e
"""Many histories are for `make test`; `make test-fast` plays a few others."""

SOURCES = ("pos", "crm", "douyin_orders", "douyin_members")
ROLES = ("verified", "verified", "buyer", "recipient", "staff", "")


class World:
    """A small world of its own: its identifiers share nothing with those of other worlds, so all run in one lake."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.name = f"w{seed}"
        self.number = 0
        accounts = {"member_id": 4, "wx_unionid": 3, "wx_openid": 4, "mp_anonymous_id": 2, "wecom_pending_id": 2}
        self.accounts = [(ns, self.name, f"{ns[:2]}{n}") for ns, count in accounts.items() for n in range(count)]
        self.numbers = [f"139{seed:05d}{n:03d}"[:11] for n in range(100, 103)]

    def observations(self, day: int) -> list[Row]:
        """The rows of one run, some of days before, in any order."""
        rows = [self._row(day) for _ in range(self.rng.randint(0, 6))]
        self.rng.shuffle(rows)
        return rows

    def _row(self, day: int) -> Row:
        self.number += 1
        kind = self.rng.choice(["link"] * 7 + ["bind", "unbind", "unlink", "replace"])
        when = DAYS[self.rng.randint(max(0, day - 2), day)]
        row: Row = {
            "observation_id": f"{self.name}-{self.number}",
            "source": self.rng.choice(SOURCES),
            "kind": kind,
            "event_time": f"{when}T{self.rng.randint(0, 23):02d}:00:00+08:00",
            "ids": self._ids(kind),
        }
        if kind == "unlink":
            row["retracts"] = f"{self.name}-{self.rng.randint(1, self.number + 2)}"
        if kind == "link" and self.rng.random() < 0.1:
            row["valid_to"] = f"{self.rng.choice(DAYS)}T12:00:00+08:00"
        return row

    def _ids(self, kind: str) -> list[Row]:
        if kind == "unlink":
            return []
        if kind == "replace":
            return [_named("member_id", self.name, f"me{self.rng.randint(0, 3)}") for _ in range(2)]
        count = 2 if kind == "unbind" else self.rng.choice((1, 2, 2, 3, 9))
        return [self._id() for _ in range(count)]

    def _id(self) -> Row:
        drawn = self.rng.random()
        if drawn < 0.7:
            return _named(*self.rng.choice(self.accounts))
        number = self.rng.choice(self.numbers)
        if drawn < 0.78:
            form = self.rng.choice(sorted(PHONE_FORMS))
            return _named(form, "", phone_hashes(number, MIX)[form][0]) | {"role": "verified"}
        if drawn < 0.8:
            return _named("phone", "", "11111111111")
        return _named("phone", "", number) | {"role": self.rng.choice(ROLES)}

    def decision(self) -> tuple[str, str, str | None]:
        """A decision a steward might try: kind and the identifiers."""
        kind = self.rng.choice(("must_link", "cannot_link", "detach"))
        names = [":".join(one) for one in self.accounts] + [f"phone::{number}" for number in self.numbers]
        return kind, self.rng.choice(names), None if kind == "detach" else self.rng.choice(names)


def _named(namespace: str, scope: str, value: str) -> Row:
    return {"namespace": namespace, "scope": scope, "value": value}


class Both:
    """The two ways side by side."""

    def __init__(self, folder: Path, policy: Policy, cluster: Callable[[], Lake] | None = None) -> None:
        self.lake = IdentityLake(folder, policy, MIX, cluster)
        self.resolver = Resolver(policy, KEY, mix_keys=MIX)
        self.changed = 0

    def feed(self, rows: list[Row], day: str) -> None:
        """One run of both, and everything compared."""
        theirs = self.resolver.apply(rows, day)
        self.lake.feed(rows, day)
        self.compare(theirs)

    def decide(self, worlds: list[World], day: str) -> None:
        """At most one decision per world, taken in process one by one and in the lake together."""
        before = len(self.resolver.changes())
        for world in worlds:
            kind, a, b = world.decision()
            try:
                self.resolver.steward(kind, a, b, actor="x", reason="y", as_of=day)
            except DecisionRefused:
                continue
        self.lake.decide(self.resolver.decisions())
        self.lake.stitch(day)
        self.resolver._unreported = []  # these runs are compared here, not with the next one's rows
        self.compare(self.resolver.changes()[before:])

    def compare(self, theirs: list[Row]) -> None:
        stored = self.lake.stored
        assert self._clusters() == {k: {stored(i) for i in v} for k, v in self.resolver.clusters().items()}
        assert self.lake.redirects() == self.resolver.redirects()
        found = [
            (c["change"], c["one_id"], tuple(c["others"]), tuple(sorted(map(stored, c["identifiers"]))), c["cause"])
            for c in theirs
        ]
        self.changed += len(found)
        assert self.lake.changes() == sorted(found)
        refused = {(r["observation_id"], r["source"], r["rule"]) for r in self.resolver.rejections() if r["identifier"]}
        assert self.lake.rejections() == refused
        hubs = {f"{row['namespace']}:{row['scope']}:{row['value']}" for row in self.lake.rows("hubs")}
        assert hubs >= {stored(hub["identifier"]) for hub in self.resolver.hubs()}
        asked = self.lake.rows("review_queue")
        assert {(q["kind"], q["identifier"], tuple(q["candidates"] or ())) for q in asked} == self._questions()

    def _questions(self) -> set[tuple[str, str, tuple[str, ...]]]:
        """The questions of the engine; the lake asks about a number person by person."""
        found: set[tuple[str, str, tuple[str, ...]]] = set()
        for q in self.resolver.review_queue():
            by_person = q["kind"] in ("recipient", "staff_phone")
            people = [(one,) for one in q["candidates"]] if by_person else [tuple(q["candidates"])]
            found |= {(q["kind"], self.lake.stored(q["identifier"]), some) for some in people}
        return found

    def _clusters(self) -> dict[str, set[str]]:
        """The clusters of the lake without hashed forms that are known under their number."""
        names = self.resolver._view.names
        forms = {self.lake.stored(form) for form in names}
        return {one_id: found - forms for one_id, found in self.lake.clusters().items() if found - forms}


def play(both: Both, worlds: list[World], days: tuple[str, ...] = DAYS) -> None:
    """Every day's rows and a decision per world, compared after each."""
    for place, day in enumerate(days):
        both.feed([row for world in worlds for row in world.observations(place)], day)
        both.decide(worlds, day)


@pytest.mark.parametrize(
    ("policy", "seeds"),
    [
        pytest.param("hold", range(36, 46), id="few"),
        *(pytest.param(policy, range(36), marks=MANY, id=f"many-{policy}") for policy in POLICIES),
    ],
)
def test_a_lake_and_the_engine_in_process_agree_run_by_run(tmp_path: Path, policy: str, seeds: range) -> None:
    both = Both(tmp_path, POLICIES[policy])
    play(both, [World(seed) for seed in seeds], DAYS[: 3 if policy == "hold" and len(seeds) > 10 else 2])
    assert both.changed > 100 / 36 * len(seeds), "the histories leave something to compare"
    assert verify(both.lake.lake.root, both.lake.settings()) == []


@pytest.mark.parametrize("seeds", [range(85, 86), pytest.param(range(70, 90), marks=MANY)], ids=["few", "many"])
def test_the_lake_and_the_engine_name_the_same_holders_of_past_days(tmp_path: Path, seeds: range) -> None:
    both, worlds = Both(tmp_path, POLICIES["hold"]), [World(seed) for seed in seeds]
    for place, day in enumerate(DAYS[:4]):
        both.feed([row for world in worlds for row in world.observations(place)], day)
    lookup = Lookup(LakeReader(both.lake.lake.root, both.lake.policy, KEY, MIX), (), DAYS[3])
    names = [":".join(one) for world in worlds for one in world.accounts]
    names += [f"phone::{number}" for world in worlds for number in world.numbers]
    for day in DAYS[1:3]:
        theirs = {one: both.resolver.one_id(one, at=day) for one in names}
        moved = [one for one, found in theirs.items() if found not in (None, both.resolver.one_id(one))]
        asked = [*moved, *names[::15]]
        assert moved, "somebody held what another holds today"
        found = {one: answer["one_id"] for one, answer in zip(asked, lookup.find(asked, at=day), strict=True)}
        assert found == {one: theirs[one] for one in asked}


@pytest.mark.parametrize("seeds", [range(50, 53), pytest.param(range(50, 70), marks=MANY)], ids=["few", "many"])
def test_a_rebuild_with_the_registry_kept_changes_nothing(tmp_path: Path, seeds: range) -> None:
    both = Both(tmp_path, POLICIES["hold"])
    play(both, [World(seed) for seed in seeds], DAYS[:2])
    assert both.changed > 2 * len(seeds), "the histories leave something to rebuild"
    result = both.lake.stitch(DAYS[1], full=True)
    assert [write.table for write in result.writes if write.changed] == []
    assert both.resolver.rebuild() == []


def test_a_run_without_new_evidence_writes_nothing(tmp_path: Path) -> None:
    lake = IdentityLake(tmp_path, POLICIES["hold"])
    lake.feed(World(1).observations(0), DAYS[0])
    again = lake.stitch(DAYS[0])
    assert (again.writes, again.changed_keys) == ([], None)


def test_a_question_about_a_number_stays_when_somebody_else_verifies_it(tmp_path: Path) -> None:
    both = Both(tmp_path, POLICIES["hold"])
    number = _named("phone", "", "13900000000")
    sightings = (("o1", "recipient"), ("o2", "verified"), ("o2", "buyer"))
    for day, (account, role) in zip(DAYS[:3], sightings, strict=True):
        row = {"observation_id": day, "source": "pos", "kind": "link", "event_time": f"{day}T10:00:00+08:00"}
        both.feed([row | {"ids": [_named("wx_openid", "a", account), number | {"role": role}]}], day)
        assert [q["kind"] for q in both.lake.rows("review_queue")] == ["recipient"]


def test_a_dropped_pair_turns_the_comparison_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped = s3_plain._pairs
    monkeypatch.setattr(s3_plain, "_pairs", lambda evidence, stated: dropped(evidence, stated)[1:])
    both = Both(tmp_path, POLICIES["hold"])
    both.feed([row for seed in range(20) for row in World(seed).observations(0)], DAYS[0])
    monkeypatch.undo()
    assert "identity.edges" in {one.table for one in verify(both.lake.lake.root, both.lake.settings())}


def test_a_turned_tie_turns_the_comparison_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_plain, "ORDER", ("strength", "namespace", "priority", "scope", "value"))
    row = {"observation_id": "r1", "source": "pos", "kind": "link", "event_time": "2025-01-10T10:00:00+08:00"}
    both = Both(tmp_path, POLICIES["hold"])
    with pytest.raises(AssertionError):
        both.feed([row | {"ids": [_named("login_id", "b", "1"), _named("douyin_allied_id", "b", "1")]}], DAYS[0])


def test_an_edited_row_of_the_map_turns_the_proof_red(tmp_path: Path) -> None:
    lake = IdentityLake(tmp_path, POLICIES["hold"])
    lake.feed([row for seed in range(3) for row in World(seed).observations(0)], DAYS[0])
    table = ALL["identity.oneid_map"]
    old = lake.lake.scan(table).sort("identifier_key").head(1).collect()
    lake.lake.replace(table, old, old.with_columns(one_id=pl.lit("0" * 24)))
    found = verify(lake.lake.root, lake.settings())
    assert [one for one in found if one.table == "identity.oneid_map" and one.samples]


def test_a_run_cut_off_among_its_writes_is_undone_by_the_next(tmp_path: Path) -> None:
    rows = [row for seed in range(4) for row in World(seed).observations(0)]
    whole, cut = (IdentityLake(tmp_path / name, POLICIES["hold"]) for name in ("whole", "cut"))
    whole.feed(rows, DAYS[0])
    cut.add(rows, DAYS[0])
    cut.settings().marks.set("identity")
    orphan = whole.lake.scan(ALL["identity.oneids"]).head(1).collect()
    cut.lake.append(ALL["identity.oneids"], orphan.with_columns(one_id=pl.lit("0" * 24)))
    cut.stitch(DAYS[0])
    assert cut.clusters() == whole.clusters()
    assert {row["one_id"] for row in cut.rows("oneids")} == {row["one_id"] for row in whole.rows("oneids")}


@pytest.mark.spark
def test_a_large_lake_stitched_on_the_cluster_agrees_with_the_engine_in_process(
    spark: SparkSession, tmp_path: Path
) -> None:
    from pipelines.store.lake import Lake

    worlds = [World(seed) for seed in range(40)]
    both = Both(tmp_path, POLICIES["hold"], cluster=lambda: Lake(spark, tmp_path / "lake"))
    for place, day in enumerate(DAYS[:2]):
        both.feed([row for world in worlds for row in world.observations(place)], day)
        both.lake.stitch(day, full=True)
        both.compare([])
    assert both.changed > 50
