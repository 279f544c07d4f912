"""Landing to bronze to silver: every record counted once, the same tables whatever the order, files or runs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.embedded import connected, embedded_session
from pipelines.errors import ExitCode, InputRefusedError
from pipelines.jobs import s1_bronze, s2_silver
from pipelines.jobs.landing import find_files, landing_batches, make_batch
from pipelines.keys import unseal
from pipelines.spec import Table
from pipelines.store.begun import begun
from pipelines.store.lake import Lake
from pipelines.store.ledger import known_files
from pipelines.store.marks import Marks
from pipelines.tables import ALL, SILVER
from pipelines.tables.bronze import FEEDS
from tests.pipelines.jobs.composed import (
    DAY1,
    DAY2,
    DAY3,
    KEYS,
    NAME,
    PHONE,
    consent,
    decrypted,
    error_answer,
    guide,
    land,
    listing,
    order,
    registration,
    run_context,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.jobs.context import RunContext

pytestmark = pytest.mark.e2e

DAYS = (DAY1, DAY2, DAY3)
EVENING = "T23:00:00+08:00"
FILES: dict[str, list[str]] = {
    f"douyin_orders/{DAY1}/a.jsonl": [order(1, DAY1), order(2, DAY1, status=1, pay_time=0), error_answer(DAY1)],
    f"douyin_orders/{DAY2}/a.jsonl": [
        order(2, DAY2, updated=1735787131),
        order(2, DAY2, updated=1735787131, encrypt_post_tel="$$another cipher$1$$"),
        order(1, DAY2, updated=1735700731),
        decrypted(1, PHONE, DAY2),
        decrypted(2, PHONE, DAY2, err_no=300018),
    ],
    f"consents/{DAY1}/a.jsonl": [consent(1, DAY1), consent(1, DAY1), '{"consent_id":"' + NAME, consent(2, DAY1)],
    f"consents/{DAY2}/a.jsonl": [consent(1, DAY2, "withdrawn")],
    f"staff/{DAY1}/a.jsonl": [guide("g1", DAY1)],
    f"observations/{DAY1}/a.jsonl": [registration(1, PHONE), registration(2, "13800138000")],
    f"wecom_group_chats/{DAY1}/a.jsonl": [listing("wrA", ["wmA", "wmB", "wmC"], DAY1 + EVENING)],
    f"wecom_group_chats/{DAY2}/a.jsonl": [
        listing("wrA", ["wmA", "wmC"], DAY2 + "T23:30:00+08:00"),
        listing("wrA", ["wmA", "wmC"], DAY2 + EVENING),
    ],
    f"wecom_group_chats/{DAY3}/a.jsonl": [listing("wrA", ["wmA"], DAY3 + EVENING)],
}

State = dict[str, list[str]]


def key(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=str, ensure_ascii=False)


def state(lake: Lake) -> State:
    """Every row of silver, and of bronze what does not say in which file it lay."""
    found: State = {}
    for table in (*SILVER, ALL["identity.rejections"]):
        if table.full_name != "silver.quarantine":
            found[table.full_name] = sorted(key(row) for row in lake.local.scan(table).collect().iter_rows(named=True))
    for feed in FEEDS:
        table = ALL[f"bronze.{feed}"]
        rows = lake.local.scan(table).select("interval", "record_hash").collect()
        found[table.full_name] = sorted(key(row) for row in rows.iter_rows(named=True))
    return {name: rows for name, rows in found.items() if rows}


def versions(lake: Lake) -> dict[str, int]:
    tables: list[Table] = [table for table in ALL.tables if lake.exists(table)]
    return {table.full_name: lake.version(table) for table in tables}


def balances(lake: Lake) -> dict[tuple[str, str], tuple[int, ...]]:
    rows = lake.read(ALL["ops.batches"]).collect()
    names = ("records_in", "good", "duplicate", "quarantined", "suppressed")
    return {(row["feed"], str(row["interval"])): tuple(row[name] for name in names) for row in rows}


def ingest(context: RunContext) -> RunContext:
    s1_bronze.run(context)
    s2_silver.run(context)
    return context


def new_lake(home: Path) -> Lake:
    """A lake as a small run sees it: everything is computed in this process."""
    return Lake(embedded_session(), home / "lake", in_process=True)


@pytest.fixture(autouse=True, scope="module")
def _in_process() -> Iterator[None]:
    with connected():
        yield


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    land(home, FILES)
    return home


@pytest.fixture(scope="module")
def base(home: Path) -> Lake:
    """The lake after all days in one run."""
    lake = new_lake(home)
    ingest(run_context(lake, home, DAYS))
    return lake


def test_the_balance_of_every_batch_holds(base: Lake) -> None:
    found = balances(base)
    assert all(row[0] == sum(row[1:]) for row in found.values())
    assert found["consents", DAY1] == (4, 2, 1, 1, 0)
    assert found["douyin_orders", DAY1] == (3, 2, 0, 1, 0)
    assert found["douyin_orders", DAY2] == (5, 4, 1, 0, 0)


def test_bronze_holds_each_record_of_an_interval_once(base: Lake) -> None:
    rows = base.read(ALL["bronze.douyin_orders"]).select("interval", "record_hash").collect()
    assert len(rows) == len(set(rows)) == 6


def test_an_unchanged_record_of_a_later_interval_is_no_duplicate(base: Lake) -> None:
    rows = base.read(ALL["bronze.douyin_orders"]).where("payload LIKE '%000000001\"%'").select("interval").distinct()
    assert sorted(str(row["interval"]) for row in rows.collect())[:2] == [DAY1, DAY2]


def test_refused_records_wait_in_quarantine_with_reason_and_sealed_text(base: Lake) -> None:
    rows = {row["reason"]: row for row in base.read(ALL["silver.quarantine"]).collect()}
    assert set(rows) == {"bad_json", "platform_error"}
    broken = rows["bad_json"]
    assert (broken["source_file"], broken["line"]) == ("a.jsonl", 3)
    assert NAME in unseal(KEYS.vault, broken["quarantine_id"], broken["cipher"])


def test_who_brings_refused_records_is_told_where_they_wait(lake: Lake, home: Path) -> None:
    told: list[str] = []
    ingest(run_context(lake, home, DAYS, say=told.append))
    feeds = sorted({feed for (feed, _), row in balances(lake).items() if row[3]})
    assert feeds
    assert [line for line in told if "cdp quarantine" in line] == [
        f"refused records of {feed} wait with their reasons: `cdp quarantine list --feed {feed}`" for feed in feeds
    ]


def test_silver_holds_the_latest_version_of_each_order(base: Lake) -> None:
    rows = {row["order_id"][-1]: row for row in base.read(ALL["silver.orders"]).collect()}
    assert (rows["2"]["status"], rows["2"]["is_paid"]) == ("paid", True)
    assert str(rows["1"]["interval"]) == DAY1


def test_a_withdrawn_consent_is_withdrawn(base: Lake) -> None:
    rows = {row["consent_id"]: row["status"] for row in base.read(ALL["silver.consents"]).collect()}
    assert rows == {"n1": "withdrawn", "n2": "granted"}


def test_a_placeholder_phone_is_a_rejection(base: Lake) -> None:
    rows = base.read(ALL["identity.rejections"]).where("namespace = 'phone'").collect()
    assert [(row["rule"], row["observation_id"]) for row in rows] == [("reject_value", "crm-2")]


def test_members_left_at_the_first_listing_without_them(base: Lake) -> None:
    rows = base.read(ALL["silver.group_members"]).where("member_type = 'customer'").collect()
    found = {row["member_id"]: (row["status"], str(row["left_at"])) for row in rows}
    assert found == {
        "wmA": ("in", "None"),
        "wmB": ("left", "2025-01-02 15:00:00"),
        "wmC": ("left", "2025-01-03 15:00:00"),
    }


def test_no_clear_value_lies_outside_bronze_and_the_vault(base: Lake) -> None:
    rows = [row for name, found in state(base).items() if not name.startswith("bronze.") for row in found]
    assert not [row for row in rows if PHONE in row or NAME in row]


def test_the_same_files_again_change_nothing(base: Lake, home: Path) -> None:
    before = versions(base)
    context = run_context(base, home, DAYS)
    assert s1_bronze.run(context).skipped == "no new files"
    assert s2_silver.run(context).skipped
    assert versions(base) == before


def test_reading_the_files_again_changes_nothing_either(base: Lake, home: Path) -> None:
    before, rows, counted = versions(base), state(base), balances(base)
    ingest(run_context(base, home, DAYS, ignore_ledger=True, run_id="r000002-2025-01-03"))
    assert versions(base) == before
    assert (state(base), balances(base)) == (rows, counted)


def test_the_same_lines_in_other_files_change_nothing(base: Lake, home: Path, tmp_path: Path) -> None:
    lines = FILES[f"consents/{DAY1}/a.jsonl"]
    land(tmp_path, {f"consents/{DAY1}/x.jsonl": lines[3:] + lines[:2], f"consents/{DAY1}/sub/y.jsonl": lines[1:3]})
    before = state(base)
    folder = tmp_path / "landing" / "consents" / DAY1
    batch = make_batch("consents", DAY1, find_files([folder]), "other files")
    ingest(run_context(base, home, DAYS, batches=(batch,), run_id="r000003-2025-01-03"))
    row = base.read(ALL["ops.batches"]).where("batch_id = 'other files'").first()
    assert row is not None
    assert (row["records_in"], row["good"], row["duplicate"], row["quarantined"]) == (5, 0, 4, 1)
    assert state(base) == before


def test_days_run_one_by_one_and_backwards_from_shuffled_files_give_the_same_tables(base: Lake, tmp_path: Path) -> None:
    shuffled: dict[str, list[str]] = {}
    for path, lines in FILES.items():
        for number, text in enumerate(reversed(lines)):
            shuffled.setdefault(path.replace("a.jsonl", f"z{number % 2}.jsonl"), []).append(text)
    land(tmp_path, shuffled)
    lake = new_lake(tmp_path)
    for number, day in enumerate(reversed(DAYS)):
        ingest(run_context(lake, tmp_path, (day,), run_id=f"r{number:06d}-{day}"))
    assert state(lake) == state(base)


def test_silver_read_again_from_bronze_equals_the_rows_staged_on_arrival(
    base: Lake, home: Path, tmp_path: Path
) -> None:
    lake = new_lake(tmp_path)
    s1_bronze.run(run_context(lake, home, DAYS))
    s2_silver.run(run_context(lake, home, DAYS, batches=()))
    assert state(lake) == state(base)


def test_what_comes_twice_is_known_since_it_first_came(base: Lake) -> None:
    listed = base.local.scan(ALL["silver.group_listings"]).sort("listed_at").collect()["listed_at"]
    assert [at.strftime("%d %H:%M") for at in listed] == ["01 15:00", "02 15:00", "03 15:00"]


@pytest.mark.spark
def test_the_cluster_gives_the_same_tables_on_arrival_and_again_from_bronze(
    spark: SparkSession, base: Lake, home: Path, tmp_path: Path
) -> None:
    lake = Lake(spark, tmp_path / "lake")
    with connected(on=False):
        s1_bronze.run(run_context(lake, home, DAYS))
        s2_silver.run(run_context(lake, home, DAYS[:1], batches=()))
        ingest(run_context(lake, home, DAYS, ignore_ledger=True))
    assert state(lake) == state(base)


def test_a_known_batch_with_other_content_is_refused(base: Lake, home: Path, tmp_path: Path) -> None:
    known = base.read(ALL["ops.batches"]).where("feed = 'staff'").first()
    assert known is not None
    land(tmp_path, {"x.jsonl": [guide("g2", DAY1)]})
    batch = make_batch("staff", DAY1, find_files([tmp_path / "landing" / "x.jsonl"]), known["batch_id"])
    before = versions(base)
    for ignore in (False, True):
        with pytest.raises(InputRefusedError, match="other content") as caught:
            s1_bronze.run(run_context(base, home, DAYS, batches=(batch,), ignore_ledger=ignore))
        assert caught.value.code == ExitCode.REFUSED
    assert versions(base) == before


def test_refused_batches_leave_nothing_and_the_others_are_kept(lake: Lake, tmp_path: Path) -> None:
    land(tmp_path, {f"consents/{DAY1}/good.jsonl": [consent(1, DAY1)]})
    land(tmp_path, {f"consents/{DAY2}/broken.jsonl": [consent(2, DAY2), "{", "["]})
    land(tmp_path, {f"consents/{DAY3}/blank.jsonl": [consent(3, DAY3)]})
    land(tmp_path, {f"staff/{DAY1}/cut.jsonl": [guide("g1", DAY1)]})
    landing = tmp_path / "landing"
    (landing / "consents" / DAY3 / "empty.jsonl").write_text("\n \n")
    cut = landing / "staff" / DAY1 / "cut.jsonl"
    (landing / "staff" / DAY1 / "cut.jsonl.gz").write_bytes(gzip.compress(cut.read_bytes() * 9)[:-9])
    batches = tuple(
        make_batch(feed, day, find_files([landing / feed / day]), "one id for all")
        for feed, day in (("consents", DAY1), ("consents", DAY2), ("consents", DAY3), ("staff", DAY1))
    )
    with pytest.raises(InputRefusedError, match=r"2 of 3 records refused \(bad_json 2\).*2 more") as caught:
        s1_bronze.run(run_context(lake, tmp_path, DAYS, batches=batches))
    assert (caught.value.code, caught.value.where) == (ExitCode.REFUSED, f"consents/{DAY2}")
    assert list(balances(lake)) == [("consents", DAY1)]
    assert (lake.read(ALL["bronze.consents"]).count(), lake.exists(ALL["bronze.staff"])) == (1, False)
    assert not lake.exists(ALL["silver.quarantine"])
    s2_silver.run(run_context(lake, tmp_path, DAYS, batches=()))
    assert [row["consent_id"] for row in lake.read(ALL["silver.consents"]).collect()] == ["n1"]


class CutOff(Exception):  # noqa: N818  # what stands for a kill is no error of the program
    """The run was killed."""


def cut_off_before(monkeypatch: pytest.MonkeyPatch, context: RunContext, name: str) -> None:
    """The run was killed right before it wrote to a table of the ledger."""
    written = context.lake.add_rows

    def add_rows(table: Table, rows: Any) -> Any:
        if table.full_name == name:
            raise CutOff
        return written(table, rows)

    with monkeypatch.context() as patched:
        patched.setattr(context.lake, "add_rows", add_rows)
        with pytest.raises(CutOff):
            s1_bronze.run(context)


def next_run(lake: Lake, home: Path, number: int, *days: str) -> RunContext:
    """A run of these days with what waits in landing, as `cdp run` finds it."""
    known = known_files(home / "lake", min(days), max(days))
    batches = landing_batches(home / "landing", days, known, begun(home).batches)
    return ingest(run_context(lake, home, days, batches=batches, run_id=f"r{number:06d}-{max(days)}"))


def of_batches(lake: Lake) -> list[tuple[int, int, int, int]]:
    """(files, records, good, duplicate) of every batch in the ledger."""
    rows = lake.read(ALL["ops.batches"]).collect()
    return sorted((row["files"], row["records_in"], row["good"], row["duplicate"]) for row in rows)


@pytest.mark.parametrize("table", ["ops.batch_files", "ops.batches"])
def test_a_run_cut_off_in_the_ledger_is_finished_as_it_was_begun_whatever_came_since(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    land(tmp_path, {f"consents/{DAY1}/a.jsonl": [consent(1, DAY1), consent(2, DAY1)]})
    cut_off_before(monkeypatch, run_context(lake, tmp_path, (DAY1,)), table)
    assert known_files(tmp_path / "lake", DAY1, DAY1) == frozenset()
    land(tmp_path, {f"consents/{DAY1}/b.jsonl": [consent(2, DAY1), consent(3, DAY1)]})
    next_run(lake, tmp_path, 2, DAY1)
    assert of_batches(lake) == [(1, 2, 1, 1), (1, 2, 2, 0)]
    assert lake.read(ALL["bronze.consents"]).count() == lake.read(ALL["silver.consents"]).count() == 3
    assert len(known_files(tmp_path / "lake", DAY1, DAY1)) == 2
    assert begun(tmp_path).batches == ()
    before = versions(lake)
    next_run(lake, tmp_path, 3, DAY1)
    assert versions(lake) == before


def test_a_day_that_was_cut_off_doubles_nothing_though_another_day_ran_in_between(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, {f"consents/{DAY1}/a.jsonl": [consent(1, DAY1)], f"consents/{DAY2}/a.jsonl": [consent(1, DAY2)]})
    cut_off_before(monkeypatch, run_context(lake, tmp_path, (DAY1,)), "ops.batch_files")
    next_run(lake, tmp_path, 2, DAY2)
    next_run(lake, tmp_path, 3, DAY1)
    assert lake.read(ALL["bronze.consents"]).count() == 2
    assert of_batches(lake) == [(1, 1, 1, 0), (1, 1, 1, 0)]


def test_the_id_of_a_batch_that_was_cut_off_is_refused_with_other_content(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "landing" / f"{name}.jsonl" for name in "ab"]
    land(tmp_path, {"a.jsonl": [consent(1, DAY1)], "b.jsonl": [consent(2, DAY1)]})
    first, other = (make_batch("consents", DAY1, find_files([path]), "one id") for path in paths)
    cut_off_before(monkeypatch, run_context(lake, tmp_path, (DAY1,), batches=(first,)), "ops.batches")
    with pytest.raises(InputRefusedError, match="other content"):
        s1_bronze.run(run_context(lake, tmp_path, (DAY1,), batches=(other,)))
    s1_bronze.run(run_context(lake, tmp_path, (DAY1,), batches=(first,)))
    assert of_batches(lake) == [(1, 1, 1, 0)]


def test_a_lake_of_which_nothing_is_sure_counts_the_records_of_its_own_batches_as_good(
    lake: Lake, tmp_path: Path
) -> None:
    land(tmp_path, {f"consents/{DAY1}/a.jsonl": [consent(1, DAY1), consent(2, DAY1)]})
    days = (DAY1,)
    context = run_context(lake, tmp_path, days)
    s1_bronze.run(context)
    lake.delete_keys(ALL["ops.batches"], lake.read(ALL["ops.batches"]).select("feed", "interval", "batch_id"))
    Marks(tmp_path).set("bronze")
    ingest(run_context(lake, tmp_path, days, run_id="r000002-2025-01-01"))
    assert balances(lake)["consents", DAY1] == (2, 2, 0, 0, 0)
    assert lake.read(ALL["bronze.consents"]).count() == 2


def test_an_observation_with_other_content_is_refused_and_the_first_kept(lake: Lake, tmp_path: Path) -> None:
    land(tmp_path, {f"observations/{DAY1}/a.jsonl": [registration(1, PHONE), registration(3, "13800138000")]})
    ingest(run_context(lake, tmp_path, (DAY1,)))
    land(tmp_path, {f"observations/{DAY2}/a.jsonl": [registration(1, "13912345679")]})
    ingest(run_context(lake, tmp_path, (DAY2,)))
    rows = lake.read(ALL["silver.identity_observations"]).collect()
    assert sorted((row["observation_id"], str(row["interval"])) for row in rows) == [("crm-1", DAY1), ("crm-3", DAY1)]
    rules = {row["rule"] for row in lake.read(ALL["identity.rejections"]).collect()}
    assert rules == {"conflicting_content", "reject_value"}
