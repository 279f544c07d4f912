"""A parser or value map that was mended speaks for all of history: silver is made anew from bronze, which stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.embedded import connected
from pipelines.errors import InputRefusedError
from pipelines.jobs import s2_silver, worker
from pipelines.jobs.reread import MARK
from pipelines.jobs.s3_derived import DRAWN, Days, observe_order_phones
from pipelines.keys import create_keys
from pipelines.retention import retain
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import QualitySettings, RetentionSettings, Settings
from pipelines.sources import FEED_PARSERS
from pipelines.sources.base import Parsed, Record, RecordRefusedError
from pipelines.spec import Table
from pipelines.store.lake import Lake
from pipelines.store.local import LocalLake
from pipelines.store.marks import Marks
from pipelines.tables import ALL, SILVER
from tests.pipelines.jobs.composed import DAY1, DAY2, POLICY, ROOT, land, order, run_context, worker_setup
from tests.pipelines.jobs.test_ingest import DAYS, FILES, ingest, new_lake, state, versions
from tests.pipelines.jobs.test_relation_history import Brand

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.e2e

Mend = Callable[[Record, Parsed], Parsed]
MADE = {table.full_name for table in SILVER} | {"identity.rejections"}


@pytest.fixture(autouse=True, scope="module")
def _in_process() -> Iterator[None]:
    with connected():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake holds all days, brought in by one run."""
    home = tmp_path_factory.mktemp("home")
    land(home, FILES)
    lake = new_lake(home)
    with connected():
        ingest(run_context(lake, home, DAYS))
    observe_order_phones(lake.local, POLICY, Days())  # as the stitcher does
    return home


@pytest.fixture
def lake(base: Path, tmp_path: Path) -> Lake:
    """The lake of a home of the test's own."""
    shutil.copytree(base, tmp_path, dirs_exist_ok=True)
    return new_lake(tmp_path)


def again(lake: Lake, home: Path, *, run: int = 2) -> None:
    """Silver is made anew."""
    s2_silver.run(run_context(lake, home, DAYS[:1], batches=(), reread=True, run_id=f"r{run:06d}-{DAY1}"))


def mend(monkeypatch: pytest.MonkeyPatch, feed: str, mended: Mend) -> None:
    """The parser of a feed says something else from now on."""
    parser = FEED_PARSERS[feed]

    def parse(record: Record) -> Parsed:
        return mended(record, parser.parse(record))

    monkeypatch.setitem(worker.FEED_PARSERS, feed, replace(parser, parse=parse))


def told(table: str, **values: Any) -> Mend:
    """The rows of a table say these values."""

    def mended(_: Record, parsed: Parsed) -> Parsed:
        parsed.rows[:] = [(name, {**row, **values} if name == table else row) for name, row in parsed.rows]
        return parsed

    return mended


def changed(before: dict[str, int], lake: Lake) -> set[str]:
    """Tables of facts that have another version than before."""
    return {name for name, version in versions(lake).items() if before.get(name) != version} & MADE


def test_read_again_by_the_same_parsers_nothing_changes(lake: Lake, tmp_path: Path) -> None:
    before, rows = versions(lake), state(lake)
    again(lake, tmp_path)
    assert (versions(lake), state(lake)) == (before, rows)


def test_a_mended_parser_speaks_for_history_and_bronze_stays(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versions(lake)
    mend(monkeypatch, "douyin_orders", told("silver.orders", city="杭州"))
    again(lake, tmp_path)
    rows = lake.read(ALL["silver.orders"]).collect()
    assert {row["city"] for row in rows} == {"杭州"}
    assert changed(before, lake) == {"silver.orders"}
    assert {name: versions(lake)[name] for name in before if name.startswith("bronze.")} == {
        name: version for name, version in before.items() if name.startswith("bronze.")
    }


def test_what_an_older_version_filled_in_and_a_mended_parser_leaves_out_goes(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert any(row["join_scene"] for row in lake.read(ALL["silver.group_members"]).collect())
    mend(monkeypatch, "wecom_group_chats", told("silver.group_members", join_scene=None))
    again(lake, tmp_path)
    rows = lake.read(ALL["silver.group_members"]).collect()
    assert rows
    assert {row["join_scene"] for row in rows} == {None}
    assert {row["status"] for row in rows} == {"in", "left"}


def test_rows_and_evidence_that_no_record_gives_any_more_are_gone(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, "consents", lambda record, parsed: Parsed())
    mend(monkeypatch, "observations", lambda record, parsed: Parsed())
    again(lake, tmp_path)
    assert lake.read(ALL["silver.consents"]).count() == 0
    assert not lake.read(ALL["silver.identity_observations"]).where("observation_id LIKE 'crm-%'").collect()
    assert not lake.read(ALL["identity.rejections"]).where("observation_id LIKE 'crm-%'").collect()


def test_evidence_that_a_mended_parser_reads_otherwise_takes_the_place_of_the_old(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_phone(_: Record, parsed: Parsed) -> Parsed:
        for stated in parsed.observations:
            stated["ids"] = [one for one in stated["ids"] if one["namespace"] != "phone"]
        return parsed

    mend(monkeypatch, "observations", without_phone)
    again(lake, tmp_path)
    rows = lake.read(ALL["silver.identity_observations"]).where("observation_id = 'crm-1'").collect()
    assert [[one["namespace"] for one in row["ids"]] for row in rows] == [["member_id"]]
    assert not lake.read(ALL["identity.rejections"]).where("rule = 'conflicting_content'").collect()


def test_a_parser_that_refuses_what_it_took_before_changes_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(record: Record, parsed: Parsed) -> Parsed:
        raise RecordRefusedError("bad_value", "nothing is good any more")

    before = versions(lake)
    mend(monkeypatch, "douyin_orders", refuse)
    with pytest.raises(InputRefusedError, match=r"would be refused now: 6 of 6 records refused \(bad_value 6\)"):
        again(lake, tmp_path)
    assert (changed(before, lake), Marks(tmp_path).is_set(MARK)) == (set(), False)


def test_facts_whose_raw_records_were_retired_stay(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = state(lake)
    for table in ALL.layer("bronze"):
        if lake.exists(table):
            held = lake.local.scan(table).collect()
            lake.local.replace_all(table, held.filter(held["interval"].cast(str) > DAY1))
    again(lake, tmp_path)
    after = state(lake)
    for name in MADE & set(rows):
        assert after[name] == rows[name], name
    mend(monkeypatch, "douyin_orders", told("silver.orders", city="杭州"))
    again(lake, tmp_path, run=3)
    cities = {str(row["interval"]): row["city"] for row in lake.read(ALL["silver.orders"]).collect()}
    assert (cities[DAY1], cities[DAY2]) == ("杭州市", "杭州")


def test_a_run_that_was_cut_off_is_taken_up_by_the_next(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(monkeypatch, "douyin_orders", told("silver.orders", city="杭州"))
    mend(monkeypatch, "consents", told("silver.consents", source="app"))
    written = lake.local.replace_all

    def replace_all(table: Table, new: Any) -> Any:
        if table.full_name == "silver.consents":
            raise KeyboardInterrupt
        return written(table, new)

    with monkeypatch.context() as patched:
        patched.setattr(lake.local, "replace_all", replace_all)
        with pytest.raises(KeyboardInterrupt):
            again(lake, tmp_path)
    assert Marks(tmp_path).is_set(MARK)
    again(lake, tmp_path, run=3)
    assert {row["source"] for row in lake.read(ALL["silver.consents"]).collect()} == {"app"}
    assert not Marks(tmp_path).is_set(MARK)


def test_a_run_carries_what_a_mended_parser_says_into_gold_and_the_next_run_finds_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path, conf=ROOT / "conf", quality=QualitySettings(data_docs=False))  # type: ignore[call-arg]
    create_keys(settings.keys)
    land(tmp_path, {f"douyin_orders/{DAY1}/a.jsonl": [order(1, DAY1)]})

    def run(**words: bool) -> int:
        with connected():
            report = run_pipeline(no_cluster, settings, RunRequest(DAY1, DAY1, **words), lambda text: None)
        return int(str(report["changed_rows"]))

    def cities() -> set[str]:
        return set(LocalLake(settings.lake).scan(ALL["gold.fact_order_line"]).collect()["city"])

    run()
    people = LocalLake(settings.lake).scan(ALL["identity.oneids"]).collect()
    mend(monkeypatch, "douyin_orders", told("silver.orders", city="杭州"))
    assert run(full=True) == 0
    assert cities() == {"杭州市"}
    run(reread=True)
    assert cities() == {"杭州"}
    assert LocalLake(settings.lake).scan(ALL["identity.oneids"]).collect().equals(people)
    assert run(reread=True) == 0


def test_evidence_that_the_stitcher_drew_from_decrypted_phones_is_drawn_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> list[tuple[str, str]]:
        rows = lake.local.scan(ALL["silver.identity_observations"]).collect().to_dicts()
        return [(str(row["interval"]), row["content_hash"]) for row in rows if row["observation_id"].startswith(DRAWN)]

    before, found = versions(lake), drawn()
    assert len(found) == 1
    again(lake, tmp_path)
    assert (versions(lake), drawn()) == (before, found)
    mend(monkeypatch, "douyin_orders", told("silver.order_phones", role="recipient"))
    again(lake, tmp_path, run=3)
    assert len(drawn()) == 1
    assert drawn() != found


def test_known_phones_get_the_hashed_forms_of_a_merchant_key_that_came_later(lake: Lake, tmp_path: Path) -> None:
    def vault() -> dict[str, tuple[str, list[str]]]:
        rows = lake.local.scan(ALL["silver.pii_vault"]).collect().to_dicts()
        return {row["token"]: (row["cipher"], [form["namespace"] for form in row["forms"] or ()]) for row in rows}

    def read(run: int, *merchants: str) -> None:
        setup = worker_setup(tmp_path / "staging")
        setup = replace(setup, mix_keys={**setup.mix_keys, **{name: f"key of {name}" for name in merchants}})
        context = run_context(lake, tmp_path, DAYS[:1], batches=(), reread=True, run_id=f"r{run:06d}-{DAY1}")
        s2_silver.run(replace(context, setup=setup))

    before, mixed = vault(), "tmall_mix_mobile"
    read(2, "another shop")
    after = vault()
    assert {token: cipher for token, (cipher, _) in after.items()} == {t: cipher for t, (cipher, _) in before.items()}
    gained = {token: forms.count(mixed) - before[token][1].count(mixed) for token, (_, forms) in after.items() if forms}
    assert gained
    assert set(gained.values()) == {1}
    version = versions(lake)["silver.pii_vault"]
    read(3, "another shop")
    assert versions(lake)["silver.pii_vault"] == version


def test_behaviour_that_was_retired_before_its_records_does_not_come_back(tmp_path: Path) -> None:
    brand = Brand(tmp_path)
    brand.settings = brand.settings.model_copy(update={"retention": RetentionSettings(events_days=2)})
    brand.run(1, 5)
    before = len(brand.rows("silver.events", "event_id"))
    retain(brand.settings, "2025-01-05", dry_run=False)
    left = brand.rows("silver.events", "event_id")
    assert 0 < len(left) < before
    brand.run(5, 5, reread=True)
    assert brand.rows("silver.events", "event_id") == left


@pytest.mark.spark
def test_the_cluster_makes_the_same_of_bronze(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    before, rows = versions(lake), state(lake)
    lake.local.replace_all(ALL["silver.orders"], lake.local.scan(ALL["silver.orders"]).head(1).collect())
    with connected(on=False):
        again(Lake(spark, tmp_path / "lake"), tmp_path)
    assert state(lake) == rows
    assert changed(before, lake) == {"silver.orders"}


def no_cluster() -> SparkSession:
    raise AssertionError("a few rows need no cluster")
