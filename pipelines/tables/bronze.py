"""Bronze: raw records, unchanged, one table per feed, with where each came from."""

from __future__ import annotations

from pipelines.spec import Check, Column, Table

FEEDS: dict[str, str] = {
    "douyin_orders": "Douyin shop orders: order.searchList, order.orderDetail, order.batchDecrypt",
    "douyin_refunds": "Douyin after-sales: afterSale.List",
    "tmall_trades": "Tmall trades: trades.sold.get, trades.sold.increment.get, trade.fullinfo.get",
    "tmall_refunds": "Tmall refunds: refunds.receive.get",
    "tmall_members": "Tmall member calls (bind query, bind, register) and crm.members",
    "wecom_contacts": "WeCom customers: externalcontact/get, batch/get_by_user, acquisition links, contact_list",
    "wecom_group_chats": "WeCom customer groups: groupchat/get, groupchat/list",
    "wecom_staff_stats": "WeCom statistics: get_user_behavior_data, groupchat/statistic; get_moment_list",
    "wecom_events": "WeCom callbacks: decrypted XML; messages under audit: decrypted JSON",
    "miniprogram_users": "Mini-program sessions and phone numbers: jscode2session, getuserphonenumber",
    "miniprogram_events": "Mini-program behaviour: SensorsData and Tencent 有数 events",
    "douyin_members": "Douyin shop members: member/searchList",
    "douyin_messages": "Douyin pushes: shop messages and open-platform webhooks",
    "tmall_messages": "Tmall TMC messages",
    "wecom_tags": "WeCom corporate tags",
    "wecom_transfers": "WeCom transfers: transfer_customer, transfer_result, get_unassigned_list",
    "id_conversions": "Answers that convert one platform id into another, and replacement maps",
    "points_events": "Points: TMC PointChange, WeChat mall notices, the brand's ledger",
    "order_claims": "Claims of platform orders by mini-program users",
    "consents": "Consents granted and withdrawn",
    "shop_orders": "Orders of the brand's own mini-program mall and POS",
    "products": "Platform product ids with brand SKU, name and category",
    "staff": "Guides with their store and region",
    "observations": "Identity observations of any other system",
    "orders_file": "Order lines of a mapped CSV, XLSX, Parquet or JSON Lines export",
}
"""Every feed of the platform with what it carries; a feed's name is its bronze table's name."""

COLUMNS: tuple[Column, ...] = (
    Column("interval", "date", "Business day on which the record was pulled or received", required=True),
    Column("batch_id", "string", "Batch that brought the record", required=True),
    Column("source_file", "string", "File name inside the batch", required=True),
    Column("line", "bigint", "Line of the file, from 1", required=True),
    Column("element", "int", "Position in the page's list, from 0; 0 for a single record", required=True),
    Column(
        "record_hash", "string", "Digest of the record without cipher fields, flush time and context", required=True
    ),
    Column("received_at", "timestamp", "When the answer was received, where the context says it"),
    Column("context", "string", "What the raw text does not say, as JSON: app key, shop, corp, method, parameters"),
    Column("payload", "string", "The raw record, unchanged", pii="clear", required=True),
)

TABLES: tuple[Table, ...] = tuple(
    Table(
        layer="bronze",
        name=feed,
        doc=doc,
        grain="one raw record of one arrival interval",
        key=("interval", "record_hash"),
        columns=COLUMNS,
        partition_by=("interval",),
        checks=(Check("hash_present", "length(record_hash) = 32"),),
    )
    for feed, doc in FEEDS.items()
)
