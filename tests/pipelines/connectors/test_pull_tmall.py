"""Pulling Tmall: the landing holds the platform's world, page by page from the last to the first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines.connectors import tmall, tmall_members
from pipelines.connectors.errors import RateLimitedError, RetryableError, TerminalError
from pipelines.connectors.windows import local_text
from pipelines.simulate.brand import TMALL_SHOPS
from pipelines.simulate.chaos import ChaosRates
from pipelines.simulate.clock import DAY, HOUR
from pipelines.simulate.platform_tmall import TmallPlatform
from pipelines.simulate.platform_tmall_members import TmallMembers
from pipelines.simulate.platform_tmall_pages import second_of
from pipelines.simulate.server import PlatformRules, PlatformServer
from pipelines.simulate.wire_tmall import yuan
from serving.contract.pull_queue import Hint, enqueue, waiting
from tests.pipelines.connectors.trial import CONFIG, END, Now, Trial

ONLY = frozenset({"tmall"})
SINCE = END - 5 * DAY
State = dict[str, tuple[str, str]]


def landed_trades(trial: Trial) -> State:
    """Trade -> last modification and payment; every trade once, by its latest version."""
    found: State = {}
    for _, payload in trial.lines("tmall_trades"):
        for response in payload.values():
            for trade in response["trades"]["trade"] if "trades" in response else [response["trade"]]:
                state = (trade["modified"], trade["payment"])
                found[trade["tid_str"]] = max(found.get(trade["tid_str"], state), state)
    return found


def world_trades(server: PlatformServer, since: int = SINCE) -> State:
    return {
        str(order.number): (local_text(moment), yuan(order.pay_fen))
        for shop in range(len(TMALL_SHOPS))
        for moment, order in server.data.orders("tmall", shop)
        if moment >= since
    }


@pytest.fixture(scope="module")
def server() -> Iterator[PlatformServer]:
    """A platform on a good day."""
    with PlatformServer(CONFIG, Now()) as running:
        yield running


@pytest.fixture
def calm(server: PlatformServer, tmp_path: Path) -> Trial:
    """A fresh home against it."""
    return Trial(tmp_path, server, Now(), ONLY)


def test_the_whole_world_arrives(calm: Trial) -> None:
    assert calm.pull().failures == []
    assert landed_trades(calm) == world_trades(calm.server)
    assert len(landed_trades(calm)) > 20
    cases = {
        refund["refund_id"]: refund["modified"]
        for _, payload in calm.lines("tmall_refunds")
        for refund in payload["refunds_receive_get_response"]["refunds"]["refund"]
    }
    states = [found for shop in range(len(TMALL_SHOPS)) for found in calm.server.data.refunds("tmall", shop)]
    assert cases == {str(refund.number): local_text(at) for at, _, refund in states if at >= SINCE} != {}


def test_the_context_names_the_seller_and_holds_no_session(calm: Trial) -> None:
    calm.pull()
    contexts = [context for context, _ in calm.lines("tmall_trades")]
    assert {context["seller_nick"] for context in contexts} == {shop.seller_nick for shop in TMALL_SHOPS}
    methods = {(context["brand"], context["method"]) for context in contexts}
    assert methods == {("demo_brand", tmall.TRADES), ("demo_brand", tmall.CREATED)}
    assert all("session" not in context["params"] for context in contexts)


def test_pages_are_read_from_the_last_to_the_first(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tmall, "PAGE", 3)
    before = len(calm.server.tmall.calls)
    calm.pull(since=END - DAY)
    asked = [int(params["page_no"]) for method, params in calm.server.tmall.calls[before:] if method == tmall.TRADES]
    assert max(asked) > 2
    assert all(after == page - 1 for page, after in pairwise(asked) if page > 1)
    assert landed_trades(calm).items() >= world_trades(calm.server, END - DAY - 600).items()


def test_a_trade_that_changes_while_a_window_is_paged_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trade of the window leaves it between two pages, as if its buyer had just paid."""
    monkeypatch.setattr(tmall, "PAGE", 2)
    with PlatformServer(CONFIG, Now()) as server:
        answer = TmallPlatform.answer
        gone: set[int] = set()

        def answer_and_change(self: TmallPlatform, form: Any) -> Any:
            given = answer(self, form)
            if form["method"] == tmall.TRADES and form["page_no"] != "1" and not gone:
                shop = next(n for n, shop in enumerate(TMALL_SHOPS) if shop.shop_id == TMALL_SHOPS[0].shop_id)
                rows = server.data.orders("tmall", shop)
                gone.add(rows[-1][1].number)
                server.data._visible["tmall", shop] = (server.data.now, rows[:-1])
            return given

        monkeypatch.setattr(TmallPlatform, "answer", answer_and_change)
        trial = Trial(tmp_path, server, Now(), ONLY)
        expected = world_trades(server)
        assert trial.pull().failures == []
        landed = landed_trades(trial)
    assert gone
    assert set(expected) - set(landed) <= {str(number) for number in gone}


def test_a_trade_that_changes_and_stays_in_the_window_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the platform's clock is behind: the total stays, a trade of the last page is the first of the first."""
    monkeypatch.setattr(tmall, "PAGE", 2)
    with PlatformServer(CONFIG, Now()) as server:
        answer = TmallPlatform.answer
        moved: list[int] = []

        def answer_and_change(self: TmallPlatform, form: Any) -> Any:
            given = answer(self, form)
            trades = next(iter(given.values())).get("trades", {}).get("trade", [])
            if form["method"] == tmall.TRADES and form["page_no"] != "1" and trades and not moved:
                rows = server.data.orders("tmall", 0)
                old = next((row for row in rows if row[1].number == trades[-1]["tid"]), None)
                if old is not None:
                    moved.append(old[1].number)
                    newest = second_of(form["end_modified"], "end_modified")
                    kept = [row for row in rows if row is not old]
                    changed = sorted([*kept, (newest, old[1])], key=lambda row: row[0])
                    server.data._visible["tmall", 0] = (server.data.now, changed)
            return given

        monkeypatch.setattr(TmallPlatform, "answer", answer_and_change)
        trial = Trial(tmp_path, server, Now(), ONLY)
        expected = world_trades(server)
        monkeypatch.setattr(tmall.TmallShopClient, "_created", lambda self, window, part: None)
        assert trial.pull().failures == []
        assert expected.keys() - landed_trades(trial).keys() == set()
        assert moved


def test_the_first_pull_stays_within_three_months_of_which_one_is_february(tmp_path: Path) -> None:
    now = Now(1746072000)
    with PlatformServer(CONFIG, now) as server:
        assert Trial(tmp_path, server, now, ONLY).pull(since=None).failures == []
        starts = {params.get("start_modified", "") for method, params in server.tmall.calls if method == tmall.TRADES}
    assert min(starts) == "2025-02-01 12:02:00"


def test_a_rough_day_changes_nothing(tmp_path: Path) -> None:
    with PlatformServer(CONFIG, Now(), PlatformRules(rates=ChaosRates.rough(), seed=5)) as server:
        trial = Trial(tmp_path, server, Now(), ONLY)
        report = trial.pull()
        assert report.failures == []
        assert report.retries > 3
        assert landed_trades(trial) == world_trades(server)


def created(server: PlatformServer, since: int) -> set[str]:
    orders = [order for shop in range(len(TMALL_SHOPS)) for _, order in server.data.orders("tmall", shop)]
    return {str(order.number) for order in orders if order.created >= since}


def test_trades_that_no_increment_shows_arrive_by_their_creation(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every modification had come to light behind the mark; pages from the last to the first here too."""
    monkeypatch.setattr(tmall, "PAGE", 3)
    asked = calm.server.tmall.answer
    hidden = {"trades_sold_increment_get_response": {"total_results": 0, "request_id": "x"}}
    monkeypatch.setattr(
        calm.server.tmall, "answer", lambda form: hidden if form["method"] == tmall.TRADES else asked(form)
    )
    before = len(calm.server.tmall.calls)
    assert calm.pull().failures == []
    found = landed_trades(calm)
    assert found.keys() == created(calm.server, SINCE - DAY)
    assert found.items() <= world_trades(calm.server, 0).items()
    pages = [int(params["page_no"]) for method, params in calm.server.tmall.calls[before:] if method == tmall.CREATED]
    assert max(pages) > 2
    assert all(after == page - 1 for page, after in pairwise(pages) if page > 1)


def test_what_was_created_is_asked_for_once_a_day_with_the_day_before_again(tmp_path: Path) -> None:
    now = Now(END - DAY)
    with PlatformServer(CONFIG, now) as server:
        trial = Trial(tmp_path, server, now, ONLY)
        for _ in range(3):
            assert trial.pull().failures == []
            now.second += DAY // 2
    starts = {params["start_created"] for method, params in server.tmall.calls if method == tmall.CREATED}
    assert starts == {local_text(SINCE - DAY), local_text(END - 2 * DAY)}


def customers(trial: Trial) -> dict[tuple[str, str], dict[str, Any]]:
    """(seller, ouid) -> entry of the customer lists landed."""
    return {
        (context["seller_nick"], entry["ouid"]): entry
        for context, payload in trial.lines("tmall_members")
        for entry in payload["crm_members_increment_get_response"]["members"]["basic_member"]
    }


def world_customers(server: PlatformServer, since: int) -> dict[tuple[str, str], dict[str, Any]]:
    lists = TmallMembers(server.data)
    return {
        (shop.seller_nick, entry["ouid"]): entry
        for number, shop in enumerate(TMALL_SHOPS)
        for moment, entry in lists.customers(number)
        if moment >= since
    }


@pytest.mark.parametrize("size", [100, 2])
def test_everyone_on_the_sellers_lists_arrives(calm: Trial, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(tmall_members, "PAGE", size)
    assert calm.pull().failures == []
    assert customers(calm) == world_customers(calm.server, SINCE - HOUR)
    assert len(customers(calm)) > 10


def test_lists_are_asked_for_only_where_they_are_named(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = calm.server.accounts()
    del accounts["tmall"][0]["members"]
    monkeypatch.setattr(calm.server, "accounts", lambda: accounts)
    assert calm.pull().failures == []
    assert customers(calm) == {}


def test_a_list_that_changes_while_it_is_paged_hides_nobody(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a first page one of its customers changes: out of this window, and another onto a page already read."""
    monkeypatch.setattr(tmall_members, "PAGE", 2)
    listed, gone = TmallMembers.customers, []

    def customers_now(self: TmallMembers, shop: int) -> list[tuple[int, dict[str, Any]]]:
        found = listed(self, shop)
        if not gone:
            gone.append(found[0][1]["ouid"])
            return found
        return [one for one in found if one[1]["ouid"] != gone[0]]

    monkeypatch.setattr(TmallMembers, "customers", customers_now)
    assert calm.pull().failures == []
    wanted = world_customers(calm.server, SINCE - HOUR).keys()
    assert wanted - customers(calm).keys() == set()
    assert gone != []


def test_a_hinted_trade_is_fetched_whole(calm: Trial) -> None:
    moment, order = calm.server.data.orders("tmall", 0)[0]
    enqueue(calm.home, [Hint("tmall", "21000001", "order", str(order.number), TMALL_SHOPS[0].seller_nick)])
    report = calm.pull(since=END)
    assert (report.details.fetched, waiting(calm.home)) == (1, ())
    assert landed_trades(calm)[str(order.number)] == (local_text(moment), yuan(order.pay_fen))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 7, "sub_code": "accesscontrol.limited-by-app-access-count"}, RateLimitedError),
        ({"code": 15, "sub_code": "isp.remote-service-timeout"}, RetryableError),
        ({"code": 15, "sub_code": "isv.trade-not-exist"}, TerminalError),
        ({"code": 27, "msg": "Invalid session"}, TerminalError),
    ],
)
def test_an_error_answer_says_what_helps(error: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        tmall.judge("m", {"error_response": error})


def test_an_ended_session_asks_for_a_new_one() -> None:
    with pytest.raises(TerminalError) as caught:
        tmall.judge("m", {"error_response": {"code": 27, "sub_code": "isv.invalid-session"}})
    assert "authorise" in caught.value.hint
