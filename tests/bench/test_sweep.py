"""The crash sweep picks its points by seed and sees any difference between two lakes; six small ones are tried here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.sweep import (
    PUBLISHING,
    Ground,
    Outcome,
    Point,
    Reader,
    command,
    differing,
    environment,
    points,
    prepare,
    table,
    try_point,
)
from pipelines.errors import ExitCode
from pipelines.publish import pointed, snapshots
from pipelines.store.versions import rows_of
from pipelines.verify import find_damage
from tests.pipelines.damaging import flip, serving
from tests.pipelines.published import SHOPS, publish_run, shop, write

COMMITS = tuple(f"lake/gold/t{number:02d}/_delta_log/{1:020d}.json" for number in range(30))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "base", tmp_path / "reference", "2025-01-03", 60.0, (*COMMITS, *PUBLISHING))


def test_the_same_seed_gives_the_same_points_and_another_seed_others(ground: Ground) -> None:
    assert points(ground, 12, 7) == points(ground, 12, 7)
    assert points(ground, 12, 7) != points(ground, 12, 8)


def test_half_of_the_points_are_renames_spread_over_the_whole_run(ground: Ground) -> None:
    chosen = points(ground, 12, 7)
    renames = [point.target for point in chosen if point.kind == "rename"]
    places = [ground.renames.index(target) for target in renames]
    assert (len(chosen), len(renames)) == (12, 6)
    assert places == sorted(places)
    assert places[0] < 6
    assert places[-1] >= 27


def test_moments_reach_from_the_beginning_to_the_end_of_the_run(ground: Ground) -> None:
    shares = [point.share for point in points(ground, 20, 7) if point.kind == "time"]
    assert min(shares) < 0.2
    assert max(shares) > 0.85
    assert max(shares) < 1


def test_every_kind_of_victim_has_its_turn(ground: Ground) -> None:
    assert {point.victim for point in points(ground, 6, 7)} == {"all", "python", "jvm"}


def test_lakes_of_equal_rows_do_not_differ_whatever_their_order(tmp_path: Path) -> None:
    write(tmp_path / "one", SHOPS, [shop("1"), shop("2")])
    for number in ("2", "1"):
        write(tmp_path / "two", SHOPS, [shop(number)])
    assert differing(tmp_path / "one", tmp_path / "two") == []


@pytest.mark.parametrize("rows", [[], [shop("1")], [shop("1"), shop("1")], [shop("1"), shop("3")]])
def test_a_missing_doubled_or_changed_row_is_a_difference(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    write(tmp_path / "one", SHOPS, [shop("1"), shop("2")])
    write(tmp_path / "two", SHOPS, rows)
    assert differing(tmp_path / "one", tmp_path / "two") == [SHOPS]


def test_run_numbers_and_operations_are_no_difference(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, "identity.oneid_changes", [{"one_id": "a", "run_id": name}])
        write(tmp_path / name, "ops.batches", [{"batch_id": name}])
    assert differing(tmp_path / "one", tmp_path / "two") == []


def test_the_reader_sees_a_snapshot_that_is_not_whole(tmp_path: Path) -> None:
    write(tmp_path, SHOPS, [shop("1")])
    name = publish_run(tmp_path, 1)
    reader = Reader(tmp_path)
    reader.look()
    assert (reader.seen, reader.wrong) == ([name], [])
    flip(serving(tmp_path))
    reader.look()
    assert reader.wrong == ["the serving snapshot is damaged"]


def test_the_page_counts_what_left_no_trace(ground: Ground) -> None:
    good = Outcome(Point(1, "time", 0.5), hit=True, again=0, seconds=9.0)
    bad = Outcome(Point(2, "rename", target="CURRENT"), hit=True, again=0, seconds=9.0, differing=[SHOPS])
    page = table([good, bad], ground)
    assert "1 of 2 killed runs" in page
    assert f"| 2 | `CURRENT, all` | yes | exit 0 | {SHOPS} |" in page


POINTS = 6


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A brand of a few people with one day published, and its undisturbed second day."""
    return prepare(tmp_path_factory.mktemp("sweep"), people=40, days=2)


@pytest.mark.e2e
@pytest.mark.parametrize("number", range(1, POINTS + 1))
def test_a_run_that_was_killed_is_made_good_by_the_next(small: Ground, tmp_path: Path, number: int) -> None:
    (point,) = (one for one in points(small, POINTS, 7, ("all", "python")) if one.number == number)
    outcome = try_point(small, point, tmp_path)
    assert (outcome.again, outcome.differing, outcome.damage) == (0, [], []), point.words
    assert outcome.hit or point.kind == "time" or point.target in PUBLISHING


@pytest.mark.e2e
def test_the_small_run_writes_every_layer_and_publishes(small: Ground) -> None:
    assert {name.split("/")[1] for name in small.renames if name.startswith("lake/")} == {
        "bronze",
        "silver",
        "identity",
        "features",
        "gold",
        "ops",
    }
    rows = rows_of(small.reference / "lake", "identity.oneids", "SELECT count(*) AS n FROM t")
    assert rows[0]["n"] > 40
    assert len(snapshots(small.reference)) == 2


@pytest.mark.e2e
@pytest.mark.parametrize("place", ["bronze", "stitch", "gold", "manifest", "pointer"])
def test_on_full_storage_the_old_snapshot_stands_and_the_next_run_completes(
    small: Ground, tmp_path: Path, place: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(small.base, home)
    before = pointed(home)
    words = command((sys.executable, "-m", "tests.bench.full_disk", place), small.day, small.day)
    broken = subprocess.run(words, env=environment(home), capture_output=True, text=True, check=False)
    assert (broken.returncode, pointed(home)) == (ExitCode.STORAGE, before), broken.stderr
    assert "the storage is full" in broken.stderr
    assert find_damage(home) == []
    assert small.run(home, small.day, small.day) == 0
    assert (differing(small.reference, home), find_damage(home)) == ([], [])
    assert pointed(home) != before
