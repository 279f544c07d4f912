"""Dirt comes in the promised shares, is listed, and can be turned off."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import orjson
import pytest

from pipelines.simulate import Dirt, SimulationConfig
from pipelines.simulate.world import World

CELLS = 4
CONFIG = SimulationConfig(people=500 * CELLS, days=30, seed=21)


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    world = World(CONFIG)
    return [world.cell(number) for number in range(CELLS)]


def test_one_person_in_fifty_shares_a_number(cells: list[Any]) -> None:
    shared = sum(person.phones[0].shared for cell in cells for person in cell.people)
    assert shared / CONFIG.people == pytest.approx(0.02, rel=0.35)


def test_one_number_in_a_hundred_was_somebody_elses(cells: list[Any]) -> None:
    holders = Counter(period.number for cell in cells for person in cell.people for period in person.phones)
    shared = {p.phones[0].number for cell in cells for p in cell.people if p.phones[0].shared}
    reissued = [number for number, count in holders.items() if count == 2 and number not in shared]
    assert len(reissued) / CONFIG.people == pytest.approx(0.01, rel=0.35)


def test_three_people_in_a_hundred_change_their_number_in_the_window(cells: list[Any]) -> None:
    start = World(CONFIG).brand.clock.start
    changed = sum(len(p.phones) == 2 and p.phones[1].since >= start for cell in cells for p in cell.people)
    assert changed / CONFIG.people == pytest.approx(0.03, rel=0.35)


def test_gifts_and_staff_numbers_come_in_their_shares(cells: list[Any]) -> None:
    kinds = Counter(o.receiver.kind for cell in cells for o in cell.orders if o.platform in ("douyin", "tmall"))
    total = sum(kinds.values())
    assert (kinds["friend"] + kinds["outsider"]) / total == pytest.approx(0.05, rel=0.2)
    assert kinds["staff"] / total == pytest.approx(0.01, rel=0.3)
    assert min(kinds["friend"], kinds["outsider"]) > 0


def test_late_unionids_come_in_their_share(cells: list[Any]) -> None:
    late = sum(person.unionid_from > 0 for cell in cells for person in cell.people)
    assert late / CONFIG.people == pytest.approx(0.2, rel=0.15)


def test_wrong_claims_come_in_their_share(cells: list[Any]) -> None:
    kinds = Counter(claim.kind for cell in cells for claim in cell.claims)
    assert kinds["wrong"] / sum(kinds.values()) == pytest.approx(0.03, rel=0.5)


def test_wrong_claims_contradict_the_mask_of_the_order(cells: list[Any]) -> None:
    wrong = [claim for cell in cells for claim in cell.claims if claim.kind == "wrong"]
    assert wrong
    assert all(claim.phone[-2:] != claim.order.receiver.phone[-2:] for claim in wrong)


def test_rival_claims_name_an_order_that_its_buyer_claims_too(world: Any) -> None:
    rivals = {fault["record"] for fault in world.faults("rival_claim")}
    lines = [line.payload for line in world.lines("order_claims") if line.payload is not None]
    claims = {claim["claim_id"]: claim for claim in lines if "platform_order_id" in claim}
    orders = Counter(claim["platform_order_id"] for claim in claims.values())
    assert rivals
    assert all(orders[claims[rival]["platform_order_id"]] == 2 for rival in rivals)


def test_duplicates_come_in_their_share_and_are_listed(world: Any) -> None:
    good = sum(world.report.records.values()) - sum(world.report.duplicates.values())
    assert sum(world.report.duplicates.values()) / good == pytest.approx(0.03, rel=0.1)
    listed = Counter(fault["feed"] for fault in world.faults("duplicate"))
    # An answer of group statistics holds many records and is delivered twice as a whole.
    assert listed.pop("wecom_staff_stats") <= world.report.duplicates["wecom_staff_stats"]
    assert dict(listed) == {f: n for f, n in world.report.duplicates.items() if f != "wecom_staff_stats"}


def test_broken_records_are_counted_and_listed(world: Any) -> None:
    listed = Counter(fault["feed"] for fault in world.faults("broken"))
    assert dict(listed) == world.report.broken
    assert {fault["detail"] for fault in world.faults("broken")} == {
        *("truncated_line", "missing_field", "not_an_object", "bad_amount"),
    }


def test_every_line_that_is_no_json_is_listed_as_broken(world: Any) -> None:
    unreadable = Counter(feed for feed in world.report.records for line in world.lines(feed) if line.payload is None)
    listed = Counter(fault["feed"] for fault in world.faults("broken") if fault["detail"] == "truncated_line")
    assert unreadable == listed


def test_error_answers_come_before_the_page_they_delayed(world: Any) -> None:
    faults = world.faults("error_answer")
    assert Counter(fault["feed"] for fault in faults) == world.report.error_answers
    answers = [
        line.payload
        for feed in world.report.error_answers
        for line in world.lines(feed)
        if line.payload is not None and is_error(line.payload)
    ]
    assert len(answers) == len(faults) > 0


def is_error(payload: dict[str, Any]) -> bool:
    return payload.get("code") == 20000 or "error_response" in payload or payload.get("errcode") == 45009


def test_versions_out_of_order_come_in_their_share(world: Any) -> None:
    late = [fault for fault in world.faults("out_of_order") if fault["feed"] == "douyin_orders"]
    versions = world.report.records["douyin_orders"] - world.report.duplicates["douyin_orders"]
    assert len(late) / versions == pytest.approx(0.05, rel=0.3)


def test_a_version_out_of_order_arrives_after_a_later_one(world: Any) -> None:
    arrived: dict[str, list[int]] = {}
    for line in world.lines("shop_orders"):
        if line.payload is not None and "order_id" in line.payload and isinstance(line.payload["paid_fen"], int):
            arrived.setdefault(line.payload["order_id"], []).append(line.payload["updated_at"] // 1000)
    late = [fault["record"] for fault in world.faults("out_of_order") if fault["feed"] == "shop_orders"]
    assert late
    for record in late:
        number, moment = record.split("@")
        versions = next(v for key, v in arrived.items() if key.endswith(f"{int(number):012d}"))
        assert max(versions[: versions.index(int(moment))], default=0) > int(moment)


def test_a_duplicate_order_differs_in_its_ciphers_only(world: Any) -> None:
    copies: dict[tuple[str, int], list[bytes]] = {}
    for _, order in world.elements("douyin_orders", "order.searchList"):
        if isinstance(order, dict) and "order_id" in order and isinstance(order["pay_amount"], int):
            copies.setdefault((order["order_id"], order["update_time"]), []).append(orjson.dumps(order))
    twice = [versions for versions in copies.values() if len(versions) == 2]
    assert twice
    for first, second in twice:
        assert first != second
        assert cipherless(first) == cipherless(second)


def cipherless(raw: bytes) -> str:
    return re.sub(r'"encrypt_\w+":"[^"]*"', "", raw.decode())


def test_versions_of_one_second_differ_in_their_state(world: Any) -> None:
    twins: dict[tuple[int, str], set[str]] = {}
    for _, trade in world.elements("tmall_trades", "taobao.trades.sold.increment.get"):
        if isinstance(trade, dict) and "tid" in trade:
            twins.setdefault((trade["tid"], trade["modified"]), set()).add(trade["status"])
    listed = [fault["record"].split("@")[0] for fault in world.faults("same_second")]
    assert listed
    assert {str(tid) for (tid, _), states in twins.items() if len(states) > 1} == set(listed)


def test_placeholders_are_listed_and_owned_by_nobody(world: Any) -> None:
    listed = world.faults("placeholder")
    assert len(listed) / world.config.people == pytest.approx(world.config.dirt.placeholders, rel=0.5)
    values = {row["value"] for row in world.truth("identifiers")}
    assert not values & {"0", "null", "undefined", "anonymous", "-1", "13800138000", "11111111111", "12345678901"}


def test_privacy_numbers_come_in_their_share(world: Any) -> None:
    infos = [
        i for _, i in world.elements("douyin_orders", "order.batchDecrypt") if i["data_type"] == 3 and not i["err_no"]
    ]
    virtual = [info for info in infos if info["is_virtual_tel"]]
    assert len(virtual) / len(infos) == pytest.approx(0.31, rel=0.3)
    assert all(re.fullmatch(r"184\d{8}-\d{4}", info["decrypt_text"]) for info in virtual)


def test_wrong_clocks_are_off_by_more_than_a_year(world: Any) -> None:
    start = World(world.config).brand.clock.start * 1000
    off = [
        line.payload["time"]
        for line in world.lines("miniprogram_events")
        if line.payload is not None
        and isinstance(line.payload.get("time"), int)
        and abs(line.payload["time"] - start) > 300 * 86_400_000
    ]
    assert bool(off) == bool(world.faults("wrong_clock"))


def test_a_clean_world_has_no_fault(clean_world: Any) -> None:
    assert clean_world.truth("faults") == []
    assert clean_world.report.duplicates == clean_world.report.broken == clean_world.report.error_answers == {}


def test_scaled_dirt_is_a_multiple_and_never_above_one() -> None:
    scaled = Dirt.default().scaled(3)
    assert scaled.gifts == pytest.approx(0.15)
    assert Dirt.default().scaled(1_000).late_unionid == 1.0
    assert Dirt.none() == Dirt.default().scaled(0)
