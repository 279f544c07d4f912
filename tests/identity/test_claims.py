from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from identity.claims import Claim, OrderFacts, agreeing_end, claim_verdict, confirms, contradicts
from identity.identifier import Identifier
from tests.identity.conftest import Build, World

O1, O2 = Identifier("wx_openid", "a", "o1"), Identifier("wx_openid", "a", "o2")
U1, U2 = Identifier("wx_unionid", "w", "u1"), Identifier("wx_unionid", "w", "u2")
NUMBER = "13912345670"
Worlds = Callable[..., World]


def claim(claim_id: str, *claimant: Identifier, status: str = "approved", phone: str = "", at: int = 0) -> Claim:
    return Claim(claim_id, "douyin:1", claimant, status, at, "2025-03-01", f"{claim_id}:{status}", phone)


def judge(*claims: Claim, mask: str = "", decrypted: str = "", verified: str = "") -> list[tuple[str, str, str]]:
    facts = OrderFacts("douyin:1", (), (mask,) if mask else (), (decrypted,) if decrypted else ())
    phones = {O1: {verified}} if verified else {}
    return [(v.claim.claim_id, v.outcome, v.rule) for v in claim_verdict(claims, facts, phones)]


def test_an_approved_claim_links_and_a_pending_one_waits() -> None:
    assert judge(claim("c", O1)) == [("c", "link", "approved")]
    assert judge(claim("c", O1, status="pending")) == [("c", "none", "pending")]
    assert judge(claim("c", O1, status="rejected")) == [("c", "none", "rejected")]


@pytest.mark.parametrize(
    ("mask", "outcome"),
    [
        ("1********70", "link"),
        ("*******5670", "link"),
        ("139****5670", "link"),
        ("**********0", "none"),
        ("139********", "none"),
        ("1********71", "none"),
        ("138****5670", "none"),
        ("", "none"),
    ],
)
def test_two_visible_end_digits_that_agree_with_a_verified_number_confirm(mask: str, outcome: str) -> None:
    assert judge(claim("c", O1, status="pending"), mask=mask, verified=NUMBER)[0][1] == outcome


def test_the_number_typed_in_a_claim_is_no_evidence() -> None:
    assert judge(claim("c", O1, status="pending", phone=NUMBER), mask="1********70")[0][1] == "none"


@pytest.mark.parametrize(("mask", "decrypted"), [("1********71", ""), ("", "13912345671"), ("138****5670", "")])
def test_a_claim_that_contradicts_the_order_links_nothing_whatever_its_status(mask: str, decrypted: str) -> None:
    found = judge(claim("c", O1, phone="+86 139 1234 5670"), mask=mask, decrypted=decrypted)
    assert found == [("c", "review", "contradicts_order")]


def test_two_claimants_of_one_order_link_neither() -> None:
    assert judge(claim("c", O1), claim("d", O2, status="pending")) == [
        ("c", "review", "rival_claim"),
        ("d", "review", "rival_claim"),
    ]


def test_a_claimant_whose_latest_status_is_rejected_is_no_rival() -> None:
    verdicts = judge(claim("c", O1), claim("d", O2, status="approved"), claim("d", O2, status="rejected"))
    assert verdicts == [("c", "link", "approved"), ("d", "none", "rejected")]


def test_the_latest_status_counts_by_time_whatever_arrives_first() -> None:
    states = [claim("c", O1, status="rejected", at=1), claim("c", O1, status="approved", at=2)]
    assert judge(*states) == judge(*states[::-1]) == [("c", "link", "approved")]


def test_a_person_with_one_unionid_is_one_claimant_in_every_app() -> None:
    verdicts = judge(claim("c", O1, U1, status="pending", at=1), claim("d", O2, U1, at=2))
    assert verdicts == [("d", "link", "approved")]
    assert [v[2] for v in judge(claim("c", O1, U1), claim("d", O1, U2))] == ["rival_claim", "rival_claim"]


def test_an_openid_seen_with_its_unionid_is_the_same_claimant_without_it() -> None:
    assert judge(claim("c", O1, status="pending", at=1), claim("d", O1, U1, at=2)) == [("d", "link", "approved")]


def test_a_virtual_number_of_the_order_says_nothing_about_the_claim() -> None:
    facts = OrderFacts("x", phones=("18400913965-7576",))
    assert not contradicts(NUMBER, facts)
    assert not confirms(NUMBER, facts)


def test_a_mask_of_another_length_is_compared_at_both_ends() -> None:
    assert agreeing_end("13*******70", NUMBER) == 2
    assert agreeing_end("1*3******70", NUMBER) is None
    assert agreeing_end("13**70", NUMBER) == 2
    assert not contradicts("no number", OrderFacts("x", masks=("1********99",)))


# As observations


def claim_row(build: Build, claim_id: str, status: str, *ids: str, phone: str = "", **more: Any) -> dict[str, Any]:
    body = {"claim_id": claim_id, "order_key": "douyin:1", "status": status, "phone": phone}
    observation_id = f"{claim_id}:{status}"
    return build.link(observation_id, *ids, source="order_claims", attributes={"claim": body}, **more)


def order_row(build: Build, *ids: str, mask: str = "1********70") -> dict[str, Any]:
    order = {"order_key": "douyin:1", "mask": mask}
    return build.link("order", *ids, source="douyin_orders", attributes={"order": order})


BUYER, CLAIMANT, RIVAL = "doudian_open_id:k:d1", "wx_openid:a:o1", "wx_openid:a:o2"


def test_a_confirmed_claim_joins_claimant_and_buyer(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(order_row(build, BUYER), claim_row(build, "c", "pending", CLAIMANT))
    assert not w.same(BUYER, CLAIMANT)
    w.feed(build.link("v", CLAIMANT, f"phone::{NUMBER}@verified"), day="2025-03-02")
    assert w.same(BUYER, CLAIMANT)
    assert w.resolver.explain(BUYER, CLAIMANT)["path"][0]["rule"] == "order_claim"


def test_a_claim_waits_for_its_order(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(claim_row(build, "c", "approved", CLAIMANT))
    assert w.groups() == [[CLAIMANT]]
    w.feed(order_row(build, BUYER), day="2025-03-02")
    assert w.same(BUYER, CLAIMANT)


def test_a_rival_parts_what_a_claim_had_joined_and_both_go_to_review(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(order_row(build, BUYER), claim_row(build, "c", "approved", CLAIMANT))
    w.feed(claim_row(build, "d", "pending", RIVAL, day="2025-03-02"), day="2025-03-02")
    assert w.groups() == [[BUYER], [CLAIMANT], [RIVAL]]
    queue = w.resolver.review_queue()
    assert [(q["kind"], q["identifier"], q["evidence"]["rule"]) for q in queue] == [
        ("rival_claim", CLAIMANT, "rival_claim"),
        ("rival_claim", RIVAL, "rival_claim"),
    ]
    assert w.resolver.one_id(BUYER) in queue[0]["candidates"]
    w.feed(claim_row(build, "d", "rejected", RIVAL, day="2025-03-03"), day="2025-03-03")
    assert w.same(BUYER, CLAIMANT)


def test_a_contradicting_claim_goes_to_review(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(order_row(build, BUYER), claim_row(build, "c", "approved", CLAIMANT, phone="13900000001"))
    assert not w.same(BUYER, CLAIMANT)
    assert [q["evidence"]["rule"] for q in w.resolver.review_queue()] == ["contradicts_order"]
    assert "13900000001" not in str(w.resolver.review_queue())


def test_a_withdrawn_claim_and_a_withdrawn_verification_count_no_more(world: Worlds, build: Build) -> None:
    w = world()
    w.feed(order_row(build, BUYER), claim_row(build, "c", "approved", CLAIMANT), build.link("x", CLAIMANT))
    w.feed(build.unlink("u", "c:approved", source="order_claims"), day="2025-03-02")
    assert not w.same(BUYER, CLAIMANT)
    w.feed(claim_row(build, "e", "pending", CLAIMANT), build.link("v", CLAIMANT, f"phone::{NUMBER}@verified"))
    assert w.same(BUYER, CLAIMANT)
    w.feed(build.unlink("uv", "v"), day="2025-03-03")
    assert not w.same(BUYER, CLAIMANT)


def test_rows_that_only_look_like_claims_are_plain_links(world: Worlds, build: Build) -> None:
    w = world()
    body = {"order_key": "douyin:1", "status": "approved"}
    w.feed(
        order_row(build, BUYER),
        build.link("1", CLAIMANT, attributes={"claim": body}),
        build.link("2", RIVAL, source="order_claims", attributes={"claim": {"status": "approved"}}),
    )
    assert w.groups() == [[BUYER], [CLAIMANT], [RIVAL]]
