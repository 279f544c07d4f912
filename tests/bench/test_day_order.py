"""A small brand's days one by one, all at once, or late and out of order: the same facts and the same people."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from bench.sweep import differing, environment
from pipelines.demo import MIX_KEYS, World, simulate_brand
from pipelines.keys import create_demo_keys
from pipelines.store.versions import rows_of

pytestmark = pytest.mark.e2e

DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")
PRESENT = "SELECT namespace, scope, value, one_id FROM t WHERE valid_to IS NULL"


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Landing files and keys of a few people over three days; no lake yet."""
    home = tmp_path_factory.mktemp("brand") / "landed"
    create_demo_keys(home / "keys", MIX_KEYS)
    simulate_brand(home, World(40, len(DAYS)), lambda _: None)
    return home


@pytest.fixture(scope="module")
def daily(brand: Path) -> Path:
    """The lake of the days run one by one in their order."""
    return lake_of(brand, "daily", [("run", day, day) for day in DAYS])


def lake_of(brand: Path, name: str, runs: list[tuple[str, str, str]]) -> Path:
    """A new home with these runs done."""
    home = brand.parent / name
    shutil.copytree(brand, home)
    for command, first, last in runs:
        run(home, command, first, last)
    return home


def run(home: Path, command: str, first: str, last: str, *more: str) -> None:
    words = [sys.executable, "-m", "pipelines.cli", command, "--from", first, "--to", last, *more]
    done = subprocess.run(words, env=environment(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def people(home: Path) -> dict[str, frozenset[tuple[str, ...]]]:
    """The identifiers of each OneID now."""
    found: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in rows_of(home / "lake", "identity.oneid_map", PRESENT):
        found[row["one_id"]].add((row["namespace"], row["scope"], row["value"]))
    return {one_id: frozenset(identifiers) for one_id, identifiers in found.items()}


def facts_that_differ(one: Path, two: Path) -> list[str]:
    """Tables before identity that do not hold the same rows."""
    return [name for name in differing(one, two) if name.split(".")[0] in ("bronze", "silver")]


def test_days_at_once_give_the_facts_and_oneids_of_days_one_by_one(brand: Path, daily: Path) -> None:
    at_once = lake_of(brand, "at_once", [("run", DAYS[0], DAYS[-1])])
    assert facts_that_differ(daily, at_once) == []
    assert people(at_once) == people(daily)
    assert len(people(daily)) > 40


HISTORIES = {"identity.oneid_changes", "identity.oneids", "features.tag_changes", "gold.agg_oneid_daily"}
"""What tells when things became known, which the order of days changes."""
SINCE = {"features.customer_tags", "gold.bridge_customer_tag", "gold.dim_customer"}
"""What stands, with the day since when, which is history."""


@pytest.fixture(scope="module")
def late(brand: Path) -> Path:
    """The lake of the last day, and the earlier ones after it."""
    return lake_of(brand, "late", [("run", DAYS[2], DAYS[2]), *(("backfill", day, day) for day in (DAYS[0], DAYS[1]))])


def test_days_that_come_late_and_out_of_order_give_the_same_facts_and_the_same_people(daily: Path, late: Path) -> None:
    assert facts_that_differ(daily, late) == []
    assert set(people(late).values()) == set(people(daily).values())


def test_a_rebuild_changes_nothing_that_is_no_history(daily: Path) -> None:
    rebuilt = daily.parent / "rebuilt"
    shutil.copytree(daily, rebuilt)
    run(rebuilt, "run", DAYS[0], DAYS[-1], "--full")
    assert set(differing(daily, rebuilt)) <= HISTORIES
    assert people(rebuilt) == people(daily)


def test_days_at_once_give_the_features_and_gold_of_days_one_by_one(brand: Path, daily: Path) -> None:
    at_once = brand.parent / "at_once"
    derived = [name for name in differing(daily, at_once) if name.split(".")[0] in ("features", "gold")]
    assert set(derived) <= HISTORIES | SINCE
