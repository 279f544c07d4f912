"""The compared columns in Polars' expressions, as somebody would write them who knows the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from bench._ingest_sql import BUSINESS, ORDER_STATES, ORIGINS, REFUND_STATES, REST, SHANGHAI_S

_TEXT, _WHOLE = pl.String(), pl.Int64()


def _struct(texts: str = "", whole: str = "", **more: Any) -> pl.Struct:
    return pl.Struct({**dict.fromkeys(texts.split(), _TEXT), **dict.fromkeys(whole.split(), _WHOLE), **more})


_LINE = _struct(
    "order_id product_id_str code product_name given_product_type room_id_str video_id theme_type",
    "order_status main_status trade_type pay_time update_time sku_id item_num origin_amount sum_amount pay_amount "
    "author_id cid c_biz",
    after_sale_info=_struct("", "after_sale_status refund_status"),
)
_NAMED = _struct("name")
_ORDER = _struct(
    "order_id doudian_open_id mask_post_tel",
    "shop_id order_status main_status order_type create_time pay_time update_time ship_time finish_time order_amount "
    "pay_amount post_amount promotion_amount promotion_platform_amount",
    post_addr=pl.Struct({"province": _NAMED, "city": _NAMED}),
    order_phase_list=pl.List(_struct("", "phase_pay_time phase_pay_amount phase_payable_price")),
    sku_order_list=pl.List(_LINE),
)
_TEXTS = "$url_path $scene $latest_scene $utm_source $latest_utm_source $utm_campaign $latest_utm_campaign product_id"
_PROPERTIES = pl.Struct({**dict.fromkeys((*_TEXTS.split(), "$app_id", *REST), _TEXT), "$event_duration": pl.Float64()})
_EVENT = _struct(
    "distinct_id anonymous_id login_id event type _track_id",
    "time _flush_time",
    identities=_struct("$identity_mp_id $identity_mp_openid $identity_mp_unionid"),
    properties=_PROPERTIES,
)
_CONTEXT = _struct("app_id open_platform_id brand received_at")


def polars_frames(feed: str, file: Path) -> dict[str, pl.DataFrame]:
    """The compared tables of a landing file, read and shaped by Polars."""
    return _orders(file) if feed == "douyin_orders" else {"silver.events": _events(file)}


def _day(seconds: pl.Expr) -> pl.Expr:
    return pl.from_epoch(seconds + SHANGHAI_S, time_unit="s").dt.strftime("%Y-%m-%d")


def _set(name: str) -> pl.Expr:
    """The id or time where there is one."""
    column = pl.col(name)
    return pl.when(column != 0).then(column)


def _set_text(name: str) -> pl.Expr:
    column = pl.col(name)
    return pl.when(~column.is_in(["0", ""])).then(column)


def _field(name: str, *path: str) -> pl.Expr:
    found = pl.col(name)
    for part in path:
        found = found.struct.field(part)
    return found


def _mapped(name: pl.Expr, names: dict[str, str]) -> pl.Expr:
    return name.replace_strict({int(code): state for code, state in names.items()}, default="unknown")


def _status(paid: pl.Expr) -> pl.Expr:
    main = pl.col("main_status")
    closed = pl.when(main.is_in([21, 22, 39])).then(pl.lit("closed"))
    open_ = closed.when((main == 103) & ~paid).then(pl.lit("deposit_paid"))
    return open_.otherwise(_mapped(pl.col("order_status"), ORDER_STATES))


def _raw() -> pl.Expr:
    return pl.concat_str("order_status", pl.lit("/"), "main_status")


def _orders(file: Path) -> dict[str, pl.DataFrame]:
    page = pl.Struct({"data": pl.Struct({"shop_order_list": pl.List(_ORDER)})})
    raw = pl.read_ndjson(file, schema={"payload": page})
    read = raw.select(_field("payload", "data", "shop_order_list").explode().alias("o"))
    orders = read.with_columns(record_hash=pl.col("o").hash()).unnest("o")
    paid = pl.col("pay_time") > 0
    lines = orders.select(
        "shop_id",
        *("doudian_open_id", "create_time", paid.alias("paid"), pl.col("order_id").alias("parent")),
        *(pl.col("pay_time").alias("order_pay_time"), pl.col("sku_order_list").alias("l")),
    ).explode("l")
    inner = lines.unnest("l").with_columns(_origin().alias("channel_origin"))
    strongest = inner.group_by("parent").agg(pl.col("channel_origin").cast(pl.Enum(ORIGINS)).min())
    made = orders.join(strongest, left_on="order_id", right_on="parent", how="left").select(*_order_columns(paid))
    return {"silver.orders": made, "silver.order_lines": inner.select(*_line_columns())}


def _order_columns(paid: pl.Expr) -> list[pl.Expr]:
    phase = pl.element().struct
    told = pl.when(phase.field("phase_pay_amount") != 0).then(phase.field("phase_pay_amount"))
    amount = told.otherwise(phase.field("phase_payable_price").fill_null(0))
    due = pl.when(phase.field("phase_pay_time") > 0).then(amount).otherwise(0)
    deposit = pl.when(paid).then(0).otherwise(pl.col("order_phase_list").list.eval(due).list.sum().fill_null(0))
    status = _status(paid)
    moments = {"paid_at": "pay_time", "shipped_at": "ship_time", "finished_at": "finish_time"}
    plain = {"list_fen": "order_amount", "discount_fen": "promotion_amount"} | {
        "platform_subsidy_fen": "promotion_platform_amount"
    }
    return [
        pl.lit("douyin").alias("platform"),
        pl.col("order_id"),
        pl.col("shop_id").cast(_TEXT),
        pl.col("doudian_open_id").alias("subject_value"),
        pl.when((deposit > 0) & (status == "created")).then(pl.lit("deposit_paid")).otherwise(status).alias("status"),
        _raw().alias("status_raw"),
        pl.col("order_type").cast(_TEXT),
        paid.alias("is_paid"),
        (pl.col("order_phase_list").list.len() > 0).alias("is_presale"),
        (pl.col("create_time") * 1000).alias("created_at"),
        *((_set(name) * 1000).alias(column) for column, name in moments.items()),
        pl.when(status == "closed").then(pl.col("update_time") * 1000).alias("closed_at"),
        (pl.col("update_time") * 1000).alias("updated_at"),
        _day(pl.when(paid).then("pay_time").otherwise("create_time")).alias("business_date"),
        *(pl.col(name).alias(column) for column, name in plain.items()),
        pl.when(paid).then("pay_amount").otherwise(0).alias("paid_fen"),
        pl.when(paid).then("post_amount").otherwise(0).alias("freight_fen"),
        deposit.alias("deposit_fen"),
        pl.lit("CNY").alias("currency"),
        pl.col("channel_origin").cast(_TEXT),
        _field("post_addr", "province", "name").alias("province"),
        _field("post_addr", "city", "name").alias("city"),
        pl.col("mask_post_tel").str.extract(r"\*(\d+)$").alias("phone_tail"),
        pl.col("record_hash"),
    ]


def _origin() -> pl.Expr:
    """Where a sale of a line began."""
    live = _set_text("room_id_str").is_not_null() | (pl.col("theme_type") == "1")
    ad = (pl.col("cid") != 0) | pl.col("c_biz").is_in([1, 10, 14, 15])
    seen = pl.when(live).then(pl.lit("live")).when(_set_text("video_id").is_not_null()).then(pl.lit("short_video"))
    told = seen.when(ad).then(pl.lit("ad")).when(pl.col("author_id") != 0).then(pl.lit("talent"))
    return told.otherwise(_mapped(pl.col("c_biz"), BUSINESS))


def _line_columns() -> list[pl.Expr]:
    gift = pl.col("given_product_type").eq_missing(pl.lit("FREE"))
    paid = pl.col("paid")
    paid_s = pl.when(paid).then(pl.coalesce(_set("pay_time"), "order_pay_time"))
    money_back = _field("after_sale_info", "refund_status") == 3
    refund = _mapped(_field("after_sale_info", "after_sale_status"), REFUND_STATES)
    refunded = pl.col("main_status").is_in([21, 22, 39]) & refund.is_in(["none", "unknown"])
    same = {"product_id": "product_id_str", "brand_sku": "code", "quantity": "item_num"} | {
        "unit_price_fen": "origin_amount",
        "list_fen": "sum_amount",
    }
    return [
        pl.lit("douyin").alias("platform"),
        pl.col("shop_id").cast(_TEXT),
        pl.col("parent").alias("order_id"),
        pl.col("doudian_open_id").alias("subject_value"),
        pl.col("order_id").alias("line_id"),
        pl.col("product_name"),
        pl.col("sku_id").cast(_TEXT),
        *(pl.col(name).alias(column) for column, name in same.items()),
        pl.when(paid & ~gift).then("pay_amount").otherwise(0).alias("paid_fen"),
        gift.alias("is_gift"),
        paid.alias("is_paid"),
        _status(paid).alias("status"),
        _raw().alias("status_raw"),
        pl.when(money_back | refunded).then(pl.lit("success")).otherwise(refund).alias("refund_state"),
        (pl.col("create_time") * 1000).alias("created_at"),
        (paid_s * 1000).alias("paid_at"),
        (pl.col("update_time") * 1000).alias("updated_at"),
        _day(pl.coalesce(paid_s, "create_time")).alias("business_date"),
        pl.col("channel_origin"),
        _set_text("room_id_str").alias("room_id"),
        _set_text("video_id").alias("video_id"),
        _set("author_id").cast(_TEXT).alias("talent_id"),
        _set("cid").cast(_TEXT).alias("ad_creative_id"),
    ]


def _said(*names: str) -> pl.Expr:
    """The first of the properties that says something."""
    return pl.coalesce(*(pl.when(~pl.col(name).is_in(["未取到值", ""])).then(pl.col(name)) for name in names))


def _events(file: Path) -> pl.DataFrame:
    raw = pl.read_ndjson(file, schema={"payload": _EVENT, "context": _CONTEXT})
    read = raw.with_columns(record_hash=pl.col("payload").hash()).unnest("payload")
    inner = read.unnest("properties").unnest("identities").unnest("context")
    received = pl.col("received_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%z").dt.epoch("ms")
    waited = (pl.col("_flush_time") - pl.col("time")).clip(lower_bound=0)
    ahead = pl.col("time") + waited > received + 300_000
    return inner.select(
        pl.struct("distinct_id", "_track_id", "time", "type", "event").hash().alias("event_id"),
        pl.col("app_id"),
        pl.coalesce("$identity_mp_unionid", "$identity_mp_openid", "login_id", "anonymous_id").alias("subject_value"),
        pl.coalesce("event", "type").alias("event"),
        pl.when(ahead).then(received - waited).otherwise("time").alias("event_at"),
        pl.col("time").alias("device_at"),
        _day(pl.col("time") // 1000).alias("business_date"),
        _said("$url_path").alias("url_path"),
        _said("$scene", "$latest_scene").str.split("-").list.last().alias("scene"),
        _said("$utm_source", "$latest_utm_source").alias("utm_source"),
        _said("$utm_campaign", "$latest_utm_campaign").alias("utm_campaign"),
        _said("product_id", "goods_id").alias("product_id"),
        (pl.col("$event_duration") * 1000).round().cast(_WHOLE).alias("duration_ms"),
        pl.struct(*REST).struct.json_encode().alias("properties"),
        pl.col("record_hash"),
    )
