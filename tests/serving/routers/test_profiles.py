from __future__ import annotations

from typing import Any

import pytest

from serving.models import Identities, ProfileDocument, Tags, Timeline
from tests.serving.client import Api, World
from tests.serving.sample import (
    ANNA,
    BOB,
    CROWD,
    DAY,
    GONE,
    PHONE,
    RETIRED,
    VISITOR,
    map_rows,
    order_rows,
    publish,
    sample_inputs,
    table,
    token,
)


def profile(api: Api, one_id: str) -> Any:
    return api.get(f"/v1/profiles/{one_id}").json()


def all_entries(api: Api, query: str) -> list[Any]:
    """Every entry of Anna's timeline, page after page."""
    entries: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get(f"/v1/profiles/{ANNA}/timeline?{query}" + (f"&cursor={cursor}" if cursor else "")).json()
        entries += page["entries"]
        cursor = page["next_cursor"]
    return entries


@pytest.mark.parametrize(
    ("path", "model"),
    [("", ProfileDocument), ("/identities", Identities), ("/tags", Tags), ("/timeline", Timeline)],
    ids=["profile", "identities", "tags", "timeline"],
)
def test_answers_have_the_documented_form(sample_api: Api, path: str, model: type[ProfileDocument]) -> None:
    document = sample_api.get(f"/v1/profiles/{ANNA}{path}").json()
    assert model.model_validate(document, strict=True, extra="forbid").model_dump() == document


def test_features_are_shown_by_group(sample_api: Api) -> None:
    assert profile(sample_api, ANNA)["features"] == {
        "orders": {"net_fen": 250_000, "last_paid_at": DAY},
        "other": {"is_member": True},
    }


def test_a_profile_says_layer_status_and_snapshot(sample_api: Api) -> None:
    document = profile(sample_api, ANNA)
    chosen = [document[name] for name in ("one_id", "redirected_from", "status", "layer", "snapshot_id", "as_of")]
    assert chosen == [ANNA, None, "active", "friend", "s1", "2025-03-01"]


def test_a_visitor_has_a_profile_without_layer(sample_api: Api) -> None:
    document = profile(sample_api, VISITOR)
    assert (document["status"], document["layer"], document["features"]) == ("visitor", None, {})


@pytest.mark.parametrize("part", ["", "/identities", "/tags", "/timeline"])
def test_a_retired_oneid_answers_with_the_living_one(sample_api: Api, part: str) -> None:
    answer = sample_api.get(f"/v1/profiles/{RETIRED}{part}")
    document = answer.json()
    assert (answer.status_code, document["one_id"], document["redirected_from"]) == (200, ANNA, RETIRED)


@pytest.mark.parametrize("one_id", ["nobody", GONE, "' OR 1=1 --", "%00", "%ff", "x" * 64, "..%2f..%2fetc"])
@pytest.mark.parametrize("part", ["", "/identities", "/tags", "/timeline"])
def test_an_unknown_oneid_is_not_found(sample_api: Api, one_id: str, part: str) -> None:
    assert sample_api.get(f"/v1/profiles/{one_id}{part}").status_code == 404


def test_tags_say_why_and_since_when(sample_api: Api) -> None:
    tags = sample_api.get(f"/v1/profiles/{ANNA}/tags").json()["tags"]
    assert tags == [
        {"tag": "region", "value": "east", "as_of": "2025-03-01", "reason": "region is east"},
        {"tag": "spending", "value": "high", "as_of": "2025-03-01", "reason": "spending is high"},
    ]


def test_phones_are_shown_masked_and_platform_ids_as_they_are(sample_api: Api) -> None:
    rows = sample_api.get(f"/v1/profiles/{ANNA}/identities").json()["identities"]
    assert [(row["namespace"], row["display"], row["personal"]) for row in rows] == [
        ("login_id", "same", False),
        ("member_id", "K1", False),
        ("phone", "139****5670", True),
        ("phone", "137****5671", True),
        ("wecom_external_userid", "wmAnna", False),
        ("wx_unionid", "oU-Anna", False),
    ]


def test_a_former_holder_keeps_the_period_of_a_number(sample_api: Api) -> None:
    rows = sample_api.get(f"/v1/profiles/{BOB}/identities").json()["identities"]
    assert [row["display"] for row in rows if row["valid_to_ms"] is not None] == ["137****5671"]


def test_a_phone_without_a_mask_is_hidden(world: World) -> None:
    publish(world.home, sample_inputs(oneid_map=table([{**row, "display": None} for row in map_rows()])))
    text = world.api().get(f"/v1/profiles/{ANNA}/identities").text
    assert "••••" in text
    assert token(PHONE) not in text


def test_consent_in_force_and_its_conflict_are_shown(sample_api: Api) -> None:
    assert profile(sample_api, ANNA)["consents"] == [
        {"purpose": "marketing", "status": "withdrawn", "stated_at_ms": DAY, "source": "app", "conflict": True}
    ]


def test_orders_are_summed_per_platform_without_unpaid_and_internal_ones(sample_api: Api) -> None:
    sums = profile(sample_api, ANNA)["orders"]["by_platform"]
    assert [(row["platform"], row["orders"], row["paid_fen"], row["refunded_fen"], row["net_fen"]) for row in sums] == [
        ("douyin", 1, 9_900, 0, 9_900),
        ("tmall", 1, 5_000, 2_000, 3_000),
    ]


def test_the_total_of_orders_equals_the_orders(sample_api: Api) -> None:
    counted = [row for row in order_rows() if row["one_id"] == ANNA and row["is_paid"] and not row["is_internal"]]
    total = profile(sample_api, ANNA)["orders"]["total"]
    assert total == {
        "platform": "all",
        "orders": len(counted),
        "paid_fen": sum(row["paid_fen"] for row in counted),
        "refunded_fen": sum(row["refunded_fen"] for row in counted),
        "net_fen": 12_900,
        "first_at_ms": DAY + 2,
        "last_at_ms": DAY + 9,
    }


def test_a_person_without_orders_has_sums_of_nought(sample_api: Api) -> None:
    total = profile(sample_api, CROWD[0])["orders"]["total"]
    assert (total["orders"], total["net_fen"], total["last_at_ms"]) == (0, 0, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 200])
def test_pages_of_any_size_give_the_whole_timeline_once(sample_api: Api, limit: int) -> None:
    entries = all_entries(sample_api, f"limit={limit}")
    order = [(-entry["at_ms"], entry["kind"], entry["ref"]) for entry in entries]
    assert len(entries) == 10
    assert order == sorted(set(order))


def test_the_timeline_can_be_narrowed_to_kinds(sample_api: Api) -> None:
    assert {entry["kind"] for entry in all_entries(sample_api, "limit=2&kind=order")} == {"order"}
    assert len(all_entries(sample_api, "limit=2&kind=order&kind=event")) == 10


def test_an_entry_tells_its_details(sample_api: Api) -> None:
    entry = all_entries(sample_api, "kind=order")[0]
    assert (entry["amount_fen"], entry["source"], entry["detail"]) == (9_900, "douyin", {"page": "home"})


def test_a_cursor_stays_right_when_a_new_snapshot_is_published(published: World) -> None:
    api = published.api()
    first = api.get(f"/v1/profiles/{ANNA}/timeline?limit=4").json()
    publish(published.home, sample_inputs("s2"))
    rest = api.get(f"/v1/profiles/{ANNA}/timeline?cursor={first['next_cursor']}")
    assert rest.headers["X-Snapshot-Id"] == "s2"
    assert len({entry["ref"] for entry in first["entries"] + rest.json()["entries"]}) == 10


@pytest.mark.parametrize(
    "cursor", ["x", "eyJhIjoxfQ", "WzEsMiwzXQ", "WyJhIiwiYiIsImMiXQ", "WzFlOTksImEiLCJiIl0", "é", "W10", "bnVsbA"]
)
def test_a_forged_cursor_is_refused(sample_api: Api, cursor: str) -> None:
    answer = sample_api.get(f"/v1/profiles/{ANNA}/timeline?cursor={cursor}")
    assert (answer.status_code, answer.json()["detail"]) == (422, "the cursor is not one of this API")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1e3", "&".join(["kind=a"] * 21)])
def test_a_page_outside_the_bounds_is_refused(sample_api: Api, query: str) -> None:
    assert sample_api.get(f"/v1/profiles/{ANNA}/timeline?{query}").status_code == 422


def test_a_restricted_key_reads_only_people_in_sight(published: World) -> None:
    api = published.api(restrict={"brand": ["brandA"], "guide": ["lihua"]})
    assert [api.get(f"/v1/profiles/{one_id}").status_code for one_id in (ANNA, RETIRED, BOB, CROWD[0])] == [
        200,
        200,
        404,
        404,
    ]


def test_restrictions_of_two_dimensions_must_both_fit(published: World) -> None:
    api = published.api(restrict={"brand": ["brandB"], "guide": ["lihua"]})
    assert [api.get(f"/v1/profiles/{one_id}").status_code for one_id in (ANNA, BOB)] == [404, 404]


def test_a_profile_out_of_sight_answers_like_an_unknown_one(published: World) -> None:
    api = published.api(restrict={"guide": ["nobody"]})
    forbidden, unknown = profile(api, ANNA), profile(api, "one-nobody")
    for document in (forbidden, unknown):
        document.pop("request_id"), document.pop("instance")
    assert forbidden == unknown
