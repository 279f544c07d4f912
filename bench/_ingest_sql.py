"""The compared columns in DuckDB's SQL and in Polars' expressions, as somebody would write them who knows the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

SHANGHAI_S = 28_800
_LINE_TYPE = (
    "STRUCT(order_id VARCHAR, product_id_str VARCHAR, sku_id BIGINT, item_num BIGINT, pay_amount BIGINT, "
    "given_product_type VARCHAR, room_id_str VARCHAR, author_id BIGINT)"
)
_ORDER_TYPE = (
    "STRUCT(order_id VARCHAR, shop_id BIGINT, create_time BIGINT, pay_time BIGINT, update_time BIGINT, "
    "order_amount BIGINT, pay_amount BIGINT, post_amount BIGINT, "
    'post_addr STRUCT(province STRUCT("name" VARCHAR)), sku_order_list ' + _LINE_TYPE + "[])"
)
_EVENT_TYPE = (
    'STRUCT(event VARCHAR, "type" VARCHAR, "time" BIGINT, properties STRUCT("$url_path" VARCHAR, '
    '"$scene" VARCHAR, "$latest_scene" VARCHAR, "$utm_source" VARCHAR, "$latest_utm_source" VARCHAR, '
    "product_id VARCHAR, goods_id VARCHAR))"
)
_READ = (
    "CREATE TEMP TABLE raw AS SELECT {what} FROM read_json('{{files}}/*.jsonl', format = 'newline_delimited', "
    "maximum_object_size = 67108864, columns = {{{{payload: '{kind}'}}}})"
)
_ORDERS = f"""
    SELECT o.order_id, o.shop_id::VARCHAR AS shop_id, o.create_time * 1000 AS created_at,
        nullif(o.pay_time, 0) * 1000 AS paid_at, o.update_time * 1000 AS updated_at, o.order_amount AS list_fen,
        CASE WHEN o.pay_time > 0 THEN o.pay_amount ELSE 0 END AS paid_fen,
        CASE WHEN o.pay_time > 0 THEN o.post_amount ELSE 0 END AS freight_fen,
        o.post_addr.province."name" AS province,
        strftime(make_timestamp((coalesce(nullif(o.pay_time, 0), o.create_time) + {SHANGHAI_S}) * 1000000),
            '%Y-%m-%d') AS business_date
    FROM raw"""
_LINES = """
    SELECT order_id, l.order_id AS line_id, l.product_id_str AS product_id, l.sku_id::VARCHAR AS sku_id,
        l.item_num AS quantity,
        CASE WHEN paid AND l.given_product_type IS DISTINCT FROM 'FREE' THEN l.pay_amount ELSE 0 END AS paid_fen,
        nullif(nullif(l.room_id_str, '0'), '') AS room_id, nullif(l.author_id, 0)::VARCHAR AS talent_id
    FROM (SELECT o.order_id, o.pay_time > 0 AS paid, unnest(o.sku_order_list) AS l FROM raw)"""
_EVENTS = """
    SELECT coalesce(e.event, e."type") AS event, e."time" AS device_at,
        nullif(e.properties."$url_path", '') AS url_path,
        split_part(nullif(coalesce(nullif(e.properties."$scene", '未取到值'), e.properties."$latest_scene"),
            '未取到值'), '-', -1) AS scene,
        nullif(coalesce(e.properties."$utm_source", e.properties."$latest_utm_source"), '') AS utm_source,
        nullif(coalesce(e.properties.product_id, e.properties.goods_id), '') AS product_id
    FROM raw"""

DUCKDB: dict[str, tuple[str, dict[str, str]]] = {
    "douyin_orders": (
        _READ.format(
            what="unnest(payload.data.shop_order_list) AS o",
            kind=f"STRUCT(data STRUCT(shop_order_list {_ORDER_TYPE}[]))",
        ),
        {"silver.orders": _ORDERS, "silver.order_lines": _LINES},
    ),
    "miniprogram_events": (_READ.format(what="payload AS e", kind=_EVENT_TYPE), {"silver.events": _EVENTS}),
}
"""By feed: how the files are read, and the select of each table."""

_TEXT, _WHOLE = pl.String(), pl.Int64()
_POLARS_LINE = pl.Struct(
    {
        **dict.fromkeys(("order_id", "product_id_str", "given_product_type", "room_id_str"), _TEXT),
        **dict.fromkeys(("sku_id", "item_num", "pay_amount", "author_id"), _WHOLE),
    }
)
_POLARS_ORDER = pl.Struct(
    {
        "order_id": _TEXT,
        **dict.fromkeys(
            ("shop_id", "create_time", "pay_time", "update_time", "order_amount", "pay_amount", "post_amount"), _WHOLE
        ),
        "post_addr": pl.Struct({"province": pl.Struct({"name": _TEXT})}),
        "sku_order_list": pl.List(_POLARS_LINE),
    }
)
_PROPERTIES = ("$url_path", "$scene", "$latest_scene", "$utm_source", "$latest_utm_source", "product_id", "goods_id")
_POLARS_EVENT = pl.Struct(
    {"event": _TEXT, "type": _TEXT, "time": _WHOLE, "properties": pl.Struct(dict.fromkeys(_PROPERTIES, _TEXT))}
)


def polars_frames(feed: str, files: Path) -> dict[str, pl.DataFrame]:
    """The compared tables, read and shaped by Polars."""
    if feed == "douyin_orders":
        return _polars_orders(files)
    frame = pl.read_ndjson(sorted(files.glob("*.jsonl")), schema={"payload": _POLARS_EVENT}).unnest("payload")
    inner = frame.select("event", "type", "time", pl.col("properties").struct.unnest())
    scene = _said("$scene").fill_null(_said("$latest_scene")).str.split("-").list.last()
    shaped = inner.select(
        pl.coalesce("event", "type").alias("event"),
        pl.col("time").alias("device_at"),
        _said("$url_path").alias("url_path"),
        scene.alias("scene"),
        _said("$utm_source").fill_null(_said("$latest_utm_source")).alias("utm_source"),
        _said("product_id").fill_null(_said("goods_id")).alias("product_id"),
    )
    return {"silver.events": shaped}


def _polars_orders(files: Path) -> dict[str, pl.DataFrame]:
    page = pl.Struct({"data": pl.Struct({"shop_order_list": pl.List(_POLARS_ORDER)})})
    raw = pl.read_ndjson(sorted(files.glob("*.jsonl")), schema={"payload": page})
    listed = pl.col("payload").struct.field("data").struct.field("shop_order_list")
    orders = raw.select(listed.explode().alias("o")).unnest("o")
    paid = pl.col("pay_time") > 0
    at = pl.when(paid).then("pay_time").otherwise("create_time") + SHANGHAI_S
    made = orders.select(
        "order_id",
        pl.col("shop_id").cast(_TEXT),
        (pl.col("create_time") * 1000).alias("created_at"),
        pl.when(paid).then(pl.col("pay_time") * 1000).alias("paid_at"),
        (pl.col("update_time") * 1000).alias("updated_at"),
        pl.col("order_amount").alias("list_fen"),
        pl.when(paid).then("pay_amount").otherwise(0).alias("paid_fen"),
        pl.when(paid).then("post_amount").otherwise(0).alias("freight_fen"),
        pl.col("post_addr").struct.field("province").struct.field("name").alias("province"),
        pl.from_epoch(at, time_unit="s").dt.strftime("%Y-%m-%d").alias("business_date"),
    )
    lines = orders.select("order_id", paid.alias("paid"), pl.col("sku_order_list").alias("l")).explode("l")
    inner = lines.select(pl.col("order_id").alias("parent"), "paid", pl.col("l").struct.unnest())
    counts = pl.col("paid") & pl.col("given_product_type").ne_missing(pl.lit("FREE"))
    return {"silver.orders": made, "silver.order_lines": inner.select(*_line_columns(counts))}


def _line_columns(counts: pl.Expr) -> list[Any]:
    return [
        pl.col("parent").alias("order_id"),
        pl.col("order_id").alias("line_id"),
        pl.col("product_id_str").alias("product_id"),
        pl.col("sku_id").cast(_TEXT),
        pl.col("item_num").alias("quantity"),
        pl.when(counts).then("pay_amount").otherwise(0).alias("paid_fen"),
        pl.when(~pl.col("room_id_str").is_in(["0", ""])).then("room_id_str").alias("room_id"),
        pl.when(pl.col("author_id") != 0).then("author_id").cast(_TEXT).alias("talent_id"),
    ]


def _said(name: str) -> pl.Expr:
    """The property where it says something."""
    return pl.when(~pl.col(name).is_in(["未取到值", ""])).then(name)
