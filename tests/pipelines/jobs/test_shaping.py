"""Parsed records become final rows: identifiers in one form, personal values as tokens, clear ones in the vault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from identity import Policy
from identity.identifier import key64
from identity.token import pii_token
from pipelines.jobs.shaping import OBSERVATIONS, REJECTIONS, SEALED, VAULT, Shaped, Shaper
from pipelines.keys import Keys, unseal
from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, RecordRefusedError, Settings, Subject

POLICY = Policy.load(Path(__file__).resolve().parents[3] / "conf" / "identity.yaml")
KEYS = Keys("11" * 32, "22" * 32, "33" * 32)
PHONE = "13912345678"
TOKEN = pii_token(KEYS.identity, "phone", PHONE)
DAY = "2025-03-01"
DIGEST = "ab" * 16
AT = 1740812400000


def shaper() -> Shaper:
    return Shaper(POLICY, KEYS, {"shop": "demo_key"})


def shape(fill: Callable[[Parsed], object], with_shaper: Shaper | None = None) -> Shaped:
    def parse(record: Record) -> Parsed:
        parsed = Parsed()
        fill(parsed)
        return parsed

    into = Shaped()
    parser = FeedParser("staff", "staff", lambda payload, context: [payload], parse, ())
    record = Record({}, Context("staff", DAY), Settings("staff"), DIGEST)
    (with_shaper or shaper()).shape(record, parser, into)
    return into


def row_of(**columns: Any) -> dict[str, Any]:
    (row,) = shape(lambda parsed: parsed.row("silver.orders", **columns)).rows["silver.orders"]
    return row


def observation(*ids: dict[str, str], **known: Any) -> dict[str, Any]:
    given = {"observation_id": "o1", "source": "crm", "kind": "link", "event_time": AT, "ids": list(ids)}
    return given | known


def test_every_row_says_where_it_came_from() -> None:
    row = row_of(order_id="o1")
    assert (row["feed"], row["interval"], row["record_hash"], row["rescued"]) == ("staff", DAY, DIGEST, None)


def test_a_subject_becomes_four_columns_in_the_one_form() -> None:
    row = row_of(subject=Subject("wecom_external_userid", "WW0000000000000001", " wmA "))
    assert (row["subject_scope"], row["subject_value"]) == ("ww0000000000000001", "wmA")
    assert row["subject_key"] == key64("wecom_external_userid", "ww0000000000000001", "wmA")
    assert "subject" not in row


def test_a_phone_as_subject_is_its_token() -> None:
    row = row_of(subject=Subject("phone", "", f"+86 {PHONE}"))
    assert (row["subject_value"], row["subject_key"]) == (TOKEN, key64("phone", "", TOKEN))


@pytest.mark.parametrize("value", ["null", "", "0"])
def test_a_subject_that_identifies_nobody_leaves_the_fact_without_one(value: str) -> None:
    assert "subject_key" not in row_of(order_id="o1", subject=Subject("wx_openid", "wx1", value))


@pytest.mark.parametrize(("value", "rule"), [("13800138000", "reject_value"), ("010-12345678", "landline")])
def test_a_row_about_a_refused_phone_alone_is_a_rejection(value: str, rule: str) -> None:
    key = {"platform": "douyin", "order_id": "o1"}
    shaped = shape(lambda parsed: parsed.row("silver.order_phones", **key, phone_token=Clear("phone", value)))
    (rejection,) = shaped.rows[REJECTIONS]
    assert (rejection["rule"], rejection["source"], rejection["observation_id"]) == (rule, "staff", DIGEST)
    assert set(shaped.rows) == {REJECTIONS}


def test_a_clear_value_becomes_a_token_and_a_vault_entry_that_opens() -> None:
    shaped = shape(lambda parsed: parsed.row("silver.staff", name_token=Clear("name", "某某")))
    token = shaped.rows["silver.staff"][0]["name_token"]
    (entry,) = shaped.rows[VAULT]
    assert (entry["token"], entry["kind"], entry["key_id"]) == (token, "name", KEYS.vault_id)
    assert unseal(KEYS.vault, token, entry["cipher"]) == "某某"


@pytest.mark.parametrize("clear", [Clear("name", ""), Clear("phone", "no phone"), Clear("phone", "138****0000")])
def test_a_clear_value_that_is_none_leaves_null_and_no_vault_entry(clear: Clear) -> None:
    shaped = shape(lambda parsed: parsed.row("silver.order_claims", phone_token=clear))
    assert shaped.rows["silver.order_claims"][0]["phone_token"] is None
    assert VAULT not in shaped.rows


def test_the_vault_entry_of_a_phone_names_the_tokens_of_its_hashed_forms() -> None:
    shaped = shape(lambda parsed: parsed.row("silver.order_phones", phone_token=Clear("phone", PHONE)))
    (entry,) = shaped.rows[VAULT]
    names = [form["namespace"] for form in entry["forms"]]
    assert names == ["phone_md5", "phone_md5", "phone_sha256", "phone_sha256", "tmall_mix_mobile"]


def test_the_hash_of_a_phone_has_the_token_that_the_vault_names() -> None:
    one = shape(lambda parsed: parsed.row("silver.order_phones", phone_token=Clear("phone", PHONE)))
    md5 = "535381ec9d5ab7a390db0a30860600f2"
    two = row_of(subject=Subject("phone_md5", "", md5))
    assert two["subject_value"] in [form["value"] for form in one.rows[VAULT][0]["forms"]]


def test_a_batch_gives_a_vault_entry_once() -> None:
    same = shaper()
    counts = []
    for batch in ("a", "a", "b", "b"):
        same.begin_batch(batch)
        shaped = shape(
            lambda parsed: [parsed.row("silver.order_phones", phone_token=Clear("phone", PHONE)) for _ in "12"], same
        )
        counts.append(len(shaped.rows.get(VAULT, [])))
    assert counts == [1, 0, 1, 0]


def test_a_refused_record_does_not_use_up_a_vault_entry() -> None:
    same = shaper()
    with pytest.raises(RecordRefusedError):
        shape(
            lambda parsed: [
                parsed.row("silver.order_phones", phone_token=Clear("phone", PHONE)),
                parsed.row("silver.orders", paid_fen=2**63),
            ],
            same,
        )
    again = shape(lambda parsed: parsed.row("silver.order_phones", phone_token=Clear("phone", PHONE)), same)
    assert len(again.rows[VAULT]) == 1


def test_an_observation_is_stored_in_its_one_form_with_keys_and_tokens() -> None:
    ids = (
        {"namespace": "wx_openid", "scope": "wx1", "value": "oA", "role": ""},
        {"namespace": "phone", "scope": "", "value": PHONE, "role": "recipient"},
    )
    shaped = shape(lambda parsed: parsed.observe(**observation(*ids)))
    (row,) = shaped.rows[OBSERVATIONS]
    assert [(seen["value"], seen["role"], seen["linking"]) for seen in row["ids"]] == [
        ("oA", "", True),
        (TOKEN, "recipient", False),
    ]
    assert [seen["key"] for seen in row["ids"]] == [key64("wx_openid", "wx1", "oA"), key64("phone", "", TOKEN)]
    assert (row["event_ms"], row["interval"], row["clamped"]) == (AT, DAY, False)


def test_sightings_of_the_same_ids_share_their_signature_and_not_their_content() -> None:
    one_id = {"namespace": "wx_openid", "scope": "wx1", "value": "oA", "role": ""}
    first, second = (
        shape(lambda parsed, number=number: parsed.observe(**observation(one_id, observation_id=number)))  # type: ignore[misc]
        for number in ("o1", "o2")
    )
    (one,), (two,) = first.rows[OBSERVATIONS], second.rows[OBSERVATIONS]
    assert one["signature"] == two["signature"]
    assert one["content_hash"] != two["content_hash"]


def test_an_event_beyond_the_business_day_is_clamped_to_its_end() -> None:
    one_id = {"namespace": "wx_openid", "scope": "wx1", "value": "oA", "role": ""}
    shaped = shape(lambda parsed: parsed.observe(**observation(one_id, event_time=AT + 86_400_000)))
    (row,) = shaped.rows[OBSERVATIONS]
    assert (row["event_ms"], row["clamped"]) == (1740844799999, True)


def test_a_refused_identifier_is_a_rejection_by_token_and_the_others_stay() -> None:
    ids = (
        {"namespace": "wx_openid", "scope": "wx1", "value": "oA", "role": ""},
        {"namespace": "phone", "scope": "", "value": "13800138000", "role": "verified"},
    )
    shaped = shape(lambda parsed: parsed.observe(**observation(*ids)))
    (refused,) = shaped.rows[REJECTIONS]
    assert (refused["rule"], refused["namespace"], refused["source"]) == ("reject_value", "phone", "crm")
    assert refused["value_token"] == pii_token(KEYS.identity, "rejected", "13800138000")
    assert len(shaped.rows[OBSERVATIONS][0]["ids"]) == 1


def test_a_row_that_is_no_observation_refuses_the_record_without_naming_values() -> None:
    with pytest.raises(RecordRefusedError) as caught:
        shape(lambda parsed: parsed.observe(**observation({"namespace": "phone", "value": PHONE}, kind=PHONE)))
    assert caught.value.reason == "bad_observation"
    assert PHONE not in caught.value.detail


def test_a_refused_record_leaves_nothing_behind() -> None:
    into = Shaped()
    parser = FeedParser("staff", "staff", lambda payload, context: [payload], _refuse, ())
    with pytest.raises(RecordRefusedError, match="missing_field"):
        shaper().shape(Record({}, Context("staff", DAY), Settings("staff")), parser, into)
    assert into.rows == {}


def _refuse(record: Record) -> Parsed:
    raise RecordRefusedError("missing_field", "order_id is required")


@pytest.mark.parametrize("error", [KeyError(PHONE), TypeError(PHONE), OverflowError(PHONE), RecursionError(PHONE)])
def test_a_record_its_parser_stumbles_over_is_refused_without_its_text(error: Exception) -> None:
    def stumble(parsed: Parsed) -> None:
        raise error

    with pytest.raises(RecordRefusedError) as caught:
        shape(stumble)
    assert (caught.value.reason, PHONE in caught.value.detail) == ("unreadable", False)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_number_no_column_can_hold_refuses_its_record(value: int) -> None:
    with pytest.raises(RecordRefusedError, match="paid_fen: a number beyond 64 bits"):
        row_of(paid_fen=value)


def test_the_widest_numbers_are_kept() -> None:
    assert row_of(paid_fen=2**63 - 1)["paid_fen"] == 2**63 - 1


def unknown(value: Any) -> Any:
    shaped = shape(lambda parsed: (parsed.unknown.update({"a.b": value}), parsed.row("silver.orders", order_id="o1")))
    assert shaped.unknown == {"a.b": 1}
    return orjson.loads(shaped.rows["silver.orders"][0]["rescued"])["a.b"]


@pytest.mark.parametrize("value", [None, True, 3, 0.5, -7])
def test_an_unknown_field_that_cannot_be_personal_is_kept_as_it_is(value: Any) -> None:
    assert unknown(value) == value


@pytest.mark.parametrize("value", ["某某", "Tom", int(PHONE), [PHONE], {"tel": PHONE}])
def test_any_other_unknown_field_is_kept_sealed(value: Any) -> None:
    kept = unknown(value)
    assert kept.startswith(SEALED)
    assert orjson.loads(unseal(KEYS.vault, DIGEST, kept.removeprefix(SEALED))) == value


def test_unknown_categories_are_counted_by_path_and_value() -> None:
    shaped = shape(lambda parsed: parsed.unknown_values.extend([("status", "99"), ("status", "99")]))
    assert shaped.unknown_values == {("status", "99"): 2}


def test_no_row_holds_the_clear_text_of_a_personal_value() -> None:
    def everything(parsed: Parsed) -> None:
        parsed.unknown["new.field"] = f"call {PHONE}"
        parsed.row("silver.orders", order_id="o1", subject=Subject("phone", "", PHONE), tail=Clear("phone", PHONE))
        ids = ({"namespace": "phone", "scope": "", "value": PHONE, "role": "verified"},)
        parsed.observe(**observation(*ids, {"namespace": "nobody_knows", "scope": "", "value": PHONE, "role": ""}))

    shaped = shape(everything)
    assert set(shaped.rows) == {"silver.orders", OBSERVATIONS, REJECTIONS, VAULT}
    assert PHONE not in orjson.dumps(shaped.rows).decode()
