"""Joinings and leavings of a customer group from raw records to features: who came back joined anew, a dismissed group
has nobody in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.jobs.composed import Files, line
from tests.pipelines.jobs.test_relation_history import FRIEND, OTHER, WECOM, Brand, day, second

pytestmark = pytest.mark.e2e


def told(
    number: int, detail: str = "", members: tuple[str, ...] = (), *, change: str = "update", more: str = ""
) -> str:
    """A callback about the group at 10:00 of the day."""
    fields = f"<ToUserName>{WECOM['corp_id']}</ToUserName><CreateTime>{second(number)}</CreateTime>"
    fields += f"<Event>change_external_chat</Event><ChangeType>{change}</ChangeType><ChatId>wrA</ChatId>{more}"
    items = "".join(f"<Item>{member}</Item>" for member in members)
    fields += f"<UpdateDetail>{detail}</UpdateDetail><MemChangeList>{items}</MemChangeList>" if detail else ""
    return line(f"<xml>{fields}</xml>", **WECOM, received_at=f"{day(number)}T10:00:01+08:00")


def member(userid: str, joined: int, scene: int, **known: Any) -> dict[str, Any]:
    return {"userid": userid, "type": 2, "join_time": second(joined), "join_scene": scene, **known}


def listing(number: int, *members: dict[str, Any]) -> str:
    """A full listing of the evening of the day."""
    group = {"chat_id": "wrA", "owner": "g1", "create_time": second(1), "member_list": list(members)}
    context = {**WECOM, "method": "externalcontact/groupchat/get", "received_at": f"{day(number)}T23:00:00+08:00"}
    return line({"errcode": 0, "group_chat": group}, **context)


INVITED = member(FRIEND, 1, 1, invitor={"userid": "g1"})
FILES: Files = {
    f"wecom_group_chats/{day(1)}/a.jsonl": [listing(1, INVITED, member(OTHER, 1, 3, state="st"))],
    f"wecom_events/{day(2)}/a.jsonl": [told(2, "del_member", (FRIEND,), more="<QuitScene>0</QuitScene>")],
    f"wecom_events/{day(3)}/a.jsonl": [told(3, "add_member", (FRIEND,), more="<JoinScene>3</JoinScene>")],
    f"wecom_group_chats/{day(3)}/a.jsonl": [listing(3, member(FRIEND, 3, 3), member(OTHER, 1, 3, state="st"))],
    f"wecom_events/{day(4)}/a.jsonl": [told(4, change="dismiss")],
}
MEMBER = ("member_id", "status", "join_scene", "invitor_userid", "state")
CHANGE = ("member_id", "change", "join_scene", "invitor_userid", "state")


@pytest.fixture(scope="module")
def open_group(tmp_path_factory: pytest.TempPathFactory) -> Brand:
    """Before the group was dismissed, the days run backwards."""
    brand = Brand(tmp_path_factory.mktemp("open"), FILES)
    for number in (3, 2, 1):
        brand.run(number, number)
    return brand


def test_who_came_back_joined_this_way_and_not_as_before(open_group: Brand) -> None:
    assert open_group.rows("silver.group_members", *MEMBER) == [
        (FRIEND, "in", "qr", None, None),
        (OTHER, "in", "qr", None, "st"),
    ]


def test_every_joining_and_leaving_is_one_row(open_group: Brand) -> None:
    assert open_group.rows("silver.group_member_changes", *CHANGE) == [
        (FRIEND, "joined", "invited", "g1", None),
        (FRIEND, "joined", "qr", None, None),
        (FRIEND, "left", None, None, None),
        (OTHER, "joined", "qr", None, "st"),
    ]


def test_a_customer_joined_when_they_first_did_and_each_time_is_a_touch(open_group: Brand) -> None:
    first = open_group.rows("features.customer_features", "first_group_at")
    assert {int(row[0].timestamp()) for row in first} == {second(1)}
    touches = open_group.rows("features.touchpoints", "business_date", "kind", "detail")
    joins = sorted((str(at), detail) for at, kind, detail in touches if kind == "group_join")
    assert joins == [(day(1), "invited"), (day(1), "st"), (day(3), "qr")]


def test_a_dismissed_group_has_nobody_in_it(tmp_path: Path) -> None:
    brand = Brand(tmp_path, FILES)
    brand.run(1, 4)
    left = {
        (member, status, int(at.timestamp()))
        for member, status, at in brand.rows("silver.group_members", "member_id", "status", "left_at")
    }
    assert left == {(FRIEND, "left", second(4)), (OTHER, "left", second(4))}
    assert brand.rows("gold.dim_group", "status", "customers", "customers_ever") == [("dismissed", 0, 2)]
    assert set(brand.rows("features.customer_features", "is_group_member", "groups")) == {(False, 0)}
