"""Pulling what WeCom tells beside relations: posts, people served, customers of links, figures of groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from pipelines.connectors import wecom, wecom_activity
from pipelines.simulate.brand import CORPS
from pipelines.simulate.chaos import ChaosRates
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.config import Dirt, SimulationConfig
from pipelines.simulate.platform_wecom_activity import WecomActivityCalls
from pipelines.simulate.server import PlatformRules, PlatformServer
from serving.contract.platforms import Platforms, WecomActivity
from tests.pipelines.connectors.test_readable import facts_of
from tests.pipelines.connectors.trial import END, Now, Trial

ONLY = frozenset({"wecom"})
CONFIG = SimulationConfig(people=400, days=8, seed=11, dirt=Dirt.none(), avg_events_per_person=0.0)
START = END - 4 * DAY
NOW = START + 8 * DAY
SINCE = START - DAY
CORP, ID = 0, CORPS[0].corp_id


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """A platform on a good day."""
    with PlatformServer(CONFIG, Now(NOW)) as running:
        yield running


@pytest.fixture
def calm(server: PlatformServer, tmp_path: Path) -> Trial:
    """A fresh home against it."""
    return Trial(tmp_path, server, Now(NOW), ONLY)


def told(server: PlatformServer) -> WecomActivityCalls:
    """What the platform knows, asked without HTTP."""
    return WecomActivityCalls(server.data, server.wecom.staff, server.wecom.groups)


def landed(trial: Trial, feed: str, field: str) -> list[tuple[str, dict[str, Any]]]:
    """(corp, row) of every row of the lists of this name."""
    found = trial.lines(feed)
    return [(context["corp_id"], row) for context, payload in found for row in payload.get(field, [])]


def timeless(row: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    """A row without the id that is another in every round."""
    return tuple(sorted((name, value) for name, value in row.items() if name != "tmp_openid"))


def ask(server: PlatformServer, method: str, body: dict[str, Any], corp: str = ID) -> dict[str, Any]:
    """The answer to a call made by hand."""
    account = next(one for one in server.accounts()["wecom"] if one["corp_id"] == corp)
    with httpx.Client(base_url=f"{server.url}/cgi-bin/") as client:
        keys = {"corpid": corp, "corpsecret": account["secret"]}
        token = client.get("gettoken", params=keys).json()["access_token"]
        answer: dict[str, Any] = client.post(method, params={"access_token": token}, json=body).json()
    return answer


def test_every_post_of_the_window_arrives_by_cursor(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom_activity, "MOMENT_PAGE", 2)
    assert calm.pull(since=SINCE).failures == []
    world = [(corp.corp_id, post) for n, corp in enumerate(CORPS) for post in told(calm.server).posts(n, SINCE, NOW)]
    found = landed(calm, "wecom_staff_stats", "moment_list")
    assert sorted(found, key=str) == sorted(world, key=str)
    assert len(found) > 4


def test_everyone_served_arrives_in_one_round_strangers_and_groups_too(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wecom_activity, "LIST_PAGE", 7)
    calm.pull(since=SINCE)
    for number, corp in enumerate(CORPS):
        mine = [row for where, row in landed(calm, "wecom_contacts", "info_list") if where == corp.corp_id]
        assert sorted(map(timeless, mine)) == sorted(map(timeless, told(calm.server).served(number, "any")))
        assert {len(set(rounds)) for rounds in rounds_of(mine).values()} == {1}
        assert len(mine) > 7
    found = [row for _, row in landed(calm, "wecom_contacts", "info_list")]
    assert {row["is_customer"] for row in found} == {True, False}
    assert any("chat_id" in row for row in found)


def rounds_of(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """By customer the temporary ids they came under."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if "external_userid" in row:
            found.setdefault(row["external_userid"], []).append(row["tmp_openid"])
    return found


def test_customers_of_every_link_arrive_with_the_link_that_brought_them(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wecom_activity, "LINK_PAGE", 2)
    monkeypatch.setattr(wecom_activity, "LIST_PAGE", 1)
    calm.pull(since=SINCE)
    calls, world = told(calm.server), []
    for number in range(len(CORPS)):
        for link, guide in calls.links(number).items():
            world += [(link, row) for row in calls.acquired(number, guide)]
    found = [
        (context["params"]["link_id"], row)
        for context, payload in calm.lines("wecom_contacts")
        for row in payload.get("customer_list", [])
    ]
    assert sorted(found, key=str) == sorted(world, key=str)
    assert len(found) > len({link for link, _ in found}) > 1


def test_figures_of_groups_come_for_each_owner_and_whole_day(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom_activity, "STAFF_AT_ONCE", 2)
    monkeypatch.setattr(wecom_activity, "LIST_PAGE", 1)
    calm.pull(since=START)
    found = {
        (row["owner"], context["params"]["day_begin_time"]): row
        for context, payload in calm.lines("wecom_staff_stats")
        for row in payload.get("items", [])
    }
    calls = told(calm.server)
    world = {
        (guide.userid, day): row
        for number in range(len(CORPS))
        for guide in calm.server.wecom.staff(number)
        for day in range(START - 3 * DAY, NOW, DAY)
        if (row := calls.group_figures(number, guide.userid, (day, day)))
    }
    assert found == world
    assert len({day for _, day in found}) > 5


def test_a_figure_of_groups_counts_the_world(server: PlatformServer) -> None:
    group = server.wecom.groups(CORP)[0]
    last = NOW - DAY
    row = told(server).group_figures(CORP, group.owner.userid, (last, last))
    assert row is not None
    mine = [one for one in server.wecom.groups(CORP) if one.owner.userid == group.owner.userid]
    assert row["data"]["chat_total"] == len(mine)
    assert row["data"]["member_total"] == sum(1 + len(one.members_at(NOW - 1)) for one in mine)


def test_activity_becomes_events_and_nothing_is_refused(calm: Trial) -> None:
    calm.pull(since=SINCE)
    facts = list(facts_of(calm.home / "landing"))
    events = {fact.row["event"] for fact in facts if fact.table == "silver.events"}
    kinds = {"moment.personal", "served.customer", "served.stranger", "customer_acquisition.wrote"}
    assert events >= kinds | {"customer_acquisition.silent"}
    assert {fact.row["stat_date"] for fact in facts if fact.table == "silver.group_daily"}


def test_activity_is_pulled_once_a_business_day_and_from_the_mark_on(calm: Trial) -> None:
    def asked(method: str) -> list[dict[str, Any]]:
        return [body for called, body in calm.server.wecom.calls if called == method]

    calm.pull(since=SINCE)
    calm.server.wecom.calls.clear()
    assert calm.pull().records == {}
    calm.now.second += DAY
    calm.server.data.clock = calm.now
    try:
        calm.pull()
    finally:
        calm.server.data.clock = Now(NOW)
    spans = {(body["start_time"], body["end_time"]) for body in asked(wecom_activity.MOMENTS)}
    assert spans == {(NOW - DAY, NOW + DAY)}
    assert {body["day_begin_time"] for body in asked(wecom_activity.GROUP_FIGURES)} == set(
        range(NOW - 3 * DAY, NOW + DAY, DAY)
    )


def test_a_corp_is_asked_only_for_what_it_names(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = calm.server.accounts()
    accounts["wecom"][0]["activity"] = ["moments"]
    del accounts["wecom"][1]["activity"]
    monkeypatch.setattr(calm.server, "accounts", lambda: accounts)
    calm.server.wecom.calls.clear()
    assert calm.pull(since=SINCE).failures == []
    activity = set(told(calm.server).methods())
    assert {method for method, _ in calm.server.wecom.calls} & activity == {wecom_activity.MOMENTS}
    assert {corp for corp, _ in landed(calm, "wecom_staff_stats", "moment_list")} == {ID}


def test_a_right_the_app_lacks_ends_that_source_alone(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom_activity, "SERVED", "externalcontact/not_granted")
    report = calm.pull(since=SINCE)
    assert {source.split("/")[1] for source, _ in report.failures} == {"served"}
    assert all("48002" in error.message for _, error in report.failures)
    assert landed(calm, "wecom_contacts", "customer_list") != []


def test_a_kind_of_activity_that_does_not_exist_is_refused(server: PlatformServer) -> None:
    accounts = server.accounts()
    accounts["wecom"][0]["activity"] = ["gossip"]
    with pytest.raises(ValueError, match="activity"):
        Platforms.model_validate(accounts)


def test_every_kind_of_activity_is_a_source(calm: Trial) -> None:
    corp = calm.platforms().wecom[0]
    nothing: Any = None
    client = wecom.WecomClient(corp, caller=nothing, endpoint="", owe=nothing)
    found = [source.key.split("/")[1] for source in wecom_activity.activity_sources(client, calm.home)]
    assert found == list(get_args(WecomActivity))


def test_apps_of_one_corp_pull_each_thing_once_whichever_of_them_may(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second app has a wrong secret, so what only it names fails, and nothing else."""
    accounts = calm.server.accounts()
    first = {**accounts["wecom"][0], "activity": ["moments"]}
    second = {**first, "activity": ["moments", "served"], "secret": "not the secret"}
    accounts["wecom"] = [first, second]
    monkeypatch.setattr(calm.server, "accounts", lambda: accounts)
    report = calm.pull(since=SINCE)
    assert [source for source, _ in report.failures] == [f"wecom/served/{ID}"]
    assert landed(calm, "wecom_staff_stats", "moment_list") != []


def test_a_rough_day_with_short_lived_tokens_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom_activity, "LIST_PAGE", 30)
    with PlatformServer(CONFIG, Now(NOW), PlatformRules(ChaosRates.rough(), seed=3, token_calls=6)) as server:
        trial = Trial(tmp_path, server, Now(NOW), ONLY)
        report = trial.pull(since=NOW - 2 * DAY)
        assert report.failures == []
        assert report.retries > 10
        rows = [row for corp, row in landed(trial, "wecom_contacts", "info_list") if corp == ID]
        assert sorted(map(timeless, rows)) == sorted(map(timeless, told(server).served(CORP, "any")))


@pytest.mark.parametrize(
    ("method", "body", "errcode"),
    [
        (wecom_activity.MOMENTS, {}, 40058),
        (wecom_activity.MOMENTS, {"start_time": NOW - 31 * DAY, "end_time": NOW}, 40058),
        (wecom_activity.MOMENTS, {"start_time": NOW, "end_time": NOW - 1}, 40058),
        (wecom_activity.MOMENTS, {"start_time": SINCE, "end_time": NOW, "filter_type": 3}, 40058),
        (wecom_activity.MOMENTS, {"start_time": SINCE, "end_time": NOW, "cursor": "mine"}, 40058),
        (wecom_activity.SERVED, {"limit": 1001}, 40058),
        (wecom_activity.SERVED, {"cursor": "after-1"}, 40058),
        (wecom_activity.SERVED, {"cursor": "round-0-99/after-1"}, 40058),
        (wecom_activity.LINKS, {"limit": 101}, 40058),
        (wecom_activity.ACQUIRED, {"link_id": "none"}, 40058),
        (wecom_activity.ACQUIRED, {"limit": 10}, 40058),
        (wecom_activity.GROUP_FIGURES, {"day_begin_time": SINCE}, 40058),
        (wecom_activity.GROUP_FIGURES, {"day_begin_time": SINCE, "owner_filter": {"userid_list": ["none"]}}, 60111),
        (
            wecom_activity.GROUP_FIGURES,
            {"day_begin_time": NOW - 181 * DAY, "owner_filter": {"userid_list": ["guide00001"]}},
            40058,
        ),
        (
            wecom_activity.GROUP_FIGURES,
            {"day_begin_time": NOW - 31 * DAY, "day_end_time": NOW, "owner_filter": {"userid_list": ["guide00001"]}},
            40058,
        ),
    ],
)
def test_the_simulated_platform_refuses_what_the_real_one_does(
    server: PlatformServer, method: str, body: dict[str, Any], errcode: int
) -> None:
    assert ask(server, method, body)["errcode"] == errcode


def test_more_posts_than_a_page_may_hold_fall_back_to_the_most(server: PlatformServer) -> None:
    answer = ask(server, wecom_activity.MOMENTS, {"start_time": SINCE, "end_time": NOW, "limit": 500})
    assert (answer["errcode"], len(answer["moment_list"]) <= wecom_activity.MOMENT_PAGE) == (0, True)


def test_a_cursor_of_people_served_ends_after_four_hours_and_each_round_has_ids_of_its_own(
    server: PlatformServer,
) -> None:
    first, second = (ask(server, wecom_activity.SERVED, {"limit": 1}) for _ in range(2))
    assert timeless(first["info_list"][0]) == timeless(second["info_list"][0])
    assert first["info_list"][0]["tmp_openid"] != second["info_list"][0]["tmp_openid"]
    assert ask(server, wecom_activity.SERVED, {"limit": 1, "cursor": first["next_cursor"]})["errcode"] == 0
    server.data.clock = Now(NOW + 4 * HOUR + 1)
    try:
        late = ask(server, wecom_activity.SERVED, {"limit": 1, "cursor": first["next_cursor"]})
    finally:
        server.data.clock = Now(NOW)
    assert late["errcode"] == 40058
