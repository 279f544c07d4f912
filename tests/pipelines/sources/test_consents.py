"""Consents."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.sources.base import Parsed, RecordRefusedError, Subject
from pipelines.sources.consents import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row, read_one

PARSER = PARSERS[0]
AT = "2025-01-01T11:02:10+08:00"


def parse(**known: Any) -> Parsed:
    subject = {"namespace": "member_id", "scope": "brandA", "value": "K1"}
    consent = {
        "consent_id": "n1",
        "subject": subject,
        "purpose": "marketing",
        "status": "granted",
        "at": AT,
        "source": "crm",
    }
    return read_one(PARSER, consent | known)


def test_a_consent_is_a_row_of_its_subject() -> None:
    row = one_row(parse(), "consents")
    assert (row["consent_id"], row["purpose"], row["status"], row["source"]) == ("n1", "marketing", "granted", "crm")
    assert row["subject"] == Subject("member_id", "brandA", "K1")
    assert row["stated_at"] == 1735700530000


def test_the_subject_counts_as_seen() -> None:
    assert ids_of(parse().observations[0]) == [("member_id", "brandA", "K1")]


def test_a_phone_that_consents_is_the_persons_own() -> None:
    (seen,) = parse(subject={"namespace": "phone", "value": "13912345678"}).observations
    assert seen["ids"] == [{"namespace": "phone", "scope": "", "value": "13912345678", "role": "verified"}]


def test_a_withdrawal_of_the_same_instant_is_the_later_version() -> None:
    granted, withdrawn = (
        one_row(parse(status=status), "consents")["version_key"] for status in ("granted", "withdrawn")
    )
    assert withdrawn > granted


@pytest.mark.parametrize("status", ["maybe", "yes", "GRANTEDish"])
def test_consent_is_never_guessed(status: str) -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: status: expected one of granted, withdrawn"):
        parse(status=status)


@pytest.mark.parametrize("field", ["consent_id", "subject", "purpose", "status", "at"])
def test_a_consent_without_a_mandatory_field_is_refused(field: str) -> None:
    with pytest.raises(RecordRefusedError, match="missing_field"):
        parse(**{field: None})


def test_an_unknown_purpose_is_kept_and_is_a_signal() -> None:
    parsed = parse(purpose="raffle")
    assert one_row(parsed, "consents")["purpose"] == "raffle"
    assert parsed.unknown_values == [("purpose", "raffle")]
