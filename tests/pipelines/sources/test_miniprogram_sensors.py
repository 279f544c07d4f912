"""SensorsData events: behaviour rows, sightings, binds and unbinds."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from identity.identifier import key64
from pipelines.sources.base import Parsed, RecordRefusedError, Subject
from pipelines.sources.miniprogram_events import PARSERS
from tests.pipelines.sources.private_domain import (
    BRAND_PLATFORM,
    DAY,
    RECEIVED_MS,
    WECHAT_APP,
    ids_of,
    one_row,
    read_one,
    records,
)

PARSER = PARSERS[0]
DEVICE, OPENID = "1735700000000-1234567-0abc-example", "oExampleOpenid00000000000001"
UNIONID, LOGIN, PHONE = "oExampleUnion000000000000001", "U88", "13912345678"
IDENTITIES = {"$identity_mp_id": DEVICE, "$identity_mp_openid": OPENID, "$identity_mp_unionid": UNIONID}
AT_MS = RECEIVED_MS - 900

DEVICE_ID = ("mp_anonymous_id", WECHAT_APP, DEVICE)
OPENID_ID = ("wx_openid", WECHAT_APP, OPENID)
UNIONID_ID = ("wx_unionid", BRAND_PLATFORM, UNIONID)
LOGIN_ID = ("login_id", "brandA", LOGIN)
PHONE_ID = ("phone", "", PHONE)


def event(**known: Any) -> dict[str, Any]:
    record = {
        "distinct_id": OPENID,
        "anonymous_id": DEVICE,
        "identities": IDENTITIES,
        "lib": {"$lib": "MiniProgram"},
        "type": "track",
        "event": "$MPViewScreen",
        "time": AT_MS,
        "_track_id": 530120123,
        "_flush_time": AT_MS + 400,
        "properties": {"$url_path": "pages/goods/detail", "$scene": "wx-1047", "goods_id": "88"},
    }
    return {key: value for key, value in (record | known).items() if value is not None}


def parse(context: dict[str, Any] | None = None, **known: Any) -> Parsed:
    return read_one(PARSER, event(**known), **(context or {}))


def row_of(context: dict[str, Any] | None = None, **known: Any) -> dict[str, Any]:
    return one_row(parse(context, **known), "events")


def sighting(parsed: Parsed) -> set[tuple[str, str, str]]:
    (seen,) = parsed.observations
    return set(ids_of(seen))


def test_an_event_is_a_row_of_its_account() -> None:
    row = row_of()
    assert (row["source"], row["app_id"], row["event"]) == ("sensors", WECHAT_APP, "$MPViewScreen")
    assert row["subject"] == Subject(*OPENID_ID)
    assert (row["event_at"], row["clock_flag"], row["business_date"]) == (AT_MS, "ok", DAY)
    assert (row["url_path"], row["scene"], row["product_id"]) == ("pages/goods/detail", "1047", "88")


def test_ids_of_one_event_were_seen_together_on_its_day() -> None:
    parsed = parse()
    assert sighting(parsed) == {DEVICE_ID, OPENID_ID, UNIONID_ID}
    assert parsed.observations[0]["kind"] == "link"


def test_many_events_of_one_visitor_and_day_are_one_observation() -> None:
    first = parse().observations
    other = parse(event="$MPShare", time=AT_MS - 3_600_000, _track_id=7, properties={}).observations
    assert first == other


@pytest.mark.parametrize("known", [{"_track_id": 8}, {"event": "$MPShare"}, {"time": AT_MS - 1}, {"distinct_id": "x"}])
def test_events_that_differ_in_the_deduplication_key_are_two(known: dict[str, Any]) -> None:
    assert row_of(**known)["event_id"] != row_of()["event_id"]


def test_an_event_sent_again_is_the_same_event_and_the_same_record() -> None:
    again = event(_flush_time=AT_MS + 60_000)
    assert records(PARSER, event())[0].digest == records(PARSER, again)[0].digest
    assert row_of(_flush_time=AT_MS + 60_000)["event_id"] == row_of()["event_id"]


def test_a_profile_write_has_no_track_id_and_no_event_of_its_own() -> None:
    row = row_of(type="profile_set", event=None, _track_id=None, properties={"city": "杭州市", "name": "李四"})
    assert row["event"] == "profile_set"
    assert orjson.loads(row["properties"]) == {"city": "杭州市"}


def test_a_track_without_event_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: event"):
        parse(event=None)


@pytest.mark.parametrize("field", ["distinct_id", "type"])
def test_an_event_without_its_mandatory_fields_is_refused(field: str) -> None:
    with pytest.raises(RecordRefusedError, match=f"missing_field: {field}"):
        parse(**{field: ""})


def test_a_type_nobody_knows_is_kept_and_is_a_signal() -> None:
    parsed = parse(type="item_set", event="x")
    assert parsed.unknown_values == [("type", "item_set")]
    assert one_row(parsed, "events")["event"] == "x"


def test_an_unknown_identity_key_is_a_signal_and_the_others_stand() -> None:
    parsed = parse(identities=IDENTITIES | {"$identity_shoe_size": "42"})
    assert parsed.unknown == {"identities.$identity_shoe_size": "42"}
    assert sighting(parsed) == {DEVICE_ID, OPENID_ID, UNIONID_ID}


def test_an_unknown_field_is_reported() -> None:
    assert parse(mood="good").unknown == {"mood": "good"}


def test_a_login_id_links_in_the_scope_of_the_brand() -> None:
    assert LOGIN_ID in sighting(parse(login_id=LOGIN, distinct_id=LOGIN))


def test_a_login_id_in_joined_form_is_of_the_key_it_names() -> None:
    assert LOGIN_ID in sighting(parse(login_id=f"$identity_login_id+{LOGIN}"))


def test_a_login_id_joined_with_a_key_of_the_brands_own_is_the_id_that_the_identities_hold_under_it() -> None:
    ids = {"$identity_mp_id": DEVICE, "mykey": LOGIN}
    parsed = parse(login_id=f"mykey+{LOGIN}", distinct_id=f"mykey+{LOGIN}", identities=ids)
    assert sighting(parsed) == {DEVICE_ID, LOGIN_ID}
    assert parsed.unknown == {"identities.mykey": LOGIN}
    other = parse(login_id=f"mykey+{LOGIN}", distinct_id=LOGIN, identities=ids | {"mykey": "another"})
    assert sighting(other) == {DEVICE_ID, ("login_id", "brandA", f"mykey+{LOGIN}")}


def test_a_sign_up_by_a_key_of_the_brands_own_names_the_id_once() -> None:
    ids = {"$identity_mp_id": DEVICE, "mykey": LOGIN}
    joined = f"mykey+{LOGIN}"
    parsed = parse(type="track_signup", event="$SignUp", distinct_id=joined, login_id=joined, identities=ids)
    assert sighting(parsed) == {DEVICE_ID, LOGIN_ID}


def test_a_login_id_of_an_unknown_key_is_a_signal() -> None:
    parsed = parse(login_id="$identity_vip_no+7")
    assert parsed.unknown_values == [("login_id", "$identity_vip_no")]


def test_a_login_id_with_a_plus_of_its_own_stays_whole() -> None:
    assert ("login_id", "brandA", "a+b") in sighting(parse(login_id="a+b"))


def test_an_event_without_identities_is_of_its_distinct_id() -> None:
    bare = {"identities": None, "anonymous_id": None}
    assert sighting(parse(**bare)) == {OPENID_ID}
    assert sighting(parse(**bare, distinct_id=DEVICE)) == {DEVICE_ID}


@pytest.mark.parametrize(
    ("known", "others"),
    [
        ({"identities": None}, {DEVICE_ID}),
        ({"identities": None, "anonymous_id": None, "login_id": LOGIN}, {LOGIN_ID}),
        ({"identities": {"$identity_mp_id": DEVICE, "$identity_login_id": LOGIN}}, {DEVICE_ID, LOGIN_ID}),
    ],
)
def test_a_distinct_id_that_reads_as_an_openid_takes_part_beside_other_ids(
    known: dict[str, Any], others: set[tuple[str, str, str]]
) -> None:
    parsed = parse(**known)
    assert sighting(parsed) == {OPENID_ID, *others}
    assert one_row(parsed, "events")["subject"] == Subject(*OPENID_ID)


def test_a_distinct_id_that_reads_as_no_openid_stays_out_where_other_ids_are_given() -> None:
    assert sighting(parse(identities=None, distinct_id="1735-other-device")) == {DEVICE_ID}


def test_a_distinct_id_is_no_second_openid_and_no_openid_where_it_is_held_as_a_unionid() -> None:
    assert sighting(parse(distinct_id="oAnotherOpenid00000000000001")) == {DEVICE_ID, OPENID_ID, UNIONID_ID}
    unionid_only = {"$identity_mp_unionid": UNIONID}
    assert sighting(parse(identities=unionid_only, distinct_id=UNIONID)) == {DEVICE_ID, UNIONID_ID}


def test_an_anonymous_id_that_reads_as_an_openid_is_one() -> None:
    assert sighting(parse(identities=None, anonymous_id=OPENID, distinct_id=LOGIN, login_id=LOGIN)) == {
        OPENID_ID,
        LOGIN_ID,
    }


def test_a_missing_app_id_leaves_the_scope_empty_and_keeps_the_row() -> None:
    parsed = parse({"app_id": ""})
    assert ("wx_openid", "", OPENID) in sighting(parsed)
    assert one_row(parsed, "events")["subject"] == Subject(*UNIONID_ID)


def test_a_sign_up_links_the_original_id_with_the_login() -> None:
    parsed = parse(
        type="track_signup", event="$SignUp", distinct_id=LOGIN, original_id=OPENID, identities=None, anonymous_id=None
    )
    assert sighting(parsed) == {OPENID_ID, LOGIN_ID}
    assert parsed.observations[0]["kind"] == "link"


def test_a_sign_up_with_identities_adds_what_they_do_not_have() -> None:
    parsed = parse(
        type="track_signup",
        event="$SignUp",
        distinct_id=LOGIN,
        login_id=LOGIN,
        original_id=OPENID,
        identities=IDENTITIES | {"$identity_login_id": LOGIN},
    )
    assert sighting(parsed) == {DEVICE_ID, OPENID_ID, UNIONID_ID, LOGIN_ID}


def bound(kind: str = "track_id_bind", context: dict[str, Any] | None = None, **known: Any) -> Parsed:
    return parse(context, **({"type": kind, "event": "$BindID", "identities": {"$identity_mobile": PHONE}} | known))


def test_a_bound_phone_is_verified_for_the_person_at_its_exact_time() -> None:
    visit, seen = bound(identities=IDENTITIES | {"$identity_mobile": PHONE}).observations
    assert set(ids_of(visit)) == {DEVICE_ID, OPENID_ID, UNIONID_ID}
    assert (seen["kind"], seen["event_time"]) == ("bind", AT_MS)
    assert ids_of(seen) == [OPENID_ID, PHONE_ID]
    assert [one.get("role") for one in seen["ids"]] == [None, "verified"]


def test_a_phone_is_bound_to_the_login_id_where_there_is_one() -> None:
    seen = bound(distinct_id=LOGIN, login_id=LOGIN).observations[-1]
    assert ids_of(seen) == [LOGIN_ID, PHONE_ID]


def test_a_phone_is_bound_to_the_distinct_id_where_the_login_id_has_no_brand() -> None:
    seen = bound(context={"brand": ""}, login_id=LOGIN).observations[-1]
    assert ids_of(seen) == [OPENID_ID, PHONE_ID]


def test_a_bind_without_a_phone_binds_its_ids() -> None:
    (seen,) = bound(identities=IDENTITIES | {"$identity_login_id": LOGIN}).observations
    assert (seen["kind"], set(ids_of(seen))) == ("bind", {DEVICE_ID, OPENID_ID, UNIONID_ID, LOGIN_ID})


@pytest.mark.parametrize("login", [{}, {"distinct_id": LOGIN, "login_id": LOGIN}])
@pytest.mark.parametrize("stated", [{}, {"$identity_mp_openid": OPENID}, IDENTITIES])
def test_an_unbind_ends_every_link_that_the_bind_of_the_phone_made(
    stated: dict[str, str], login: dict[str, str]
) -> None:
    before = bound(identities=IDENTITIES | {"$identity_mobile": PHONE}, **login).observations
    after = bound("track_id_unbind", identities=stated | {"$identity_mobile": PHONE}, **login).observations
    made = {frozenset(ids_of(one)) for one in before if PHONE_ID in ids_of(one)}
    assert made <= {frozenset(ids_of(one)) for one in after}


def test_an_unbound_phone_is_taken_off_every_other_id_and_they_stay_together() -> None:
    seen = bound("track_id_unbind", identities=IDENTITIES | {"$identity_mobile": PHONE}).observations
    assert {one["kind"] for one in seen} == {"unbind"}
    pairs = {frozenset(ids_of(one)) for one in seen}
    assert pairs == {frozenset({PHONE_ID, other}) for other in (DEVICE_ID, OPENID_ID, UNIONID_ID)}
    assert len({one["observation_id"] for one in seen}) == len(seen)


def test_a_single_unbound_id_is_taken_off_the_others_of_the_event() -> None:
    seen = bound("track_id_unbind", identities={"$identity_login_id": LOGIN}).observations
    assert {frozenset(ids_of(one)) for one in seen} == {
        frozenset({LOGIN_ID, other}) for other in (DEVICE_ID, OPENID_ID)
    }


def test_two_unbound_ids_are_taken_off_each_other() -> None:
    both = {"$identity_login_id": LOGIN, "$identity_mp_openid": OPENID}
    (seen,) = bound("track_id_unbind", identities=both, anonymous_id=None).observations
    assert (seen["kind"], set(ids_of(seen))) == ("unbind", {LOGIN_ID, OPENID_ID})


def test_an_unbind_that_names_nobody_else_says_nothing() -> None:
    parsed = bound("track_id_unbind", identities={"$identity_mp_openid": OPENID}, anonymous_id=None)
    assert parsed.observations == []


def test_an_unbind_without_identities_and_partner_says_nothing() -> None:
    assert bound("track_id_unbind", identities={}, anonymous_id=None).observations == []


def test_a_phone_in_any_other_event_is_a_candidate_without_role() -> None:
    first, second = parse(identities=IDENTITIES | {"$identity_mobile": PHONE}).observations
    assert set(ids_of(first)) == {DEVICE_ID, OPENID_ID, UNIONID_ID}
    assert ids_of(second) == [OPENID_ID, PHONE_ID]
    assert all("role" not in one for one in second["ids"])


def test_an_event_with_a_phone_alone_is_of_its_distinct_id() -> None:
    parsed = parse(identities={"$identity_mobile": PHONE}, anonymous_id=None)
    assert one_row(parsed, "events")["subject"] == Subject(*OPENID_ID)


def test_an_ouid_without_its_shop_comes_without_scope() -> None:
    assert ("tmall_ouid", "", "AAAA") in sighting(parse(identities=IDENTITIES | {"$identity_taobao_ouid": "AAAA"}))


def test_ids_in_properties_never_link_and_stand_in_no_row() -> None:
    properties = {"$mp_openid": "oOther", "$mp_unionid": "uOther", "$share_distinct_id": "oSharer", "goods_id": "88"}
    parsed = parse(properties=properties)
    assert sighting(parsed) == {DEVICE_ID, OPENID_ID, UNIONID_ID}
    assert one_row(parsed, "events")["properties"] == '{"goods_id":"88"}'


def test_whose_share_led_here_is_known_by_key_only() -> None:
    sharer = "oExampleSharer00000000000001"
    assert row_of(properties={"$share_distinct_id": sharer})["sharer_key"] == key64("wx_openid", WECHAT_APP, sharer)
    assert row_of(properties={"$share_distinct_id": PHONE})["sharer_key"] is None
    assert row_of(properties={})["sharer_key"] is None


def test_what_the_sdk_did_not_find_is_null() -> None:
    row = row_of(properties={"$scene": "未取到值", "$latest_utm_source": "取值异常", "$url_path": ""})
    assert (row["scene"], row["utm_source"], row["url_path"]) == (None, None, None)


def test_the_campaign_of_the_event_comes_before_the_latest_one() -> None:
    row = row_of(properties={"$latest_utm_source": "wecom", "$utm_source": "moments", "$latest_utm_campaign": "c01"})
    assert (row["utm_source"], row["utm_campaign"]) == ("moments", "c01")


@pytest.mark.parametrize(
    ("seconds", "ms"), [(12.5, 12500), ("3.25", 3250), (0, 0), (-1, None), ("viel", None), (None, None)]
)
def test_a_duration_in_seconds_becomes_milliseconds(seconds: Any, ms: int | None) -> None:
    assert row_of(properties={"$event_duration": seconds})["duration_ms"] == ms


def test_a_path_that_holds_a_phone_is_dropped() -> None:
    assert row_of(properties={"$url_path": f"pages/{PHONE}/x"})["url_path"] is None


def test_a_wrong_clock_is_corrected_and_both_times_are_kept() -> None:
    ahead = 400 * 86_400_000
    row = row_of(time=AT_MS + ahead, _flush_time=AT_MS + ahead + 400)
    assert (row["event_at"], row["device_at"], row["clock_flag"]) == (RECEIVED_MS - 400, AT_MS + ahead, "corrected")
    assert row["business_date"] == DAY


def test_an_event_of_a_clock_far_behind_keeps_its_time_and_its_day() -> None:
    behind = 400 * 86_400_000
    row = row_of(time=AT_MS - behind, _flush_time=AT_MS - behind + 400)
    assert (row["event_at"], row["clock_flag"], row["business_date"]) == (AT_MS - behind, "suspect", "2023-11-28")


@pytest.mark.parametrize("time", [0, -5, 99999999999999999])
def test_a_time_that_cannot_be_one_is_replaced(time: int) -> None:
    row = row_of(time=time)
    assert (row["device_at"], row["clock_flag"]) == (None, "corrected")


def test_a_time_stated_by_an_importer_is_no_wrong_clock() -> None:
    row = row_of(time=AT_MS - 30 * 86_400_000, _flush_time=AT_MS - 30 * 86_400_000, time_free=True)
    assert (row["event_at"], row["clock_flag"]) == (AT_MS - 30 * 86_400_000, "ok")


def test_a_time_that_is_no_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: time"):
        parse(time="noon")
