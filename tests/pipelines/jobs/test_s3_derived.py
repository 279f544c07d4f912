"""Evidence that needs two facts: decrypted phones become observations, claims get the verdict of the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from identity.identifier import Identifier, key64
from identity.policy import Policy
from pipelines.jobs.s3_derived import ClaimFacts, ClaimJudge, PhoneObserver

Row = dict[str, Any]
POLICY = Policy.from_dict({})
NUMBER = "13912345670"


def phone(**more: Any) -> Row:
    base = {
        "platform": "douyin",
        "order_id": "6900000000000000001",
        "feed": "douyin_orders",
        "phone_token": "ab" * 16,
        "role": "buyer",
        "interval": "2025-03-01",
        "event_ms": 1740794400000,
        "subject_namespace": "doudian_open_id",
        "subject_scope": "7000001",
        "subject_value": "1@#x",
    }
    return base | more


def claim(claim_id: str, **more: Any) -> Row:
    base = {
        "platform": "douyin",
        "order_id": "6900000000000000001",
        "claim_scope": "wx01",
        "claim_id": claim_id,
        "subject_namespace": "wx_unionid",
        "subject_scope": "op1",
        "subject_value": f"u-{claim_id}",
        "openid_scope": "wxapp1",
        "openid": f"o-{claim_id}",
        "status": "pending",
        "phone_token": None,
        "claimed_at": datetime(2025, 3, 1, 2, tzinfo=UTC),
        "interval": "2025-03-01",
    }
    return base | more


ORDER = ("douyin", "6900000000000000001")
BUYER = Identifier("doudian_open_id", "7000001", "1@#x")
KNOWN = ClaimFacts({}, {}, {ORDER: {BUYER}}, {ORDER: {"70"}}, {})


def judged(*rows: Row, around: ClaimFacts = KNOWN) -> list[Row]:
    return ClaimJudge(POLICY).verdicts(list(rows), ORDER, around)


def verdicts(*rows: Row, around: ClaimFacts = KNOWN) -> dict[str, tuple[str, str]]:
    return {row["claim_id"]: (row["verdict"], row["rule"]) for row in judged(*rows, around=around)}


def test_a_decrypted_phone_joins_the_buyer_in_the_role_of_its_source() -> None:
    made = PhoneObserver(POLICY).observation(phone())
    assert [(one["namespace"], one["role"], one["linking"]) for one in made["ids"]] == [
        ("doudian_open_id", "", True),
        ("phone", "buyer", True),
    ]
    assert made["source"] == "douyin_orders"
    assert made["ids"][1]["key"] == key64("phone", "", "ab" * 16)


def test_a_decrypted_phone_of_a_recipient_is_only_a_candidate() -> None:
    assert PhoneObserver(POLICY).observation(phone(role="recipient"))["ids"][1]["linking"] is False


def test_the_id_of_a_phone_observation_depends_on_what_it_says_alone() -> None:
    observer = PhoneObserver(POLICY)
    again, other = (
        observer.observation(phone(interval="2025-03-09")),
        observer.observation(phone(phone_token="cd" * 16)),
    )
    first = observer.observation(phone())
    assert first["observation_id"] == again["observation_id"]
    assert first["observation_id"] != other["observation_id"]
    assert "ab" * 16 not in first["observation_id"]


def test_a_phone_of_the_future_is_clamped_to_its_arrival_day() -> None:
    made = PhoneObserver(POLICY).observation(phone(event_ms=1_900_000_000_000))
    assert made["clamped"]
    assert made["event_ms"] == 1740844799999


def test_an_approved_claim_links_claimant_and_buyer() -> None:
    (row,) = judged(claim("c1", status="approved"))
    assert (row["verdict"], row["rule"]) == ("link", "approved")
    assert [one["namespace"] for one in row["claimant"]] == ["wx_openid", "wx_unionid"]
    assert [one["value"] for one in row["buyer"]] == ["1@#x"]


@pytest.mark.parametrize(
    ("number", "verdict"), [(NUMBER, ("link", "mask_agrees")), ("13912345671", ("none", "pending"))]
)
def test_a_pending_claim_links_when_a_verified_number_agrees_with_the_mask(
    number: str, verdict: tuple[str, str]
) -> None:
    around = replace(KNOWN, verified={Identifier("wx_unionid", "op1", "u-c1"): {number}})
    assert verdicts(claim("c1"), around=around) == {"c1": verdict}


def test_a_claim_of_an_order_nobody_knows_links_nothing_yet() -> None:
    nothing = ClaimFacts({}, {}, {}, {}, {})
    assert verdicts(claim("c1", status="approved"), around=nothing) == {"c1": ("none", "approved")}


def test_two_claimants_of_one_order_link_neither() -> None:
    found = verdicts(claim("c1", status="approved"), claim("c2", status="approved"))
    assert found == {"c1": ("review", "rival_claim"), "c2": ("review", "rival_claim")}


NOBODY = {"subject_namespace": None, "subject_scope": None, "subject_value": None}


def test_a_claim_without_a_subject_is_its_openids() -> None:
    (row,) = judged(claim("c1", status="approved", **NOBODY))
    assert (row["verdict"], row["rule"]) == ("link", "approved")
    assert [(one["namespace"], one["value"]) for one in row["claimant"]] == [("wx_openid", "o-c1")]


@pytest.mark.parametrize("openid", [{"openid": None}, {"openid": "undefined"}, {"openid_scope": None}])
def test_a_claim_that_names_nobody_is_listed_without_a_verdict_and_is_no_rival(openid: Row) -> None:
    found = judged(claim("c1", status="approved", **NOBODY | openid), claim("c2", status="approved"))
    assert [(row["verdict"], row["rule"]) for row in found] == [("none", "no_claimant"), ("link", "approved")]
    assert found[0]["claimant"] == []


def test_a_placeholder_openid_names_no_claimant_beside_a_unionid() -> None:
    (row,) = judged(claim("c1", openid="undefined"))
    assert [one["namespace"] for one in row["claimant"]] == ["wx_unionid"]


def test_a_rejected_rival_does_not_count() -> None:
    found = verdicts(claim("c1", status="approved"), claim("c2", status="rejected"))
    assert found == {"c1": ("link", "approved"), "c2": ("none", "rejected")}


def test_a_typed_number_against_the_order_goes_to_review_whatever_the_status() -> None:
    typed = claim("c1", status="approved", phone_token="t1")
    masked = replace(KNOWN, numbers={"t1": "13912345699"})
    decrypted = replace(KNOWN, numbers={"t1": NUMBER}, tails={}, phones={ORDER: {"13912345699"}})
    for around in (masked, decrypted):
        assert verdicts(typed, around=around) == {"c1": ("review", "contradicts_order")}


def test_only_the_latest_claim_of_a_claimant_counts() -> None:
    earlier = claim("c1", subject_value="u", openid="o", status="rejected")
    later = claim(
        "c2", subject_value="u", openid="o", status="approved", claimed_at=datetime(2025, 3, 1, 3, tzinfo=UTC)
    )
    assert verdicts(earlier, later) == {"c1": ("none", "superseded"), "c2": ("link", "approved")}


def test_claims_of_two_mini_programs_are_two_though_numbered_alike() -> None:
    other = claim("c1", claim_scope="wx02", openid="o-2", subject_value="u-2")
    rows = judged(claim("c1", status="rejected"), other)
    assert [(row["claim_scope"], row["rule"]) for row in rows] == [("wx01", "rejected"), ("wx02", "pending")]
