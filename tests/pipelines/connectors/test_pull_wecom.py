"""Pulling WeCom: every relation, group and figure that stands, by cursor, once a business day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.connectors import wecom
from pipelines.connectors.errors import RateLimitedError, RetryableError, TerminalError, TokenRefusedError
from pipelines.simulate import wire_wecom
from pipelines.simulate.brand import CORPS
from pipelines.simulate.chaos import ChaosRates
from pipelines.simulate.clock import DAY
from pipelines.simulate.platform_wecom import WecomPlatform
from pipelines.simulate.server import PlatformRules, PlatformServer
from serving.contract.pull_queue import Hint, enqueue, waiting
from tests.pipelines.connectors.trial import CONFIG, END, Now, Trial

ONLY = frozenset({"wecom"})
Relation = tuple[str, str, str]


def landed_relations(trial: Trial) -> set[Relation]:
    """(corp, contact, guide) of every batch element."""
    return {
        (context["corp_id"], row["external_contact"]["external_userid"], row["follow_info"]["userid"])
        for context, payload in trial.lines("wecom_contacts")
        for row in payload.get("external_contact_list", [])
    }


def world_relations(server: PlatformServer) -> set[Relation]:
    """The same of the world: every relation whose guide is still there."""
    found: set[Relation] = set()
    for number, corp in enumerate(CORPS):
        staff = {guide.userid for guide in server.wecom.staff(number)}
        for contact in server.wecom.contacts(number):
            record = wire_wecom.contact_record(contact, server.data.now, server.data.brand)
            userid = record["follow_info"]["userid"]
            if userid in staff:
                found.add((corp.corp_id, record["external_contact"]["external_userid"], userid))
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """A platform on a good day."""
    with PlatformServer(CONFIG, Now()) as running:
        yield running


@pytest.fixture
def calm(server: PlatformServer, tmp_path: Path) -> Trial:
    """A fresh home against it."""
    return Trial(tmp_path, server, Now(), ONLY)


def test_every_relation_and_group_arrives_by_cursor(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom, "PAGE", 3)
    monkeypatch.setattr(wecom, "STAFF_AT_ONCE", 3)
    assert calm.pull().failures == []
    assert landed_relations(calm) == world_relations(calm.server)
    assert len(landed_relations(calm)) > 10
    groups = {p["group_chat"]["chat_id"] for _, p in calm.lines("wecom_group_chats") if "group_chat" in p}
    assert groups == {group.chat_id for corp in range(2) for group in calm.server.wecom.groups(corp)} != set()


def answered_once(platform: WecomPlatform, method: str, change: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """The platform's answers, one of which to the method is changed: the first for which `change` gives something."""
    asked, done = platform.answer, []

    def answer(called: str, query: Any, body: bytes) -> Any:
        given = asked(called, query, body)
        changed = change(orjson.loads(body), given) if called == method and not done else None
        done.extend([changed] if changed else [])
        return changed or given

    return answer


@pytest.mark.parametrize("code", [49008, 86003])
def test_a_group_that_is_gone_since_it_was_listed_keeps_no_other_back(
    calm: Trial, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    platform = calm.server.wecom
    answer = answered_once(platform, wecom.GROUP, lambda _, given: {"errcode": code, "errmsg": "x"})
    monkeypatch.setattr(platform, "answer", answer)
    assert calm.pull().failures == []
    groups = {p["group_chat"]["chat_id"] for _, p in calm.lines("wecom_group_chats") if "group_chat" in p}
    assert len(groups) == len({group.chat_id for corp in range(2) for group in platform.groups(corp)}) - 1 > 1


def test_a_group_that_is_refused_by_itself_is_owed_and_keeps_no_other_back(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, asked = calm.server.wecom, calm.server.wecom.answer
    all_groups = {group.chat_id for corp in range(2) for group in platform.groups(corp)}
    refused = min(all_groups)

    def answer(called: str, query: Any, body: bytes) -> Any:
        mine = called == wecom.GROUP and orjson.loads(body)["chat_id"] == refused
        return {"errcode": 90500, "errmsg": "x"} if mine else asked(called, query, body)

    monkeypatch.setattr(platform, "answer", answer)
    report = calm.pull()
    assert (report.failures, report.details.failed) == ([], 1)
    groups = {p["group_chat"]["chat_id"] for _, p in calm.lines("wecom_group_chats") if "group_chat" in p}
    assert groups == all_groups - {refused} != set()
    assert [ticket.hint.object_id for ticket in waiting(calm.home)] == [refused]


def test_an_app_that_may_ask_for_no_group_is_told_so_after_a_few(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    platform, asked = calm.server.wecom, calm.server.wecom.answer
    monkeypatch.setattr(wecom, "REFUSED_AT_FIRST", 1)
    refused: list[str] = []

    def answer(called: str, query: Any, body: bytes) -> Any:
        if called != wecom.GROUP:
            return asked(called, query, body)
        refused.append(orjson.loads(body)["chat_id"])
        return {"errcode": 48002, "errmsg": "x"}

    monkeypatch.setattr(platform, "answer", answer)
    report = calm.pull()
    assert {source.split("/")[1] for source, _ in report.failures} == {"groups"}
    assert (len(refused), waiting(calm.home)) == (2, ())


def test_guides_without_customers_keep_no_others_back(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom, "STAFF_AT_ONCE", 1)
    silent: list[str] = []

    def nobody(asked: Any, given: Any) -> Any:
        silent.extend(asked["userid_list"])
        return {"errcode": 84061, "errmsg": "x"}

    answer = answered_once(calm.server.wecom, wecom.CONTACTS, nobody)
    monkeypatch.setattr(calm.server.wecom, "answer", answer)
    assert calm.pull().failures == []
    wanted = {relation for relation in world_relations(calm.server) if relation[2] not in silent}
    assert landed_relations(calm) >= wanted
    assert len(silent) == 1
    assert wanted


def test_a_guide_without_customers_hides_none_of_those_asked_for_with_it(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, asked = calm.server.wecom, calm.server.wecom.answer
    silent = min(userid for _, _, userid in world_relations(calm.server))

    def answer(called: str, query: Any, body: bytes) -> Any:
        refused = called == wecom.CONTACTS and silent in orjson.loads(body)["userid_list"]
        return {"errcode": 84061, "errmsg": "x"} if refused else asked(called, query, body)

    monkeypatch.setattr(platform, "answer", answer)
    assert calm.pull().failures == []
    wanted = {relation for relation in world_relations(calm.server) if relation[2] != silent}
    assert landed_relations(calm) == wanted != set()


@pytest.mark.parametrize(
    "change",
    [
        lambda asked, given: {"errcode": 50100, "errmsg": "x"} if asked["cursor"] else None,
        lambda asked, given: {**given, "next_cursor": asked["cursor"]} if asked["cursor"] else None,
    ],
)
def test_a_listing_whose_cursor_ends_or_comes_back_is_begun_again(
    calm: Trial, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any, Any], Any]
) -> None:
    monkeypatch.setattr(wecom, "PAGE", 3)
    monkeypatch.setattr(calm.server.wecom, "answer", answered_once(calm.server.wecom, wecom.CONTACTS, change))
    assert calm.pull().failures == []
    assert landed_relations(calm) == world_relations(calm.server)


def test_a_contact_whose_cursor_comes_back_stays_in_the_queue(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    calm.pull()
    corp, external, _ = sorted(landed_relations(calm))[0]
    enqueue(calm.home, [Hint("wecom", corp, "contact", external)])
    asked = calm.server.wecom.answer

    def answer(called: str, query: Any, body: bytes) -> Any:
        given = asked(called, query, body)
        return {**given, "next_cursor": "again"} if called == wecom.CONTACT else given

    monkeypatch.setattr(calm.server.wecom, "answer", answer)
    assert (calm.pull().details.failed, len(waiting(calm.home))) == (1, 1)


def test_figures_come_for_each_guide_and_whole_day(calm: Trial) -> None:
    calm.pull()
    found = {
        (context["params"]["userid"], row["stat_time"]): row
        for context, payload in calm.lines("wecom_staff_stats")
        for row in payload.get("behavior_data", [])
    }
    staff = [guide.userid for corp in range(2) for guide in calm.server.wecom.staff(corp)]
    days = range(END - 8 * DAY, END, DAY)
    assert found == {(user, day): calm.server.wecom.figures([user], day) for user in staff for day in days}


def test_leavers_customers_and_tags_arrive(calm: Trial) -> None:
    calm.pull()
    waiting_for = [row for _, payload in calm.lines("wecom_transfers") for row in payload["info"]]
    left = {guide.userid for guide in calm.server.data.brand.guides if guide.left_day is not None}
    assert {row["handover_userid"] for row in waiting_for} <= left
    assert {context["corp_id"] for context, _ in calm.lines("wecom_tags")} == {corp.corp_id for corp in CORPS}


def test_the_state_is_taken_once_a_business_day(calm: Trial) -> None:
    assert calm.pull().records["wecom_contacts"] > 0
    assert calm.pull().records == {}
    calm.now.second += DAY
    calm.server.data.clock = calm.now
    try:
        assert calm.pull().records["wecom_contacts"] > 0
    finally:
        calm.server.data.clock = Now()


def test_a_rough_day_with_short_lived_tokens_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom, "PAGE", 9)
    with PlatformServer(CONFIG, Now(), PlatformRules(ChaosRates.rough(), seed=3, token_calls=6)) as server:
        trial = Trial(tmp_path, server, Now(), ONLY)
        report = trial.pull()
        assert report.failures == []
        assert report.retries > 10
        assert landed_relations(trial) == world_relations(server)


def test_a_hinted_contact_is_fetched_with_all_its_guides(calm: Trial) -> None:
    calm.pull()
    corp, external, _ = sorted(landed_relations(calm))[0]
    enqueue(calm.home, [Hint("wecom", corp, "contact", external)])
    assert calm.pull().details.fetched == 1
    assert waiting(calm.home) == ()
    [answer] = [payload for _, payload in calm.lines("wecom_contacts") if "external_contact" in payload]
    assert {follow["userid"] for follow in answer["follow_user"]} >= {
        guide for known_corp, known, guide in landed_relations(calm) if (known_corp, known) == (corp, external)
    }


def test_a_wrong_secret_ends_the_corps_sources_only(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = calm.server.accounts()
    accounts["wecom"][0]["secret"] = "not the secret"
    monkeypatch.setattr(calm.server, "accounts", lambda: accounts)
    report = calm.pull()
    assert {source.split("/")[2] for source, _ in report.failures} == {CORPS[0].corp_id}
    assert {corp for corp, _, _ in landed_relations(calm)} == {CORPS[1].corp_id}
    assert all("not the secret" not in str(error) for _, error in report.failures)


def test_no_secret_is_logged(calm: Trial, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        calm.pull()
    assert [record for record in caplog.records if record.name == "httpx"] == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [(-1, RetryableError), (45009, RateLimitedError), (42001, TokenRefusedError), (60111, TerminalError)],
)
def test_an_errcode_says_what_helps(code: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        wecom.judge("m", {"errcode": code, "errmsg": "x"})


@pytest.mark.parametrize("answer", [{"errcode": 0}, {"openid": "o"}])
def test_an_answer_without_an_errcode_is_good(answer: dict[str, Any]) -> None:
    wecom.judge("m", answer)


def test_a_corp_is_asked_as_often_as_its_entry_grants(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    document = calm.server.accounts()
    document["wecom"] = [{**document["wecom"][0], "activity": [], "calls_per_second": 2}]
    monkeypatch.setattr(calm.server, "accounts", lambda: document)
    monkeypatch.setattr("pipelines.connectors.calls.time.monotonic", lambda: 100.0)
    waits: list[float] = []
    report = calm.pull(sleep=waits.append)
    assert (report.failures, len(waits), waits[0]) == ([], report.calls - 1, 0.5)
