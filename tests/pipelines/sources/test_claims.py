"""Order claims."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from pipelines.sources.base import Clear, Parsed, RecordRefusedError, Subject
from pipelines.sources.claims import PARSERS
from tests.pipelines.sources.private_domain import BRAND_PLATFORM, RECEIVED_MS, WECHAT_APP, one_row, read_one, records

PARSER = PARSERS[0]
OPENID, UNIONID = "oExampleOpenid000000000001", "oExampleUnion0000000000000001"


def parse(context: dict[str, Any] | None = None, **known: Any) -> Parsed:
    claim = {
        "event": "order_claim",
        "claim_id": "c1",
        "platform": "douyin",
        "platform_order_id": "6923456789012345678",
        "openid": OPENID,
        "unionid": UNIONID,
        "phone": "13912345678",
        "claimed_at_ms": 1735700731000,
        "status": "pending",
    }
    return read_one(PARSER, claim | known, **(context or {}))


def row_of(context: dict[str, Any] | None = None, **known: Any) -> dict[str, Any]:
    return one_row(parse(context, **known), "order_claims")


def test_a_claim_is_a_row_of_its_claimant_by_unionid() -> None:
    row = row_of()
    assert (row["claim_id"], row["platform"], row["order_id"]) == ("c1", "douyin", "6923456789012345678")
    assert row["subject"] == Subject("wx_unionid", BRAND_PLATFORM, UNIONID)
    assert (row["openid_scope"], row["openid"]) == (WECHAT_APP, OPENID)
    assert (row["status"], row["claimed_at"]) == ("pending", 1735700731000)


def test_a_claimant_without_unionid_is_known_by_openid() -> None:
    assert row_of(unionid=None)["subject"] == Subject("wx_openid", WECHAT_APP, OPENID)


def test_a_unionid_of_an_unknown_account_leaves_the_claim_to_the_openid() -> None:
    context = {"open_platform_id": ""}
    assert row_of(context)["subject"] == Subject("wx_openid", WECHAT_APP, OPENID)
    assert row_of(context, openid=None)["subject"] == Subject("wx_unionid", "", UNIONID)


def test_the_phone_typed_is_on_its_way_to_a_token_and_in_no_observation() -> None:
    parsed = parse()
    assert one_row(parsed, "order_claims")["phone_token"] == Clear("phone", "13912345678")
    assert parsed.observations == []


def test_a_claim_without_phone_has_no_token() -> None:
    assert row_of(phone="")["phone_token"] is None


def test_a_claim_of_nobody_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="nobody claims"):
        parse(openid="", unionid="")


@pytest.mark.parametrize("field", ["claim_id", "platform", "platform_order_id"])
def test_a_claim_without_a_mandatory_field_is_refused(field: str) -> None:
    with pytest.raises(RecordRefusedError, match=f"missing_field: {field}"):
        parse(**{field: None})


def test_taobao_is_tmall_and_an_unknown_platform_stays_as_written() -> None:
    assert row_of(platform="taobao")["platform"] == "tmall"
    parsed = parse(platform="JD")
    assert one_row(parsed, "order_claims")["platform"] == "JD"
    assert parsed.unknown_values == [("platform", "jd")]


def test_an_unknown_status_is_unknown_and_a_signal() -> None:
    parsed = parse(status="maybe")
    assert one_row(parsed, "order_claims")["status"] == "unknown"
    assert parsed.unknown_values == [("status", "maybe")]


def test_the_latest_status_wins_in_any_order_of_reading() -> None:
    steps = [("pending", 0), ("rejected", 60_000), ("approved", 120_000)]
    versions = [
        (row_of({"received_ms": RECEIVED_MS + after}, status=status)["version_key"], status) for status, after in steps
    ]
    assert {max(order)[1] for order in permutations(versions)} == {"approved"}


def test_a_decision_outranks_the_claim_where_no_receiving_time_tells() -> None:
    context = {"received_ms": None}
    keys = [row_of(context, status=status)["version_key"] for status in ("pending", "approved", "rejected")]
    assert keys == sorted(keys)


def test_a_decision_may_state_its_own_time() -> None:
    late = row_of({"received_ms": RECEIVED_MS - 9_000_000}, status="approved", updated_at_ms=RECEIVED_MS + 1)
    assert late["version_key"] > row_of(status="rejected")["version_key"]


@pytest.mark.parametrize(("stated", "kinds"), [(1735700731000, 1), (None, 2), (0, 2)])
def test_a_claim_sent_again_is_another_record_only_where_it_states_no_time(stated: int | None, kinds: int) -> None:
    claim = {"claim_id": "c1", "platform": "douyin", "platform_order_id": "69", "openid": OPENID}
    again = [
        records(PARSER, claim | {"claimed_at_ms": stated}, received_ms=RECEIVED_MS + late)[0] for late in (0, 60_000)
    ]
    assert len({record.digest for record in again}) == kinds
