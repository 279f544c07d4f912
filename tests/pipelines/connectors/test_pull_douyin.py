"""Pulling Douyin: the landing holds the platform's world, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from pipelines.connectors import douyin, douyin_members
from pipelines.connectors.marks import Marks
from pipelines.simulate.brand import DOUYIN_APP, DOUYIN_SHOPS
from pipelines.simulate.chaos import ChaosRates, Fate
from pipelines.simulate.clock import DAY
from pipelines.simulate.platform_data import secret_of
from pipelines.simulate.platform_douyin import DouyinPlatform
from pipelines.simulate.server import PlatformRules, PlatformServer
from pipelines.simulate.wire_douyin import statuses
from serving.contract.pull_queue import Hint, enqueue, waiting
from serving.contract.signatures import douyin_api_sign
from tests.pipelines.connectors.trial import CONFIG, END, Now, Trial

ONLY = frozenset({"douyin"})
State = dict[str, tuple[int, int, int]]


def world_orders(server: PlatformServer, since: int) -> State:
    """Order id -> last update, status, amount, as the world says."""
    return {
        str(order.number): (moment, statuses(order, moment)[0], order.pay_fen)
        for shop in range(len(DOUYIN_SHOPS))
        for moment, order in server.data.orders("douyin", shop)
        if moment >= since
    }


def landed_orders(trial: Trial) -> State:
    """The same of the landing: of every order the version updated last."""
    found: State = {}
    for _, payload in trial.lines("douyin_orders"):
        data = payload["data"]
        for order in data.get("shop_order_list") or [data.get("shop_order_detail")]:
            if order:
                state = (order["update_time"], order["order_status"], order["pay_amount"])
                found[order["order_id"]] = max(found.get(order["order_id"], state), state)
    return found


def case_states(trial: Trial) -> dict[str, int]:
    return {
        item["aftersale_info"]["aftersale_id"]: item["aftersale_info"]["update_time"]
        for _, payload in trial.lines("douyin_refunds")
        for item in payload["data"]["items"]
    }


@pytest.fixture(scope="module")
def calm_server() -> Iterator[PlatformServer]:
    """A platform on a good day; nobody moves its clock."""
    with PlatformServer(CONFIG, Now()) as server:
        yield server


@pytest.fixture
def calm(calm_server: PlatformServer, tmp_path: Path) -> Trial:
    """A fresh home against it, its clock in step with the platform's."""
    return Trial(tmp_path, calm_server, Now(), ONLY)


def test_the_whole_world_arrives(calm: Trial) -> None:
    report = calm.pull()
    assert report.failures == []
    assert landed_orders(calm) == world_orders(calm.server, END - 5 * DAY)
    cases = [found for shop in range(3) for found in calm.server.data.refunds("douyin", shop)]
    states = {str(refund.number): moment for moment, _, refund in cases if moment >= END - 5 * DAY}
    assert case_states(calm) == states != {}
    assert len(landed_orders(calm)) > 40


def test_the_context_says_whose_answer_it_is(calm: Trial) -> None:
    calm.pull()
    shops = {(context["app_key"], context["shop_id"]) for context, _ in calm.lines("douyin_orders")}
    assert shops <= {(shop.app_key, str(shop.shop_id)) for shop in DOUYIN_SHOPS}
    methods = {context["method"] for context, _ in calm.lines("douyin_orders")}
    assert methods == {"order.searchList", "order.batchDecrypt"}
    assert {context["received_at"] for context, _ in calm.lines("douyin_orders")} == {"2025-01-05T00:00:00+08:00"}


def test_phones_are_asked_for_paid_orders_only(calm: Trial) -> None:
    calm.pull()
    asked = {
        info["auth_id"]
        for context, payload in calm.lines("douyin_orders")
        if context["method"] == "order.batchDecrypt"
        for info in payload["data"]["decrypt_infos"]
    }
    paid = {
        order["order_id"]
        for _, payload in calm.lines("douyin_orders")
        for order in payload["data"].get("shop_order_list", [])
        if order["pay_time"]
    }
    assert asked == paid


def test_a_second_pull_asks_for_the_overlap_only(calm: Trial) -> None:
    first = calm.pull()
    second = calm.pull()
    assert sum(second.records.values()) < sum(first.records.values()) / 4
    assert second.failures == []


def test_errors_limits_cuts_and_time_outs_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(douyin, "PAGE", 4)
    rates = ChaosRates(0.06, 0.06, 0.06, 0.06, 0.06, 0.02, 0.3)
    rules = PlatformRules(rates, token_calls=15)
    with PlatformServer(CONFIG, Now(), rules) as server:
        trial = Trial(tmp_path, server, Now(), ONLY)
        report = trial.pull(since=END - 5 * DAY)
        assert report.failures == []
        assert landed_orders(trial) == world_orders(server, END - 5 * DAY)
        injected = {fate.value: server.chaos.counts[fate.value] for fate in Fate if fate is not Fate.ANSWERED}
        assert report.retries >= sum(injected.values())
        assert min(injected.values()) > 0
        assert server.chaos.counts["duplicated"] > 0


def test_a_platform_that_limits_calls_is_waited_for(tmp_path: Path) -> None:
    now = Now()
    with PlatformServer(CONFIG, now, PlatformRules(calls_per_second=5)) as server:
        trial = Trial(tmp_path, server, now, ONLY)

        def wait(seconds: float) -> None:
            now.second += int(seconds)

        report = trial.pull(sleep=wait)
        assert report.failures == []
        assert landed_orders(trial).items() >= world_orders(server, END - 5 * DAY).items()
        assert len(server.douyin.calls) == report.calls - report.retries
        assert report.retries == now.second - END == (len(server.douyin.calls) - 1) // 5


def test_a_pull_killed_in_the_middle_is_continued(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        """Stands for the end of the process."""

    asked = 0
    send = httpx.Client.send

    def send_until(self: httpx.Client, *args: Any, **options: Any) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 8:
            raise KilledError
        return send(self, *args, **options)

    monkeypatch.setattr(httpx.Client, "send", send_until)
    with pytest.raises(KilledError):
        calm.pull()
    part = landed_orders(calm)
    report = calm.pull()
    whole = world_orders(calm.server, END - 5 * DAY)
    assert 0 < len(part) < len(whole)
    assert landed_orders(calm) == whole
    assert report.failures == []


def test_late_updates_are_caught_by_the_overlap(tmp_path: Path) -> None:
    now = Now(END - DAY)
    with PlatformServer(CONFIG, now, PlatformRules(late_seconds=500)) as server:
        trial = Trial(tmp_path, server, now, ONLY)
        for hour in range(0, 25, 8):
            now.second = END - DAY + hour * 3600
            assert trial.pull(since=END - 2 * DAY).failures == []
        now.second += 600
        trial.pull()
        assert landed_orders(trial) == world_orders(server, END - 2 * DAY)


def test_an_outage_longer_than_the_history_is_reported_as_a_gap(tmp_path: Path) -> None:
    now = Now(END)
    with PlatformServer(CONFIG, now) as server:
        trial = Trial(tmp_path, server, now, ONLY)
        trial.pull(since=END - DAY)
        now.second = END + 100 * DAY
        report = trial.pull()
    gaps = [gap for gap in report.gaps if "order.searchList" in gap.source]
    assert len(gaps) == len(DOUYIN_SHOPS)
    assert {gap.start for gap in gaps} == {END}
    assert all(0 < now.second - 90 * DAY - gap.start < gap.end - gap.start for gap in gaps)


def test_a_window_that_holds_too_much_is_asked_for_in_halves(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(douyin, "MOST_WANTED", 12)
    before = len(calm.server.douyin.calls)
    assert calm.pull().failures == []
    assert landed_orders(calm) == world_orders(calm.server, END - 5 * DAY)
    windows = {
        params["update_time_end"] - params["update_time_start"]
        for method, params in calm.server.douyin.calls[before:]
        if method == douyin.ORDERS
    }
    assert min(windows) < DAY < 5 * DAY < max(windows)


def test_an_order_that_changes_while_a_window_is_paged_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first page its first order leaves the window, as if its buyer had just paid."""
    monkeypatch.setattr(douyin, "PAGE", 2)
    with PlatformServer(CONFIG, Now()) as server:
        answer = DouyinPlatform.answer
        gone: list[str] = []

        def answer_and_change(self: DouyinPlatform, method: str, query: Any, body: bytes) -> Any:
            given = answer(self, method, query, body)
            shown = given.get("data", {}).get("shop_order_list")
            if shown and not gone:
                gone.append(shown[0]["order_id"])
                rows = server.data.orders("douyin", 0)
                kept = [row for row in rows if str(row[1].number) != gone[0]]
                server.data._visible["douyin", 0] = (server.data.now, kept)
            return given

        monkeypatch.setattr(DouyinPlatform, "answer", answer_and_change)
        trial = Trial(tmp_path, server, Now(), ONLY)
        expected = world_orders(server, END - 5 * DAY)
        assert trial.pull().failures == []
        assert set(expected) - set(landed_orders(trial)) <= set(gone)
        assert gone


@pytest.mark.parametrize("behind", [0, 30])
def test_an_order_that_changes_and_stays_in_the_window_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    """As where the platform's clock is behind: the total stays, the first order is the last now."""
    monkeypatch.setattr(douyin, "PAGE", 2)
    with PlatformServer(CONFIG, Now()) as server:
        answer = DouyinPlatform.answer
        moved: list[str] = []

        def answer_and_change(self: DouyinPlatform, method: str, query: Any, body: bytes) -> Any:
            given = answer(self, method, query, body)
            shown = given.get("data", {}).get("shop_order_list")
            if shown and not moved:
                moved.append(shown[0]["order_id"])
                rows = server.data.orders("douyin", 0)
                first = next(row for row in rows if str(row[1].number) == moved[0])
                kept = [row for row in rows if row is not first]
                server.data._visible["douyin", 0] = (server.data.now, [*kept, (server.data.now - behind, first[1])])
            return given

        monkeypatch.setattr(DouyinPlatform, "answer", answer_and_change)
        trial = Trial(tmp_path, server, Now(), ONLY)
        expected = world_orders(server, END - 5 * DAY)
        assert trial.pull().failures == []
        assert expected.keys() - landed_orders(trial).keys() == set()
        assert moved


def test_cases_are_paged_by_whether_more_follow_where_no_total_is_told(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second page is empty, and the flag comes as a text."""
    monkeypatch.setattr(douyin, "PAGE", 2)
    asked = calm.server.douyin.answer

    def answer(method: str, query: Any, body: bytes) -> Any:
        if method != "afterSale.List":
            return asked(method, query, body)
        params = orjson.loads(body)
        page, odd = divmod(params["page"], 2)
        body = orjson.dumps({**params, "page": page}, option=orjson.OPT_SORT_KEYS)
        query = {
            **query,
            "sign": douyin_api_sign(
                secret_of(query["app_key"]),
                app_key=query["app_key"],
                method=method,
                param_json=body.decode(),
                timestamp=query["timestamp"],
            ),
        }
        data = asked(method, query, body)["data"]
        total = data.pop("total")
        last = (page + 1) * 2 >= total and (odd or not data["items"])
        return {"code": 10000, "data": {"items": [] if odd else data["items"], "has_more": "false" if last else "true"}}

    monkeypatch.setattr(calm.server.douyin, "answer", answer)
    assert calm.pull().failures == []
    cases = [found for shop in range(3) for found in calm.server.data.refunds("douyin", shop)]
    assert case_states(calm) == {str(refund.number): moment for moment, _, refund in cases if moment >= END - 5 * DAY}
    assert len(case_states(calm)) > 2


@pytest.mark.parametrize(
    ("change", "asked_again"),
    [
        ({"shop_order_list": []}, True),
        ({"shop_order_list": {"order_id": "1"}}, False),
        ({"total": '"7"'}, False),
        ({"shop_order_list": ["odd", {"pay_time": 1, "encrypt_post_tel": "x"}]}, False),
    ],
)
def test_odd_pages_are_refused_or_read_and_never_end_the_pull(
    calm: Trial, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], asked_again: bool
) -> None:
    """One page is odd; the whole world of the other shops arrives, and of this one what an empty page had hidden."""
    asked, odd = calm.server.douyin.answer, []

    def answer(method: str, query: Any, body: bytes) -> Any:
        given = asked(method, query, body)
        if method == "order.searchList" and given["data"]["shop_order_list"] and not odd:
            odd.append(given)
            return {**given, "data": {**given["data"], **change}}
        return given

    monkeypatch.setattr(calm.server.douyin, "answer", answer)
    report = calm.pull()
    assert len(report.failures) <= 1
    if asked_again:
        assert (report.failures, landed_orders(calm)) == ([], world_orders(calm.server, END - 5 * DAY))


def test_a_hinted_order_is_fetched_and_leaves_the_queue(calm: Trial) -> None:
    moment, order = calm.server.data.orders("douyin", 0)[0]
    enqueue(calm.home, [Hint("douyin", "7000001", "order", str(order.number), "4463798")])
    report = calm.pull(since=END)
    assert (report.details.fetched, waiting(calm.home)) == (1, ())
    assert landed_orders(calm)[str(order.number)][0] == moment


def test_a_hint_at_an_unknown_order_stays_with_its_attempt(calm: Trial) -> None:
    enqueue(calm.home, [Hint("douyin", "7000001", "order", "6900000000000000000", "4463798")])
    report = calm.pull(since=END)
    assert (report.details.failed, [ticket.attempts for ticket in waiting(calm.home)]) == (1, [1])


def test_a_hint_without_a_shop_is_asked_of_every_shop_of_the_app(calm: Trial) -> None:
    _, order = calm.server.data.orders("douyin", 1)[0]
    enqueue(calm.home, [Hint("douyin", "7000001", "order", str(order.number))])
    assert calm.pull(since=END).details.fetched == 1
    assert str(order.number) in landed_orders(calm)


def test_an_outage_is_no_attempt_of_a_hint_and_ends_the_round(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [order for _, order in calm.server.data.orders("douyin", 0)[:3]]
    enqueue(calm.home, [Hint("douyin", "7000001", "order", str(order.number), "4463798") for order in orders])
    asked = calm.server.douyin.answer

    def away(method: str, query: Any, body: bytes) -> Any:
        return {"code": 20000} if method == "order.orderDetail" else asked(method, query, body)

    monkeypatch.setattr(calm.server.douyin, "answer", away)
    assert [calm.pull(since=END).details.failed for _ in range(12)] == [1] * 12
    assert [ticket.attempts for ticket in waiting(calm.home)] == [0, 0, 0]
    monkeypatch.setattr(calm.server.douyin, "answer", asked)
    assert calm.pull(since=END).details.fetched == 3


def member_rows(trial: Trial) -> set[tuple[str, str, str]]:
    """(shop, open id, order) of what was told of members' orders."""
    return {
        (context["shop_id"], row["open_id"], row["order_id"])
        for context, payload in trial.lines("douyin_members")
        for row in payload["data"]["order_list"]
    }


def world_member_rows(server: PlatformServer, since: int) -> set[tuple[str, str, str]]:
    return {
        (str(shop.shop_id), row["open_id"], row["order_id"])
        for number, shop in enumerate(DOUYIN_SHOPS)
        for moment, row in server.douyin.member_orders(number)
        if moment >= since
    }


@pytest.mark.parametrize("size", [100, 3])
def test_the_orders_of_members_arrive_with_the_app_they_were_asked_for(
    calm: Trial, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(douyin_members, "PAGE", size)
    assert calm.pull().failures == []
    assert member_rows(calm) == world_member_rows(calm.server, END - 6 * DAY)
    assert len(member_rows(calm)) > 10
    assert {context["app_id"] for context, _ in calm.lines("douyin_members")} == {DOUYIN_APP.app_id}


def test_orders_of_members_are_asked_for_only_where_an_app_is_named(
    calm: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = calm.server.accounts()
    for app in accounts["douyin"]:
        del app["member_app_id"]
    monkeypatch.setattr(calm.server, "accounts", lambda: accounts)
    assert calm.pull().failures == []
    assert member_rows(calm) == set()


def phones_landed(trial: Trial) -> set[str]:
    """Orders whose decryption was answered."""
    return {
        info["auth_id"]
        for context, payload in trial.lines("douyin_orders")
        if context["method"] == "order.batchDecrypt"
        for info in payload["data"]["decrypt_infos"]
    }


def phones_owed(trial: Trial) -> set[str]:
    """Orders whose phone waits in the queue."""
    return {ticket.hint.object_id for ticket in waiting(trial.home) if ticket.hint.kind == "phone"}


def paid_orders(server: PlatformServer) -> set[str]:
    return {
        str(order.number)
        for shop in range(len(DOUYIN_SHOPS))
        for moment, order in server.data.orders("douyin", shop)
        if moment >= END - 5 * DAY and 0 < order.paid <= moment
    }


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Trial]:
    """A home whose apps may decrypt nothing yet."""
    now = Now()
    with PlatformServer(CONFIG, now, PlatformRules(decryptions=0)) as server:
        yield Trial(tmp_path, server, now, ONLY)


def test_orders_land_without_the_right_to_decrypt_and_their_phones_once_it_is_granted(strict: Trial) -> None:
    report = strict.pull()
    assert (report.failures, report.details.failed) == ([], 0)
    assert landed_orders(strict) == world_orders(strict.server, END - 5 * DAY)
    assert (phones_landed(strict), phones_owed(strict)) == (set(), paid_orders(strict.server))
    assert {one["source"].split("/")[2] for one in report.waiting} == {"phone"}
    assert sum(one["waiting"] for one in report.waiting) == len(paid_orders(strict.server))
    assert all("30001" in one["message"] and "`cdp pull`" in one["hint"] for one in report.waiting)
    strict.server.douyin.decryptions = 1_000
    later = strict.pull()
    assert (later.failures, later.waiting, phones_owed(strict)) == ([], [], set())
    assert phones_landed(strict) == paid_orders(strict.server) != set()


def test_a_missing_right_costs_one_call_of_a_shop_and_pull_and_no_attempt(strict: Trial) -> None:
    for _ in range(12):
        before = len(strict.server.douyin.calls)
        strict.pull()
        asked = [method for method, _ in strict.server.douyin.calls[before:] if method == "order.batchDecrypt"]
        assert 0 < len(asked) <= len(DOUYIN_SHOPS)
    assert {ticket.attempts for ticket in waiting(strict.home)} == {0}


def test_a_quota_that_ends_in_the_middle_leaves_the_rest_to_the_next_days(strict: Trial) -> None:
    strict.server.douyin.decryptions = 15
    pulls = 0
    while phones_owed(strict) or not pulls:
        report = strict.pull()
        assert report.failures == []
        strict.now.second += DAY
        pulls += 1
        assert pulls < 20
    assert landed_orders(strict).keys() >= world_orders(strict.server, END - 5 * DAY).keys()
    assert phones_landed(strict) >= paid_orders(strict.server)
    assert pulls > 2


@pytest.mark.parametrize(
    "refusal",
    [
        {"code": 80000, "sub_code": "isp.call-limit-reached"},
        {"code": 10000, "data": {"decrypt_infos": [], "custom_err": {"err_code": 300008, "err_msg": "x"}}},
    ],
)
def test_decryption_refused_in_other_words_keeps_no_order_back_either(
    calm: Trial, monkeypatch: pytest.MonkeyPatch, refusal: dict[str, Any]
) -> None:
    asked = calm.server.douyin.answer

    def answer(method: str, query: Any, body: bytes) -> Any:
        return refusal if method == "order.batchDecrypt" else asked(method, query, body)

    monkeypatch.setattr(calm.server.douyin, "answer", answer)
    assert calm.pull().failures == []
    assert landed_orders(calm) == world_orders(calm.server, END - 5 * DAY)
    assert phones_owed(calm) == paid_orders(calm.server)
    monkeypatch.setattr(calm.server.douyin, "answer", asked)
    assert (calm.pull().waiting, phones_landed(calm)) == ([], paid_orders(calm.server))


def test_a_cipher_that_is_refused_hides_no_other_of_its_page(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = min(paid_orders(calm.server))
    asked = calm.server.douyin.answer

    def answer(method: str, query: Any, body: bytes) -> Any:
        broken = method == "order.batchDecrypt" and odd.encode() in body
        return {"code": 40003, "sub_code": "isv.parameter-invalid:x"} if broken else asked(method, query, body)

    monkeypatch.setattr(calm.server.douyin, "answer", answer)
    report = calm.pull()
    assert (report.failures, report.waiting, report.details.failed) == ([], [], 1)
    assert phones_landed(calm) == paid_orders(calm.server) - {odd}


def test_phones_are_on_the_queue_before_the_mark_of_their_orders_moves(
    strict: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        """Stands for the end of the process."""

    def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(Marks, "reach", killed)
    with pytest.raises(KilledError):
        strict.pull()
    assert phones_owed(strict) != set()


def test_a_wrong_secret_is_said_and_leaves_other_apps_alone(calm: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = calm.server.accounts()
    accounts["douyin"][0]["app_secret"] = "not the secret"
    monkeypatch.setattr(calm.server, "accounts", lambda: accounts)
    report = calm.pull(since=END - DAY)
    assert {source.split("/")[2] for source, _ in report.failures} == {"7000001"}
    assert all("isv.signature-invalid" in error.message for _, error in report.failures)
