"""Plain groups worked out in columns are what the rules say of them, group by group, run after run."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from identity.components import connected_components
from identity.observation import normalise_observation
from identity.policy import Policy
from pipelines.jobs.s3_answers import answer_rows
from pipelines.jobs.s3_cluster_groups import EMPTY
from pipelines.jobs.s3_compact import LinkingRules, compact
from pipelines.jobs.s3_plain import PlainResolver, PlainSettings
from pipelines.jobs.s3_screen import GROUP, Group
from pipelines.jobs.s3_special import GroupRows, SpecialResolver, SpecialSettings
from pipelines.jobs.shaping import OBSERVATIONS, Shaped, Shaper
from pipelines.keys import Keys
from pipelines.sources.base import Context, Record, Settings

Row = dict[str, Any]
KEYS = Keys(identity="test key", pepper="00" * 32, vault="11" * 32)
STATED = pl.List(
    pl.Struct(
        dict.fromkeys(("namespace", "scope", "value", "role"), pl.String) | {"linking": pl.Boolean, "key": pl.Int64}
    )
)
ACCOUNTS = (
    *(("member_id", "b", f"K{n}") for n in range(60)),
    *(("wx_unionid", "w", f"U{n}") for n in range(60)),
    *(("wx_openid", "a", f"o{n}") for n in range(90)),
    *(("mp_anonymous_id", "a", f"a{n}") for n in range(60)),
    *(("doudian_open_id", "k", f"d{n}") for n in range(60)),
)
NUMBERS = tuple(f"139123{n:05d}" for n in range(60, 120))
ROLES = ("verified", "verified", "buyer", "recipient", "staff", "")


@dataclass
class World:
    """What both ways know before a run: rows of observations, and the registry as the first way left it."""

    policy: Policy
    rows: list[Row] = field(default_factory=list)
    homes: dict[int, str] = field(default_factory=dict)
    records: dict[str, Row] = field(default_factory=dict)
    placed: dict[int, str] = field(default_factory=dict)
    run: int = 0

    def add(self, observations: Sequence[Mapping[str, Any]], day: str) -> None:
        for row in self.rows:
            row["is_new"] = False
        shaped = Shaped()
        shaper = Shaper(self.policy, KEYS, {})
        for raw in observations:
            read = normalise_observation(raw, self.policy, day)
            shaper._observe(read, Record({}, Context("observations", day), Settings("observations")), shaped)
        new = shaped.rows.get(OBSERVATIONS, [])
        self.rows += [row | {"is_new": True, "rule": "", "interval": day} for row in new]
        self.run += 1

    def group(self) -> Group:
        given = [{name: row[name] for name in SCHEMA} for row in self.rows]
        evidence = compact(pl.DataFrame(given, schema=SCHEMA), LinkingRules(self.policy))
        tied = evidence.drop_nulls("anchor").select("anchor", "tied").explode("tied")
        found = connected_components(tied["anchor"].to_numpy(), tied["tied"].to_numpy())
        nodes = pl.DataFrame({"key": found.nodes, GROUP: found.component})
        frames = {
            "homes": pl.DataFrame([{"key": k, "home": h} for k, h in self.homes.items()], schema=EMPTY["homes"]),
            "placed": pl.DataFrame([{"key": k, "one_id": o} for k, o in self.placed.items()], schema=EMPTY["placed"]),
        }
        frames = {name: frame.join(nodes, on="key") for name, frame in frames.items()}
        records = pl.DataFrame(list(self.records.values()), schema=RECORDS)
        return Group(
            evidence=evidence.drop("tied").join(nodes, left_on="anchor", right_on="key"),
            records=records.join(nodes, left_on="founder_key", right_on="key"),
            aliases=pl.DataFrame(schema={GROUP: pl.Int64(), **EMPTY["aliases"]}),
            marks=pl.DataFrame(schema={GROUP: pl.Int64(), **EMPTY["marks"]}),
            **frames,
        )

    def keep(self, answers: Mapping[str, Sequence[Row]]) -> None:
        """The registry is as the answers leave it."""
        self.homes |= {row["identifier_key"]: row["home"] for row in answers["homes"]}
        mints = sorted(answers["mints"], key=lambda row: [row[name] for name in RANK])
        for order, row in enumerate(mints):
            new = {"merged_into": None, "mint_seq": (self.run << 32) + order}
            self.records[row["one_id"]] = {name: row.get(name) for name in RECORDS} | new
        for row in (*answers["people"], *answers["records"]):
            self.records[row["one_id"]] |= {"status": row["status"], "merged_into": row.get("merged_into")}
        self.placed = {row["identifier_key"]: row["one_id"] for row in answers["map"] if row["one_id"]}


RANK = ("first_ms", "strength", "priority", "namespace", "scope", "value")
SCHEMA: dict[str, Any] = {
    "source": pl.String,
    "observation_id": pl.String,
    "kind": pl.String,
    "event_ms": pl.Int64,
    "ids": STATED,
    "retracts": pl.String,
    "valid_to_ms": pl.Int64,
    "signature": pl.Int64,
    "rule": pl.String,
    "is_new": pl.Boolean,
}
RECORDS: dict[str, Any] = {
    "one_id": pl.String,
    "founder_key": pl.Int64,
    "ordinal": pl.Int32,
    "mint_seq": pl.Int64,
    "status": pl.String,
    "merged_into": pl.String,
}
NAMES = ("map", "edges", "homes", "mints", "people", "changes", "candidates")


def by_rules(world: World, components: set[int], group: Group) -> dict[str, list[Row]]:
    """What the rules say of the groups, one by one."""
    settings = SpecialSettings(world.policy, KEYS.identity, world.run, DAYS[-1], DAYS[-1])
    resolver = SpecialResolver(settings)
    of = dict(group.evidence.select("signature", GROUP).iter_rows())
    groups = {component: GroupRows() for component in sorted(components)}
    for row in world.rows:
        if of.get(row["signature"]) in components:
            groups[of[row["signature"]]].evidence.append(row)
    for name in ("homes", "records", "placed"):
        for row in getattr(group, name).iter_rows(named=True):
            if row[GROUP] in components:
                getattr(groups[row[GROUP]], name).append(row)
    answers: dict[str, list[Row]] = {name: [] for name in (*NAMES, "records")}
    for component, rows in groups.items():
        for name, given in answer_rows(component, rows, resolver.answer(rows)).items():
            answers.setdefault(name, []).extend(given)
    return answers


def canonical(rows: Sequence[Row]) -> list[Any]:
    shown = [{key: sorted(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows]
    return sorted((sorted(row.items()) for row in shown), key=repr)


DAYS = ("2025-01-10", "2025-02-20", "2025-02-21", "2025-03-30")


def history(seed: int, rows: int = 60) -> list[list[Row]]:
    """Runs of links between identifiers that mostly belong together, with candidates and long rows among them."""
    rng = random.Random(seed)
    runs: list[list[Row]] = []
    number = 0
    for day in DAYS:
        batch = []
        for _ in range(rows):
            person = rng.randrange(60)
            ids = [_account(rng, person) for _ in range(rng.choice((1, 1, 2, 2, 3, 10)))]
            ids += [_number(rng, person) for _ in range(rng.choice((0, 0, 1)))]
            when = rng.choice([one for one in DAYS if one <= day])
            batch.append(
                {
                    "observation_id": f"r{number}",
                    "source": rng.choice(("pos", "crm")),
                    "kind": rng.choice(("link", "link", "bind")),
                    "event_time": f"{when}T{rng.randrange(24):02d}:00:00+08:00",
                    "ids": ids,
                }
            )
            number += 1
        runs.append(batch)
    return runs


def _account(rng: random.Random, person: int) -> Row:
    near = [
        one
        for place, one in enumerate(ACCOUNTS)
        if place % 60 in (person, (person + 1) % 60 if rng.random() < 0.05 else person)
    ]
    namespace, scope, value = rng.choice(near)
    return {"namespace": namespace, "scope": scope, "value": value}


def _number(rng: random.Random, person: int) -> Row:
    return {"namespace": "phone", "scope": "", "value": NUMBERS[person], "role": rng.choice(ROLES)}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.e2e) for seed in range(1, 8))])
def test_every_plain_group_is_what_the_rules_say_of_it(seed: int) -> None:
    policy = Policy.from_dict({})
    world = World(policy)
    plain_groups = 0
    for day, batch in zip(DAYS, history(seed), strict=True):
        world.add(batch, day)
        group = world.group()
        answers = PlainResolver(PlainSettings(policy, KEYS.identity))(group)
        every = set(group.evidence[GROUP].to_list())
        special = set(answers["special"][GROUP].to_list())
        plain_groups += len(every - special)
        expected = by_rules(world, every - special, group)
        for name in NAMES:
            found = list(answers[name].iter_rows(named=True))
            assert canonical(found) == canonical(expected[name]), name
        world.keep(by_rules(world, every, group))
    assert plain_groups > 40, "the histories leave something to work out in columns"
