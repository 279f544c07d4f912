"""The compared columns in DuckDB's SQL, as somebody would write them who knows the files."""

from __future__ import annotations

SHANGHAI_S = 28_800
ORDER_STATES = {"1": "created", "105": "paid", "2": "paid", "101": "part_shipped", "3": "shipped", "4": "closed"} | {
    "5": "finished"
}
CLOSED_STATES = ("21", "22", "39")
REFUND_STATES = {"0": "none", "6": "open", "7": "open", "8": "open", "11": "open", "12": "success", "13": "open"} | {
    **dict.fromkeys(("27", "28", "29", "51"), "closed"),
    "53": "success",
}
BUSINESS = {"1": "ad", "2": "talent", "4": "mall", "10": "ad", "14": "ad", "15": "ad"}
ORIGINS = ("live", "short_video", "ad", "talent", "mall", "unknown")
REST = (
    *("$title", "$referrer", "$is_first_day", "$network_type", "$os", "$model", "$timezone_offset", "$url_query"),
    *("goods_id", "$share_depth", "$share_method", "city", "$is_first_time", "$share_distinct_id"),
)
"""The properties that no column takes."""

_LINE_TYPE = (
    "STRUCT(order_id VARCHAR, order_status BIGINT, main_status BIGINT, trade_type BIGINT, pay_time BIGINT, "
    "update_time BIGINT, product_id_str VARCHAR, sku_id BIGINT, code VARCHAR, product_name VARCHAR, item_num BIGINT, "
    "origin_amount BIGINT, sum_amount BIGINT, pay_amount BIGINT, given_product_type VARCHAR, author_id BIGINT, "
    "room_id_str VARCHAR, video_id VARCHAR, theme_type VARCHAR, cid BIGINT, c_biz BIGINT, "
    "after_sale_info STRUCT(after_sale_status BIGINT, refund_status BIGINT))"
)
_PHASE_TYPE = "STRUCT(phase_pay_time BIGINT, phase_pay_amount BIGINT, phase_payable_price BIGINT)"
_ORDER_TYPE = (
    "STRUCT(order_id VARCHAR, shop_id BIGINT, doudian_open_id VARCHAR, order_status BIGINT, main_status BIGINT, "
    "order_type BIGINT, create_time BIGINT, pay_time BIGINT, update_time BIGINT, ship_time BIGINT, finish_time BIGINT, "
    "order_amount BIGINT, pay_amount BIGINT, post_amount BIGINT, promotion_amount BIGINT, "
    "promotion_platform_amount BIGINT, mask_post_tel VARCHAR, "
    'post_addr STRUCT(province STRUCT("name" VARCHAR), city STRUCT("name" VARCHAR)), '
    f"order_phase_list {_PHASE_TYPE}[], sku_order_list {_LINE_TYPE}[])"
)
_TEXTS = (
    *("$url_path", "$scene", "$latest_scene", "$utm_source", "$latest_utm_source", "$utm_campaign"),
    *("$latest_utm_campaign", "product_id", "$app_id", *REST),
)
_EVENT_TYPE = (
    'STRUCT(distinct_id VARCHAR, anonymous_id VARCHAR, login_id VARCHAR, event VARCHAR, "type" VARCHAR, "time" BIGINT, '
    "_flush_time BIGINT, _track_id VARCHAR, "
    'identities STRUCT("$identity_mp_id" VARCHAR, "$identity_mp_openid" VARCHAR, "$identity_mp_unionid" VARCHAR), '
    f'properties STRUCT("$event_duration" DOUBLE, {", ".join(f"{chr(34)}{name}{chr(34)} VARCHAR" for name in _TEXTS)}))'
)
_CONTEXT_TYPE = "STRUCT(app_id VARCHAR, open_platform_id VARCHAR, brand VARCHAR, received_at VARCHAR)"
_READ = (
    "CREATE TEMP TABLE raw AS SELECT {what} FROM read_json('{{files}}/*.jsonl', format = 'newline_delimited', "
    "maximum_object_size = 67108864, columns = {{{{{columns}}}}})"
)


def _case(value: str, names: dict[str, str]) -> str:
    return f"CASE {value} " + " ".join(f"WHEN {code} THEN '{name}'" for code, name in names.items())


def _status(of: str, paid: str) -> str:
    return (
        f"CASE WHEN {of}.main_status IN ({', '.join(CLOSED_STATES)}) THEN 'closed' "
        f"WHEN {of}.main_status = 103 AND NOT {paid} THEN 'deposit_paid' "
        f"ELSE {_case(of + '.order_status', ORDER_STATES)} ELSE 'unknown' END END"
    )


def _origin(of: str) -> str:
    """Where a sale of a line began."""
    return (
        f"CASE WHEN {of}.room_id_str NOT IN ('0', '') OR {of}.theme_type = '1' THEN 'live' "
        f"WHEN {of}.video_id NOT IN ('0', '') THEN 'short_video' "
        f"WHEN {of}.cid <> 0 OR {of}.c_biz IN (1, 10, 14, 15) THEN 'ad' WHEN {of}.author_id <> 0 THEN 'talent' "
        f"ELSE {_case(of + '.c_biz', BUSINESS)} ELSE 'unknown' END END"
    )


def _day(seconds: str) -> str:
    return f"strftime(make_timestamp(({seconds} + {SHANGHAI_S}) * 1000000), '%Y-%m-%d')"


_DEPOSIT = (
    "CASE WHEN o.pay_time > 0 THEN 0 ELSE coalesce(list_sum(list_transform("
    "list_filter(o.order_phase_list, lambda p: p.phase_pay_time > 0), "
    "lambda p: coalesce(nullif(p.phase_pay_amount, 0), p.phase_payable_price, 0))), 0) END"
)
_ORDERS = f"""
    SELECT 'douyin' AS platform, o.order_id, o.shop_id::VARCHAR AS shop_id, o.doudian_open_id AS subject_value,
        CASE WHEN {_DEPOSIT} > 0 AND o.order_status = 1 AND o.main_status NOT IN (21, 22, 39) THEN 'deposit_paid'
            ELSE {_status("o", "(o.pay_time > 0)")} END AS status,
        concat(o.order_status, '/', o.main_status) AS status_raw, o.order_type::VARCHAR AS order_type,
        o.pay_time > 0 AS is_paid, len(o.order_phase_list) > 0 AS is_presale,
        o.create_time * 1000 AS created_at, nullif(o.pay_time, 0) * 1000 AS paid_at,
        nullif(o.ship_time, 0) * 1000 AS shipped_at, nullif(o.finish_time, 0) * 1000 AS finished_at,
        CASE WHEN {_status("o", "(o.pay_time > 0)")} = 'closed' THEN o.update_time * 1000 END AS closed_at,
        o.update_time * 1000 AS updated_at, {_day("coalesce(nullif(o.pay_time, 0), o.create_time)")} AS business_date,
        o.order_amount AS list_fen, CASE WHEN o.pay_time > 0 THEN o.pay_amount ELSE 0 END AS paid_fen,
        CASE WHEN o.pay_time > 0 THEN o.post_amount ELSE 0 END AS freight_fen, o.promotion_amount AS discount_fen,
        o.promotion_platform_amount AS platform_subsidy_fen, {_DEPOSIT} AS deposit_fen, 'CNY' AS currency,
        {list(ORIGINS)}[list_min(list_transform(o.sku_order_list,
            lambda l: list_position({list(ORIGINS)}, {_origin("l")})))] AS channel_origin,
        o.post_addr.province."name" AS province, o.post_addr.city."name" AS city,
        nullif(regexp_extract(o.mask_post_tel, '\\*(\\d+)$', 1), '') AS phone_tail, hash(o) AS record_hash
    FROM raw"""
_LINES = f"""
    SELECT 'douyin' AS platform, shop_id, order_id, subject_value, l.order_id AS line_id,
        l.product_id_str AS product_id, l.sku_id::VARCHAR AS sku_id, l.code AS brand_sku, l.product_name,
        l.item_num AS quantity, l.origin_amount AS unit_price_fen, l.sum_amount AS list_fen,
        CASE WHEN paid AND l.given_product_type IS DISTINCT FROM 'FREE' THEN l.pay_amount ELSE 0 END AS paid_fen,
        l.given_product_type IS NOT DISTINCT FROM 'FREE' AS is_gift, paid AS is_paid, {_status("l", "paid")} AS status,
        concat(l.order_status, '/', l.main_status) AS status_raw,
        CASE WHEN l.after_sale_info.refund_status = 3 OR
            (l.main_status IN ({", ".join(CLOSED_STATES)}) AND l.after_sale_info.after_sale_status = 0) THEN 'success'
            ELSE {_case("l.after_sale_info.after_sale_status", REFUND_STATES)} ELSE 'unknown' END END AS refund_state,
        created_at, CASE WHEN paid THEN coalesce(nullif(l.pay_time, 0), pay_time) * 1000 END AS paid_at,
        l.update_time * 1000 AS updated_at,
        {_day("CASE WHEN paid THEN coalesce(nullif(l.pay_time, 0), pay_time) ELSE created_at // 1000 END")}
            AS business_date,
        {_origin("l")} AS channel_origin, nullif(nullif(l.room_id_str, '0'), '') AS room_id,
        nullif(nullif(l.video_id, '0'), '') AS video_id, nullif(l.author_id, 0)::VARCHAR AS talent_id,
        nullif(l.cid, 0)::VARCHAR AS ad_creative_id
    FROM (SELECT o.order_id, o.shop_id::VARCHAR AS shop_id, o.doudian_open_id AS subject_value, o.pay_time,
        o.pay_time > 0 AS paid, o.create_time * 1000 AS created_at, unnest(o.sku_order_list) AS l FROM raw)"""


def _said(*names: str) -> str:
    """The first of the properties that says something."""
    return "coalesce(" + ", ".join(f"nullif(nullif(e.properties.\"{name}\", '未取到值'), '')" for name in names) + ")"


_RECEIVED = "epoch_ms(c.received_at::TIMESTAMPTZ)"
_EVENTS = f"""
    SELECT hash(e.distinct_id, e._track_id, e."time", e."type", e.event) AS event_id, c.app_id,
        coalesce(e.identities."$identity_mp_unionid", e.identities."$identity_mp_openid", e.login_id, e.anonymous_id)
            AS subject_value,
        coalesce(e.event, e."type") AS event,
        CASE WHEN e."time" + greatest(e._flush_time - e."time", 0) > {_RECEIVED} + 300000
            THEN {_RECEIVED} - (e._flush_time - e."time") ELSE e."time" END AS event_at,
        e."time" AS device_at, {_day('e."time" // 1000')} AS business_date, {_said("$url_path")} AS url_path,
        split_part({_said("$scene", "$latest_scene")}, '-', -1) AS scene,
        {_said("$utm_source", "$latest_utm_source")} AS utm_source,
        {_said("$utm_campaign", "$latest_utm_campaign")} AS utm_campaign,
        {_said("product_id", "goods_id")} AS product_id,
        round(e.properties."$event_duration" * 1000)::BIGINT AS duration_ms,
        to_json(struct_pack({", ".join(f'"{name}" := e.properties."{name}"' for name in REST)})) AS properties,
        hash(e) AS record_hash
    FROM raw"""

DUCKDB: dict[str, tuple[str, dict[str, str]]] = {
    "douyin_orders": (
        _READ.format(
            what="unnest(payload.data.shop_order_list) AS o",
            columns=f"payload: 'STRUCT(data STRUCT(shop_order_list {_ORDER_TYPE}[]))'",
        ),
        {"silver.orders": _ORDERS, "silver.order_lines": _LINES},
    ),
    "miniprogram_events": (
        _READ.format(
            what="payload AS e, context AS c", columns=f"payload: '{_EVENT_TYPE}', context: '{_CONTEXT_TYPE}'"
        ),
        {"silver.events": _EVENTS},
    ),
}
"""By feed: how the files are read, and the select of each table."""
