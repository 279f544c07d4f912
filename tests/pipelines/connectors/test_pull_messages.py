"""Pulling Tmall's messages: landed before they are confirmed, each until the platform knows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.connectors import tmall_messages
from pipelines.connectors.tmall import signed_form
from pipelines.connectors.tmall_messages import CONFIRM, CONSUME
from pipelines.jobs.records import make_record, records_of_line
from pipelines.simulate.brand import TMALL_SHOPS
from pipelines.simulate.chaos import ChaosRates
from pipelines.simulate.clock import DAY
from pipelines.simulate.server import PlatformRules, PlatformServer
from pipelines.sources import FEED_PARSERS
from pipelines.sources.config import load_sources
from serving.contract.platforms import TmallApp
from serving.contract.pull_queue import waiting
from tests.pipelines.connectors.trial import CONFIG, END, Now, Trial

ONLY = frozenset({"tmall"})
CONF = Path(__file__).resolve().parents[3] / "conf"


@pytest.fixture
def server() -> Iterator[PlatformServer]:
    with PlatformServer(CONFIG, Now(END - DAY)) as running:
        yield running


@pytest.fixture
def trial(server: PlatformServer, tmp_path: Path) -> Trial:
    return Trial(tmp_path, server, Now(END - DAY), ONLY)


def ids(server: PlatformServer) -> set[int]:
    """The numbers of what waits on the platform."""
    apps = sorted({shop.app_key for shop in TMALL_SHOPS})
    return {message["id"] for app in apps for message in server.tmall.queue.waiting(app)}


def waits(server: PlatformServer, app: str) -> list[dict[str, Any]]:
    return server.tmall.queue.waiting(app)


def landed(trial: Trial) -> list[dict[str, Any]]:
    found = [payload for _, payload in trial.lines("tmall_messages")]
    return [
        message for payload in found for message in payload["tmc_messages_consume_response"]["messages"]["tmc_message"]
    ]


def test_every_waiting_message_is_landed_once_and_confirmed(trial: Trial, server: PlatformServer) -> None:
    expected = ids(server)
    assert len(expected) > 20
    assert trial.pull().failures == []
    assert sorted(message["id"] for message in landed(trial)) == sorted(expected)
    assert ids(server) == set()
    trial.pull()
    assert len(landed(trial)) == len(expected)


def test_messages_are_taken_in_batches_until_none_is_left(
    trial: Trial, server: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tmall_messages, "AT_ONCE", 10)
    expected = ids(server)
    trial.pull()
    assert {message["id"] for message in landed(trial)} == expected
    assert sum(method == CONSUME for method, _ in server.tmall.calls) > len(expected) // 10


def test_what_could_not_be_confirmed_comes_again_and_is_one_event(
    trial: Trial, server: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = server.tmall.queue.confirmed
    monkeypatch.setattr(server.tmall.queue, "confirmed", set())
    monkeypatch.setattr(tmall_messages, "MOST_ROUNDS", 1)
    assert [source for source, _ in trial.pull().failures] == ["tmall/messages/" + app for app in apps()]
    monkeypatch.setattr(server.tmall.queue, "confirmed", confirmed)
    monkeypatch.setattr(tmall_messages, "MOST_ROUNDS", 100)
    trial.pull()
    assert {message["id"] for message in landed(trial)} >= ids(server)
    assert ids(server) == set()


def apps() -> list[str]:
    return sorted({shop.app_key for shop in TMALL_SHOPS})


def test_nothing_is_confirmed_that_did_not_reach_the_landing(
    trial: Trial, server: PlatformServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    expected = ids(server)
    monkeypatch.setattr("pipelines.connectors.sink.Part.add", full)
    with pytest.raises(OSError, match="No space"):
        trial.pull()
    assert ids(server) == expected
    assert not any(method == CONFIRM for method, _ in server.tmall.calls)


def test_a_message_of_a_trade_or_refund_without_a_buyer_has_its_trade_pulled(
    trial: Trial, server: PlatformServer
) -> None:
    nameless = {
        orjson.loads(message["content"])["tid"]
        for app in apps()
        for message in waits(server, app)
        if "buyer_open_uid" not in orjson.loads(message["content"])
    }
    assert len(nameless) > 1
    assert any(message["topic"].startswith("taobao_refund") for app in apps() for message in waits(server, app))
    report = trial.pull()
    assert report.details.fetched == len(nameless)
    assert waiting(trial.home) == ()


def test_all_is_taken_through_failures(tmp_path: Path) -> None:
    rates = ChaosRates(system_error=0.1, limited=0.05, too_many=0.05, bad_gateway=0.05, cut=0.1)
    with PlatformServer(CONFIG, Now(END - DAY), PlatformRules(rates)) as server:
        trial = Trial(tmp_path, server, Now(END - DAY), ONLY)
        expected = ids(server)
        assert trial.pull().failures == []
        assert {message["id"] for message in landed(trial)} == expected


def test_a_day_without_a_pull_is_told_as_a_gap(trial: Trial, server: PlatformServer) -> None:
    trial.pull()
    trial.now.second += 2 * DAY
    server.data.clock.second += 2 * DAY  # type: ignore[attr-defined]  # the clock of the test
    gaps = {gap.source: gap.end - gap.start for gap in trial.pull().gaps}
    assert {gaps["tmall/messages/" + app] for app in apps()} == {DAY}


def test_an_app_without_a_group_asks_for_no_messages(trial: Trial, server: PlatformServer) -> None:
    document = server.accounts()
    for app in document["tmall"]:
        app["message_group"] = ""
    server.accounts = lambda: document  # type: ignore[method-assign]  # another file of accounts
    trial.pull()
    assert landed(trial) == []


def test_messages_become_events_and_refunds_of_their_seller(trial: Trial) -> None:
    trial.pull()
    parser, settings = FEED_PARSERS["tmall_messages"], load_sources(CONF)["tmall"]
    rows: list[tuple[str, dict[str, Any]]] = []
    for path in sorted((trial.home / "landing" / "tmall_messages").rglob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines()):
            for raw in records_of_line(number, line, parser=parser, settings=settings, interval=path.parts[-2]):
                parsed = parser.parse(make_record(raw, parser, settings))
                assert (parsed.unknown, parsed.unknown_values) == ({}, [])
                rows += parsed.rows
    sellers = {shop.seller_nick for shop in TMALL_SHOPS}
    assert {row["shop_id"] for table, row in rows if table == "silver.refunds"} <= sellers
    assert {table for table, _ in rows} == {"silver.events", "silver.refunds"}


@pytest.mark.parametrize(
    ("method", "params", "sub_code"),
    [
        (CONSUME, {"quantity": "9"}, "quantity"),
        (CONSUME, {"quantity": "201"}, "quantity"),
        (CONSUME, {"group_name": "other"}, "group_name"),
        (CONFIRM, {"s_message_ids": ""}, "s_message_ids"),
        (CONFIRM, {"s_message_ids": ",".join(["1"] * 201)}, "s_message_ids"),
    ],
)
def test_the_platform_is_strict_about_its_messages(
    server: PlatformServer, method: str, params: dict[str, str], sub_code: str
) -> None:
    app = TmallApp.model_validate(server.accounts()["tmall"][0])
    answer = server.tmall.answer(signed_form(app, method, params, now=server.data.now))
    assert answer["error_response"]["sub_code"] == f"isv.invalid-parameter:{sub_code}"
