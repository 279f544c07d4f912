"""Observations of the public domain: the same evidence is the same observation."""

from __future__ import annotations

from pipelines.sources.base import Parsed, Subject
from pipelines.sources.evidence import first_known, listed, named, observe, subject_of
from tests.pipelines.sources.public_domain import RECEIVED_MS, public_context

CONTEXT = public_context("douyin_orders")
ACCOUNT = named("doudian_open_id", "k", "1@#x")


def observed(*ids: list[dict[str, str]], at: int = 1, kind: str = "link") -> str:
    """The id of an observation of these identifiers."""
    parsed = Parsed()
    observe(parsed, CONTEXT, "order:1", ids=[one for group in ids for one in group], at=at, kind=kind)
    (seen,) = parsed.observations
    return str(seen["observation_id"])


def test_other_evidence_is_another_observation() -> None:
    phone = named("phone", "", "13912345670", "buyer")
    told = [observed(ACCOUNT), observed(ACCOUNT, phone), observed(ACCOUNT, at=2), observed(ACCOUNT, kind="unbind")]
    assert len(set(told)) == 4
    assert observed(ACCOUNT) == told[0]


def test_nobody_is_no_observation() -> None:
    parsed = Parsed()
    observe(parsed, CONTEXT, "order:1", ids=named("phone", "", None) + named("phone", "", ""), at=1)
    assert parsed.observations == []


def test_the_time_of_a_record_comes_first_then_its_receipt_then_its_day() -> None:
    assert first_known(CONTEXT, None, 7, 8) == 7
    assert first_known(CONTEXT, None) == RECEIVED_MS
    assert first_known(public_context("douyin_orders", received_ms=None)) == 1735660800000


def test_a_listing_ranks_below_every_stated_change_and_by_time_among_themselves() -> None:
    earliest_change, late, later = 946_684_800_000, 4_102_444_800_000, 4_102_444_801_000
    assert listed(late) < listed(later) < earliest_change


def test_a_fact_belongs_to_the_first_id_that_has_a_scope_or_needs_none() -> None:
    unscoped, phone = named("member_id", "", "K1"), named("phone", "", "13912345670", "buyer")
    assert subject_of(unscoped + phone + ACCOUNT) == Subject("phone", "", "13912345670")
    assert subject_of(unscoped + ACCOUNT + phone) == Subject("doudian_open_id", "k", "1@#x")


def test_a_recipients_phone_is_not_whose_a_fact_is() -> None:
    unscoped = named("member_id", "", "K1")
    assert subject_of(unscoped + named("phone", "", "13912345670", "recipient")) == Subject("member_id", "", "K1")
    assert subject_of([]) is None
