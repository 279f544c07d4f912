"""Tmall members: the platform's calls, the brand's syncs, the shop's customer list."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.jobs.records import with_context
from pipelines.sources.base import Clear, Parsed, RecordRefusedError, Subject
from pipelines.sources.tmall_members import PARSERS
from tests.pipelines.sources.private_domain import ids_of, one_row, records
from tests.pipelines.sources.public_domain import BRAND, NICK, RECEIVED_MS, parse, public_context, read

(MEMBERS,) = PARSERS
MIX = "52164cc782f7af83d62d2cfe07a910bb"
OUID, OMID = ("tmall_ouid", NICK, "AAOcomposed"), ("tmall_omid", BRAND, "AAMcomposed")
MIXED, PHONE = ("tmall_mix_mobile", "", MIX), ("phone", "", "13912345670")


def call(method: str, **facts: Any) -> Parsed:
    """What a call of the platform says; `facts` replace parts of a bind of a member without a clear number."""
    request = {"seller_name": NICK, "mix_mobile": MIX, "ouid": "AAOcomposed", "omid": "AAMcomposed", "type": 1, **facts}
    return parse(MEMBERS, {k: v for k, v in request.items() if v is not ...}, method=f"tmall.mei.crm.{method}")


def test_a_bind_links_the_members_accounts_and_phone() -> None:
    parsed = call("member.bind", mobile="13912345670")
    (seen,) = parsed.observations
    assert ids_of(seen) == [OUID, OMID, MIXED, PHONE]
    assert [one.get("role") for one in seen["ids"]] == [None, None, "verified", "verified"]
    assert one_row(parsed, "members")["status"] == "member"


def test_a_bind_happened_when_the_flight_mode_says() -> None:
    extend = orjson.dumps({"flightMode": "1", "flightJoinTime": "2024-12-31 10:00:00"}).decode()
    parsed = call("member.bind", extend=extend)
    assert parsed.observations[0]["event_time"] == 1735610400000
    assert one_row(parsed, "members")["joined_at"] == 1735610400000


def test_a_replayed_flight_mode_join_is_the_same_evidence() -> None:
    facts = {
        "extend": {"flightJoinTime": 1735610400000},
        "seller_name": NICK,
        "mix_mobile": MIX,
        "ouid": "o",
        "type": 1,
    }
    first = parse(MEMBERS, facts, method="tmall.mei.crm.bind")
    again = parse(MEMBERS, facts, method="tmall.mei.crm.bind", received_ms=RECEIVED_MS + 3_600_000)
    assert first.observations == again.observations


def test_without_a_stated_time_a_call_happened_on_receipt() -> None:
    assert call("member.bind").observations[0]["event_time"] == RECEIVED_MS


def test_a_query_is_evidence_like_a_bind_but_no_membership() -> None:
    parsed = call("member.bind.query")
    assert parsed.observations == call("member.bind").observations
    assert one_row(parsed, "members")["status"] == "seen"


def test_a_later_query_does_not_undo_a_membership() -> None:
    bound, asked = one_row(call("member.bind"), "members"), one_row(call("member.bind.query"), "members")
    assert asked["version_key"] < bound["version_key"]


def test_a_registration_is_a_membership_without_a_type() -> None:
    assert one_row(call("member.register", type=...), "members")["status"] == "member"


@pytest.mark.parametrize("method", ["member.bind", "member.register"])
def test_a_call_of_an_unknown_type_begins_and_ends_nothing(method: str) -> None:
    parsed = call(method, type=3)
    assert (one_row(parsed, "members")["status"], parsed.unknown_values) == ("seen", [("type", "3")])
    assert parsed.observations == call("member.bind").observations


def test_an_unbind_ends_the_phones_links_and_keeps_the_accounts_together() -> None:
    parsed = call("member.bind", type=2, mobile="13912345670")
    assert one_row(parsed, "members")["status"] == "left"
    told = [(seen["kind"], ids_of(seen)) for seen in parsed.observations]
    assert told[0] == ("link", [OUID, OMID])
    assert told[1:] == [("unbind", [account, phone]) for account in (OUID, OMID) for phone in (MIXED, PHONE)]


def test_a_call_without_ouid_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: ouid"):
        call("member.bind", ouid=...)


def test_a_call_in_the_seller_names_scope_wins_over_the_context() -> None:
    assert ids_of(call("member.bind", seller_name="另一家店").observations[0])[0] == (
        "tmall_ouid",
        "另一家店",
        "AAOcomposed",
    )


def test_an_encrypted_number_is_no_phone() -> None:
    assert PHONE not in ids_of(call("member.bind", mobile="MTM5MTIzNDU2NzA=").observations[0])


def test_an_extend_that_is_no_json_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_json: extend"):
        call("member.bind", extend="{broken")


def test_the_customer_list_shows_buyers_and_never_undoes_a_membership() -> None:
    listed = {"ouid": "AAOcomposed", "grade": 2, "trade_count": 3, "trade_amount": "399.90", "relation_source": 1}
    page = {"crm_members_increment_get_response": {"members": {"basic_member": [listed]}, "total_result": 1}}
    (parsed,) = read(MEMBERS, page)
    row = one_row(parsed, "members")
    assert (row["status"], row["level"], row["trade_count"], row["trade_fen"]) == ("seen", "2", 3, 39990)
    assert row["version_key"] < one_row(call("member.bind"), "members")["version_key"]
    assert ids_of(parsed.observations[0]) == [OUID]


def test_a_sync_tells_points_and_level_at_its_version() -> None:
    told = {"mobile": "13912345670", "ouid": "AAOcomposed", "point": 120, "level": 3, "version": 1735700531000}
    parsed = parse(MEMBERS, told, method="tmall.mei.crm.member.sync.privy")
    row = one_row(parsed, "members")
    assert (row["points"], row["level"], row["updated_at"], row["status"]) == (120, "3", 1735700531000, "member")
    assert ids_of(parsed.observations[0]) == [OUID, PHONE]


def test_a_sync_by_number_alone_is_known_by_the_numbers_token() -> None:
    parsed = parse(MEMBERS, {"mobile": "13912345670", "point": 5, "version": 1735700531000}, method="member.sync")
    row = one_row(parsed, "members")
    assert (row["member_value"], row["subject"]) == (Clear("phone", "13912345670"), Subject("phone", "", "13912345670"))


def test_a_sync_of_nobody_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="ouid or mobile"):
        parse(MEMBERS, {"point": 5, "version": 1735700531000}, method="member.sync")


def test_calls_with_equal_fields_are_one_record_only_if_they_did_the_same_at_the_same_time() -> None:
    def content(**context: Any) -> Any:
        return with_context({"ouid": "o"}, public_context(MEMBERS.feed, **context), MEMBERS.hash_context)

    joined = content(method="tmall.mei.crm.bind")
    assert content(method="tmall.mei.crm.bind") == joined
    assert content(method="tmall.mei.crm.bind.query") != joined
    assert content(method="tmall.mei.crm.bind", params={"answer": "FAIL"}) != joined
    assert content(method="tmall.mei.crm.bind", received_ms=RECEIVED_MS + 1) != joined


def test_of_a_bind_and_an_unbind_of_one_time_the_unbind_counts() -> None:
    request = {"seller_name": NICK, "ouid": "AAOcomposed", "extend": {"flightJoinTime": 1735610400000}}
    bound, ended = (
        one_row(parse(MEMBERS, {**request, "type": kind}, method="tmall.mei.crm.bind", digest=digest), "members")
        for kind, digest in ((1, "f" * 32), (2, "0" * 32))
    )
    assert (bound["status"], ended["status"]) == ("member", "left")
    assert ended["version_key"] > bound["version_key"]


@pytest.mark.parametrize(
    "stated",
    [
        {"extend": {"flightJoinTime": 1735610400000}},
        {"extend": '{"flightJoinTime":"2024-12-31 10:00:00"}'},
        {"point": 5, "version": 1735700531000},
    ],
)
def test_a_call_that_states_its_own_time_is_the_same_record_whenever_it_arrives(stated: dict[str, Any]) -> None:
    call = {"seller_name": NICK, "ouid": "AAOcomposed", "type": 1, **stated}
    context = {"method": "tmall.mei.crm.bind"}
    first, again = (records(MEMBERS, call, received_ms=RECEIVED_MS + late, **context)[0] for late in (0, 60_000))
    (other,) = records(MEMBERS, call, method="tmall.mei.crm.bind.query")
    assert first.digest == again.digest != other.digest


@pytest.mark.parametrize("extend", [{"flightMode": "1"}, {"flightJoinTime": ""}, "{broken", "", None])
def test_a_call_without_a_time_of_its_own_is_dated_by_its_arrival(extend: Any) -> None:
    call = {"seller_name": NICK, "ouid": "AAOcomposed", "type": 1, "extend": extend}
    digests = {records(MEMBERS, call, received_ms=RECEIVED_MS + late)[0].digest for late in (0, 60_000)}
    assert len(digests) == 2


def test_a_member_of_an_unknown_shop_is_known_by_the_omid() -> None:
    request = {"ouid": "AAOcomposed", "omid": "AAMcomposed", "mix_mobile": MIX, "type": 1}
    row = one_row(parse(MEMBERS, request, method="tmall.mei.crm.bind", seller_nick="", shop_id=""), "members")
    assert (row["programme_scope"], row["member_value"], row["subject"]) == ("", "AAOcomposed", Subject(*OMID))
