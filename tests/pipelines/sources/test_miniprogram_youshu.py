"""Tencent 有数 events."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipelines.sources.base import Parsed, RecordRefusedError, Subject
from pipelines.sources.miniprogram_events import PARSERS
from tests.pipelines.sources.private_domain import BRAND_PLATFORM, RECEIVED_MS, ids_of, one_row, read_one

PARSER = PARSERS[0]
USER = {
    "app_id": "wx9",
    "open_id": "o1",
    "union_id": "u1",
    "user_id": "U88",
    "local_id": "l1",
    "tag": [{"tag_id": "x"}],
}
AT_MS = RECEIVED_MS - 1000


def props(**known: Any) -> dict[str, Any]:
    stated = {"page": "pages/product?sku_id=88", "page_title": "商品详情", "time": str(AT_MS), "wx_user": USER}
    return stated | {"chan": {"chan_wxapp_scene": 1037, "chan_id": "11", "chan_refer_app_id": "wx7"}} | known


def parse(event: str = "browse_sku_page", **known: Any) -> Parsed:
    return read_one(PARSER, {"type": event, "props": props(**known)})


def test_an_event_is_a_row_of_the_app_and_user_it_names() -> None:
    row = one_row(parse(), "events")
    assert (row["source"], row["app_id"], row["event"], row["event_at"]) == ("youshu", "wx9", "browse_sku_page", AT_MS)
    assert row["subject"] == Subject("wx_openid", "wx9", "o1")
    assert (row["url_path"], row["scene"], row["utm_source"]) == ("pages/product", "1037", "11")


def test_the_ids_of_the_user_were_seen_together_in_their_scopes() -> None:
    assert set(ids_of(parse().observations[0])) == {
        ("wx_openid", "wx9", "o1"),
        ("wx_unionid", BRAND_PLATFORM, "u1"),
        ("login_id", "brandA", "U88"),
        ("mp_anonymous_id", "wx9", "l1"),
    }


def test_the_flat_form_says_the_same() -> None:
    flat = read_one(PARSER, {"type": "browse_sku_page", **props()})
    assert flat.observations == parse().observations
    flat_row, row = one_row(flat, "events"), one_row(parse(), "events")
    assert {**flat_row, "event_id": "", "version_key": ""} == {**row, "event_id": "", "version_key": ""}


def test_a_form_between_both_says_the_same() -> None:
    inner = props()
    outer = {name: inner.pop(name) for name in ("wx_user", "time")}
    between = read_one(PARSER, {"type": "browse_sku_page", "props": inner, **outer})
    assert between.observations == parse().observations
    row, usual = one_row(between, "events"), one_row(parse(), "events")
    assert {**row, "event_id": "", "version_key": ""} == {**usual, "event_id": "", "version_key": ""}


def test_what_was_bought_is_kept_in_fen() -> None:
    order = {"order_id": "M1", "order_time": AT_MS, "order_status": "payed"}
    subs = [{"sub_order_id": "M1", "order_amt": 199.9, "pay_amt": 0.1 + 0.2}, {"order_amt": "0.10", "pay_amt": None}]
    kept = orjson.loads(one_row(parse("custom_order", order=order, sub_orders=subs), "events")["properties"])
    assert (kept["order_id"], kept["order_status"], kept["order_fen"], kept["pay_fen"]) == ("M1", "payed", 20000, 30)


def test_an_unknown_order_status_is_kept_and_is_a_signal() -> None:
    parsed = parse("custom_order", order={"order_id": "M1", "order_status": "lost"}, sub_orders=[])
    assert parsed.unknown_values == [("order.order_status", "lost")]


@pytest.mark.parametrize("known", [{"sku": {"sku_id": "88"}}, {"spu": {"spu_id": "88"}}, {"goods_id": 88}])
def test_the_product_is_known_by_any_of_its_names(known: dict[str, Any]) -> None:
    assert one_row(parse(**known), "events")["product_id"] == "88"


def test_a_hashed_phone_is_a_candidate_of_its_user() -> None:
    first, second = parse(
        sha256_phone_number="ba6c167e885ea4be8252fb01c61fc55439089f389ee1b0592fc8c4f417196403"
    ).observations
    assert "phone_sha256" not in {one["namespace"] for one in first["ids"]}
    assert [one["namespace"] for one in second["ids"]] == ["wx_openid", "phone_sha256"]


def test_no_phone_stands_in_the_row() -> None:
    row = one_row(parse(phone_number="13912345678", page="pages/a?tel=13912345678&id=8"), "events")
    assert "13912345678" not in str(row)
    assert orjson.loads(row["properties"])["url_query"] == "?id=8"


def test_an_event_sent_again_is_the_same_event() -> None:
    assert one_row(parse(), "events")["event_id"] == one_row(parse(), "events")["event_id"]
    assert (
        one_row(parse(component={"component_id": "2"}), "events")["event_id"] != one_row(parse(), "events")["event_id"]
    )


def test_an_unknown_field_of_the_user_is_reported() -> None:
    assert parse(wx_user=USER | {"mood": "good"}).unknown == {"wx_user.mood": "good"}
    assert parse().unknown == {}


def test_an_event_of_nobody_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match=r"missing_field: wx_user\.open_id"):
        parse(wx_user={})


def test_an_event_without_type_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="missing_field: type"):
        parse("")


def test_an_amount_that_is_no_number_is_refused() -> None:
    with pytest.raises(RecordRefusedError, match="bad_value: sub_orders"):
        parse("custom_order", order={"order_id": "M1"}, sub_orders=[{"order_amt": "viel"}])
