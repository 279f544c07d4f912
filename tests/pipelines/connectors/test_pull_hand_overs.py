"""Pulling how WeCom hand-overs ended: of every pair that the landing knows, and of nobody twice."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.connectors.wecom_hand_overs import ASKED, ASKED_OF_LEAVER, RESULT, RESULT_OF_LEAVER
from pipelines.simulate import platform_wecom_hand_overs
from pipelines.simulate.brand import CORPS
from pipelines.simulate.clock import DAY
from pipelines.simulate.platform_wecom_hand_overs import WecomHandOverCalls
from pipelines.simulate.relations import TRANSFER_DONE, TRANSFER_REFUSED, TRANSFER_WAITING, Contact, Transfer
from pipelines.simulate.server import PlatformServer
from tests.pipelines.connectors.test_pull_wecom_activity import CONFIG, CORP, ID, NOW, ask
from tests.pipelines.connectors.test_readable import facts_of
from tests.pipelines.connectors.trial import Now, Trial

ONLY = frozenset({"wecom"})
DAY_OF_NOW, MONTH_AGO, LONG_AGO = "2025-01-09", "2024-12-20", "2024-12-01"


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    """A home and a platform whose first corp has a leaver, and customers who were handed over or shall be."""
    with PlatformServer(CONFIG, Now(NOW)) as server:
        accounts = server.accounts()
        accounts["wecom"] = [{**accounts["wecom"][0], "activity": ["hand_overs"]}]
        server.accounts = lambda: accounts  # type: ignore[method-assign]  # one corp is enough
        yield Trial(tmp_path, server, Now(NOW), ONLY)


def hand_over(trial: Trial, contact: Contact, status: int, *, asked_at: int, taken_at: int = 0) -> tuple[str, str]:
    """The contact is handed to another guide who is there; gives the two."""
    taker = next(guide for guide in trial.server.wecom.staff(CORP) if guide is not contact.guide)
    contact.transfer = Transfer(taker, asked_at, status, taken_at)
    return contact.guide.userid, taker.userid


def contacts_of(trial: Trial, *, left: bool) -> list[Contact]:
    """Customers of guides who left, or who are there."""
    there = {guide.userid for guide in trial.server.wecom.staff(CORP)}
    mine = [one for one in trial.server.data.contacts if one.corp == CORP and one.stands_at(NOW)]
    found = [one for one in mine if (one.guide.userid not in there) == left]
    for one in found:
        one.transfer = None
    return found


def land(trial: Trial, day: str, method: str, pair: tuple[str, str], *, corp: str = ID, zipped: bool = False) -> None:
    """The answer to a request for hand-overs, as the program that asked has landed it."""
    params = {"handover_userid": pair[0], "takeover_userid": pair[1]}
    context = {"corp_id": corp, "method": method, "params": params}
    payload = {"errcode": 0, "errmsg": "ok", "customer": [{"external_userid": "wmExampleAAAA0001", "errcode": 0}]}
    folder = trial.home / "landing" / "wecom_transfers" / day
    folder.mkdir(parents=True, exist_ok=True)
    line = orjson.dumps({"context": context, "payload": payload}) + b"\n"
    name = f"asked-{len(list(folder.iterdir()))}.jsonl"
    (folder / f"{name}.gz").write_bytes(gzip.compress(line)) if zipped else (folder / name).write_bytes(line)


def results(trial: Trial) -> list[tuple[str, str, str, str, int]]:
    """(method, old guide, new guide, customer, status) of everything pulled."""
    return sorted(
        (context["method"], *context["params"].values(), row["external_userid"], row["status"])
        for context, payload in trial.lines("wecom_transfers")
        if context["method"] in (RESULT, RESULT_OF_LEAVER)
        for row in payload["customer"]
    )


def asked(trial: Trial) -> list[tuple[str, str, str]]:
    """(method, old guide, new guide) of every call for results."""
    return [
        (method, params["handover_userid"], params["takeover_userid"])
        for method, params in trial.server.wecom.calls
        if method in (RESULT, RESULT_OF_LEAVER)
    ]


def external(trial: Trial, contact: Contact) -> str:
    return trial.server.data.brand.ids.external_userid(ID, contact.person.index)


def test_every_customer_of_a_landed_request_has_a_result(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_wecom_hand_overs, "MOST_ROWS", 1)
    first, second, third = [one for one in contacts_of(trial, left=False) if one.guide.userid][:3]
    first.guide = second.guide = third.guide
    pair = hand_over(trial, first, TRANSFER_DONE, asked_at=NOW - 3 * DAY, taken_at=NOW - 2 * DAY)
    hand_over(trial, second, TRANSFER_REFUSED, asked_at=NOW - 3 * DAY)
    hand_over(trial, third, TRANSFER_DONE, asked_at=NOW - 60, taken_at=NOW + DAY)
    land(trial, MONTH_AGO, ASKED, pair)
    assert trial.pull().failures == []
    told = {(*pair, external(trial, first), 1), (*pair, external(trial, second), 3), (*pair, external(trial, third), 2)}
    assert results(trial) == sorted((RESULT, *one) for one in told)


def test_customers_of_leavers_are_asked_for_with_every_guide_who_is_there(trial: Trial) -> None:
    taken, *waiting = contacts_of(trial, left=True)
    pair = hand_over(trial, taken, TRANSFER_DONE, asked_at=NOW - 2 * DAY, taken_at=NOW - DAY)
    assert trial.pull().failures == []
    assert results(trial) == [(RESULT_OF_LEAVER, *pair, external(trial, taken), 1)]
    staff = {guide.userid for guide in trial.server.wecom.staff(CORP)}
    leavers = {one.guide.userid for one in waiting}
    assert sorted(asked(trial)) == sorted((RESULT_OF_LEAVER, old, new) for old in leavers for new in staff)
    assert leavers != set()


def test_who_handed_over_and_who_took_becomes_a_fact(trial: Trial) -> None:
    contact = contacts_of(trial, left=False)[0]
    pair = hand_over(trial, contact, TRANSFER_DONE, asked_at=NOW - 2 * DAY, taken_at=NOW - DAY)
    land(trial, DAY_OF_NOW, ASKED, pair)
    trial.pull()
    follows = {
        (fact.row["userid"], fact.row["status"])
        for fact in facts_of(trial.home / "landing")
        if fact.feed == "wecom_transfers" and fact.table == "silver.contact_follows"
    }
    assert follows >= {(pair[0], "transferred"), (pair[1], "active")}


@pytest.mark.parametrize("zipped", [False, True])
def test_a_pair_is_asked_for_once_however_often_it_was_landed(trial: Trial, zipped: bool) -> None:
    pair = hand_over(trial, contacts_of(trial, left=False)[0], TRANSFER_WAITING, asked_at=NOW - DAY)
    for day in (MONTH_AGO, DAY_OF_NOW, DAY_OF_NOW):
        land(trial, day, ASKED, pair, zipped=zipped)
    trial.pull()
    trial.pull()
    assert asked(trial).count((RESULT, *pair)) == 1


def test_pairs_of_other_corps_and_of_long_ago_are_not_asked_for(trial: Trial) -> None:
    contacts_of(trial, left=True)
    there = [guide.userid for guide in trial.server.wecom.staff(CORP)][:2]
    land(trial, LONG_AGO, ASKED, (there[0], there[1]))
    land(trial, DAY_OF_NOW, ASKED, (there[0], there[1]), corp=CORPS[1].corp_id)
    (trial.home / "landing" / "wecom_transfers" / DAY_OF_NOW / "odd.jsonl").write_bytes(b"no json\n[]\n{}\n")
    assert trial.pull().failures == []
    assert [one for one in asked(trial) if one[0] == RESULT] == []


def test_a_pair_of_which_one_is_gone_keeps_no_other_back(trial: Trial) -> None:
    pair = hand_over(
        trial, contacts_of(trial, left=False)[0], TRANSFER_DONE, asked_at=NOW - 2 * DAY, taken_at=NOW - DAY
    )
    land(trial, DAY_OF_NOW, ASKED, ("aaa-gone", pair[1]))
    land(trial, DAY_OF_NOW, ASKED_OF_LEAVER, (pair[0], pair[1]))
    land(trial, DAY_OF_NOW, ASKED, pair)
    assert trial.pull().failures == []
    assert [one[:3] for one in results(trial)] == [(RESULT, *pair)]


def test_a_right_that_is_missing_is_a_failure_of_this_source_alone(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [guide.userid for guide in trial.server.wecom.staff(CORP)][:2]
    land(trial, DAY_OF_NOW, ASKED, (there[0], there[1]))
    monkeypatch.setattr(WecomHandOverCalls, "methods", lambda _: {})
    report = trial.pull()
    assert [source for source, _ in report.failures] == [f"wecom/hand_overs/{ID}"]
    assert "48002" in report.failures[0][1].message


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 40058),
        ({"handover_userid": "", "takeover_userid": "a"}, 40058),
        ({"handover_userid": ["a"], "takeover_userid": "a"}, 40058),
        ({"handover_userid": "nobody", "takeover_userid": "guide00001"}, 60111),
        ({"cursor": "mine"}, 40058),
    ],
)
def test_the_simulated_platform_refuses_what_the_real_one_does(
    trial: Trial, body: dict[str, Any], errcode: int
) -> None:
    one, other = [guide.userid for guide in trial.server.wecom.staff(CORP)][:2]
    full = {"handover_userid": one, "takeover_userid": other, **body} if "cursor" in body else body
    assert ask(trial.server, RESULT, full)["errcode"] == errcode
    assert ask(trial.server, RESULT_OF_LEAVER, {"handover_userid": one, "takeover_userid": other})["errcode"] == 60111
