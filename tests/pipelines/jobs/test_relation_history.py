"""The history of a relation from raw records to gold: added, deleted, shown all the same, added again, handed over."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.embedded import connected
from pipelines.keys import create_keys
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import QualitySettings, Settings
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import CORP, ROOT, Files, land, line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.e2e

WECOM = {"platform": "wecom", "corp_id": CORP, "open_platform_id": "op_brand_01"}
FRIEND, OTHER = "wmExampleAAAA0001", "wmExampleBBBB0001"
FIRST_S = 1735696800
"""10:00 on the first of January in Asia/Shanghai."""

DAY_S = 86_400


def day(number: int) -> str:
    return f"2025-01-{number:02d}"


def second(number: int) -> int:
    """10:00 on a day of January."""
    return FIRST_S + (number - 1) * DAY_S


def told(number: int, change: str, *, of: str = FRIEND, guide: str = "lisi", more: str = "") -> str:
    """A callback at 10:00 of the day."""
    fields = f"<ToUserName>{CORP}</ToUserName><CreateTime>{second(number)}</CreateTime>"
    fields += f"<Event>change_external_contact</Event><ChangeType>{change}</ChangeType>"
    fields += f"<UserID>{guide}</UserID><ExternalUserID>{of}</ExternalUserID>{more}"
    return line(f"<xml>{fields}</xml>", **WECOM, received_at=f"{day(number)}T10:00:01+08:00")


def pulled(number: int, added: int, *, of: str = FRIEND, guide: str = "lisi", **known: Any) -> str:
    """The customer in a pull of the evening of the day, added at 10:00 of another."""
    relation = {"userid": guide, "createtime": second(added), "add_way": 1, "state": "", "oper_userid": of} | known
    answer = {"errcode": 0, "external_contact": {"external_userid": of, "type": 1}, "follow_user": [relation]}
    context = {**WECOM, "method": "externalcontact/get", "received_at": f"{day(number)}T23:00:00+08:00"}
    return line(answer, **context)


def handed_over(number: int) -> str:
    """A finished hand-over of the other customer at 10:00 of the day."""
    customer = {"external_userid": OTHER, "status": 1, "takeover_time": second(number)}
    params = {"handover_userid": "lisi", "takeover_userid": "wang"}
    context = {**WECOM, "method": "externalcontact/transfer_result", "params": params}
    return line({"errcode": 0, "customer": [customer]}, **context, received_at=f"{day(number)}T23:00:00+08:00")


FILES: Files = {
    f"wecom_events/{day(1)}/a.jsonl": [told(1, "add_external_contact", more="<State>store</State>")],
    f"wecom_contacts/{day(1)}/a.jsonl": [pulled(1, 1, state="store"), pulled(1, 1, of=OTHER)],
    f"wecom_events/{day(2)}/a.jsonl": [told(2, "del_follow_user")],
    f"wecom_contacts/{day(3)}/a.jsonl": [pulled(3, 1, state="store")],
    f"wecom_events/{day(4)}/a.jsonl": [told(4, "add_external_contact")],
    f"wecom_contacts/{day(4)}/a.jsonl": [pulled(4, 4, add_way=2, oper_userid="lisi")],
    f"wecom_transfers/{day(5)}/a.jsonl": [handed_over(5)],
}
RELATION = ("external_userid", "userid", "status", "state", "add_way", "oper_userid")
CHANGE = ("external_userid", "userid", "change", "state", "add_way", "oper_userid")


class Brand:
    """A lake of a home that runs days."""

    def __init__(self, home: Path, files: Files = FILES) -> None:
        self.settings = Settings(home=home, conf=ROOT / "conf", quality=QualitySettings(data_docs=False))  # type: ignore[call-arg]
        create_keys(self.settings.keys)
        land(home, files)

    def run(self, first: int, last: int, **words: bool) -> None:
        request = RunRequest(day(first), day(last), **words)
        with connected():
            run_pipeline(no_cluster, self.settings, request, lambda text: None, publish=False)

    def rows(self, table: str, *names: str) -> list[tuple[Any, ...]]:
        return sorted(LocalLake(self.settings.lake).scan(ALL[table]).select(names).collect().rows(), key=repr)

    def layers(self) -> list[tuple[str, str, str | None]]:
        """The layers that guides brought about or ended, in the order of days."""
        rows = self.rows("gold.fact_relation_daily", "business_date", "layer", "via", "staff_key")
        return [(str(at), layer, via) for at, layer, via, _ in rows]


def no_cluster() -> SparkSession:
    raise AssertionError("a few rows need no cluster")


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Brand:
    """After a run for each day."""
    brand = Brand(tmp_path_factory.mktemp("daily"))
    for number in range(1, 6):
        brand.run(number, number)
    return brand


def test_a_customer_who_deleted_the_guide_is_no_friend_though_the_guides_list_shows_them(tmp_path: Path) -> None:
    brand = Brand(tmp_path)
    brand.run(1, 3)
    assert (FRIEND, "lisi", "deleted_by_customer", "store", "1", FRIEND) in brand.rows(
        "silver.contact_follows", *RELATION
    )
    assert brand.layers()[-1] == (day(2), "none", None)


def test_who_is_added_again_was_added_by_whom_and_how_this_time(daily: Brand) -> None:
    assert daily.rows("silver.contact_follows", *RELATION) == [
        (FRIEND, "lisi", "active", None, "2", "lisi"),
        (OTHER, "lisi", "transferred", None, "1", OTHER),
        (OTHER, "wang", "active", None, "202", None),
    ]


def test_every_beginning_and_end_is_one_row(daily: Brand) -> None:
    assert daily.rows("silver.contact_follow_changes", *CHANGE) == [
        (FRIEND, "lisi", "began", "store", "1", FRIEND),
        (FRIEND, "lisi", "began", None, "2", "lisi"),
        (FRIEND, "lisi", "deleted_by_customer", None, None, None),
        (OTHER, "lisi", "began", None, "1", OTHER),
        (OTHER, "lisi", "transferred", None, None, None),
        (OTHER, "wang", "began", None, "202", None),
    ]


def test_the_layers_of_the_past_stay_when_a_friend_comes_back(daily: Brand) -> None:
    assert daily.layers() == [
        (day(1), "friend", "friend:1"),
        (day(1), "friend", "friend:store"),
        (day(2), "none", None),
        (day(4), "friend", "friend:2"),
    ]
    adds = [row for row in daily.rows("features.touchpoints", "kind", "detail") if row[0] == "friend_add"]
    assert adds == [("friend_add", detail) for detail in ("1", "2", "202", "store")]


@pytest.mark.parametrize("order", [(5, 4, 3, 2, 1), (3, 5, 1, 4, 2)])
def test_the_order_of_the_days_makes_no_difference(daily: Brand, tmp_path: Path, order: tuple[int, ...]) -> None:
    shutil.copytree(daily.settings.keys, tmp_path / "keys")  # digests of records are keyed
    brand = Brand(tmp_path)
    for number in order:
        brand.run(number, number)
    for table in ("silver.contact_follows", "silver.contact_follow_changes", "gold.fact_relation_daily"):
        names = [name for name in ALL[table].column_names if name != "one_id"]
        assert brand.rows(table, *names) == daily.rows(table, *names), table


def test_a_rebuild_from_bronze_gives_the_same(daily: Brand) -> None:
    tables = ("silver.contact_follows", "silver.contact_follow_changes", "gold.fact_relation_daily")
    before = {table: daily.rows(table, *ALL[table].column_names) for table in tables}
    versions = {table: LocalLake(daily.settings.lake).version(ALL[table]) for table in tables}
    daily.run(5, 5, reread=True)
    assert {table: daily.rows(table, *ALL[table].column_names) for table in tables} == before
    assert {table: LocalLake(daily.settings.lake).version(ALL[table]) for table in tables} == versions
