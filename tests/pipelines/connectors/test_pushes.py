"""Pushes through the API to the landing: doubled ones do no harm, lost ones are healed by the pull."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from pipelines.simulate.clock import DAY
from pipelines.simulate.pushes import Push, PushRates, pushes
from pipelines.simulate.server import PlatformServer
from serving.contract.pull_queue import waiting
from tests.pipelines.connectors.test_pull_douyin import landed_orders, world_orders
from tests.pipelines.connectors.test_readable import facts_of
from tests.pipelines.connectors.trial import CONFIG, END, Now, Trial
from tests.serving.client import Api, FakeClock, World


@pytest.fixture
def pushed(tmp_path: Path) -> Iterator[tuple[Trial, Api, list[Push]]]:
    """A home whose API takes the platform's pushes, and those that reach it: a tenth is lost, a third comes twice."""
    with PlatformServer(CONFIG, Now()) as server:
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys" / "platforms.yaml").write_text(yaml.safe_dump(server.accounts()), encoding="utf-8")
        api = World(tmp_path, wall=FakeClock(END * 1000)).api_with(None)
        sent = pushes(server.data, END - DAY, rates=PushRates(lost=0.1, doubled=0.3), seed=4)
        yield Trial(tmp_path, server, Now(), frozenset({"douyin", "wecom"})), api, sent
        api.close()


def deliver(api: Api, push: Push) -> Any:
    return api.ask("POST", push.path, content=push.body, params=dict(push.query), headers=dict(push.headers))


def messages(bodies: list[bytes]) -> set[str]:
    found = [message for body in bodies for message in orjson.loads(body)]
    return {str(message.get("msg_id") or message.get("msgId")) for message in found}


def test_every_push_that_comes_is_a_fact_and_every_lost_one_is_healed(pushed: tuple[Trial, Api, list[Push]]) -> None:
    trial, api, sent = pushed
    assert {deliver(api, push).status_code for push in sent} == {200}
    hinted = {ticket.hint for ticket in waiting(trial.home)}
    report = trial.pull()
    assert (report.failures, report.details.failed) == ([], 0)
    assert (report.details.fetched, waiting(trial.home)) == (len(hinted), ())
    shop_bodies = [push.body for push in sent if "/douyin/" in push.path]
    landed = [orjson.dumps(payload) for _, payload in trial.lines("douyin_messages")]
    assert len(landed) == len(shop_bodies) > len(set(shop_bodies))
    assert messages(landed) == messages(shop_bodies)
    assert landed_orders(trial) == world_orders(trial.server, END - 5 * DAY)
    tables = {(fact.feed, fact.table) for fact in facts_of(trial.home / "landing")}
    assert {("douyin_messages", "silver.events"), ("wecom_events", "silver.events")} <= tables


def test_a_forged_push_among_them_is_refused(pushed: tuple[Trial, Api, list[Push]]) -> None:
    _, api, sent = pushed
    changed = {"event-sign": "0" * 32}
    forged = [
        Push(push.path, push.body.replace(b"<", b"< ", 1), {**push.query, "nonce": "x"}, changed) for push in sent[:20]
    ]
    assert {deliver(api, push).status_code for push in forged} == {403}
