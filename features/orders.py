"""Features of what a person bought: orders, net revenue, refunds, first and last purchase, per channel and in total."""

from __future__ import annotations

from features.channels import SALES_CHANNELS
from features.spec import Derived, Fact, Favourite, Feature, Theme

ORDERS = Fact(
    name="orders",
    doc="Orders with what was paid and given back",
    columns={
        "channel": "Sales channel",
        "business_date": "Business day: paid, else created",
        "created_at": "When it was placed",
        "is_paid": "Whether the final payment was made",
        "paid": "Paid and counted: staff, test and reseller orders are left out unless configured",
        "kept": "Paid, with goods that are no gifts, and not wholly refunded",
        "paid_fen": "Paid by the buyer, freight included, fen; 0 unless `paid`",
        "refunded_fen": "Successfully refunded, freight included, each refund once, fen; 0 unless `paid`",
        "refund_pending": "The platform says refunded, but no successful refund is known",
        "deposit_fen": "Deposit while the final payment is open, less what was given back, fen",
        "is_internal": "Staff, test or reseller order",
        "currency": "Currency of the amounts",
        "province": "Receiver's province",
        "city": "Receiver's city",
    },
)

LINES = Fact(
    name="lines",
    doc="Paid order lines that are no gifts and not wholly refunded",
    columns={
        "category": "The brand's category of the product",
        "product": "platform|product_id",
        "quantity": "Pieces",
        "paid_fen": "Buyer's payment without freight, fen",
    },
)

_COUNTED: tuple[tuple[str, str, str, str, str | None], ...] = (
    ("orders", "bigint", "Paid orders, gifts and wholly refunded ones left out", "count_if({when} AND kept)", "0"),
    ("paid_orders", "bigint", "Paid orders, refunded ones included", "count_if({when} AND paid)", "0"),
    ("paid_fen", "bigint", "Paid, freight included, fen", "sum(paid_fen) FILTER (WHERE {when})", "0"),
    (
        "refunded_fen",
        "bigint",
        "Successfully refunded, freight included, fen",
        "sum(refunded_fen) FILTER (WHERE {when})",
        "0",
    ),
    (
        "first_purchase_date",
        "date",
        "Business day of the first purchase kept",
        "min(business_date) FILTER (WHERE {when} AND kept)",
        None,
    ),
    (
        "last_purchase_date",
        "date",
        "Business day of the last purchase kept",
        "max(business_date) FILTER (WHERE {when} AND kept)",
        None,
    ),
)
"""name, type, meaning, aggregate, default of the figures that exist in total and per channel."""


def _figures() -> tuple[Feature, ...]:
    total = [
        Feature(name, kind, f"{doc}, all channels", "orders", sql.format(when="true"), default)
        for name, kind, doc, sql, default in _COUNTED
    ]
    each = [
        Feature(
            f"{name}_{channel}", kind, f"{doc}, {label}", "orders", sql.format(when=f"channel = '{channel}'"), default
        )
        for channel, label in SALES_CHANNELS.items()
        for name, kind, doc, sql, default in _COUNTED
    ]
    return (*total, *each)


def _net() -> tuple[Derived, ...]:
    meaning = "Net revenue: paid minus successful refunds, freight included in both, fen"
    total = Derived("net_revenue_fen", "bigint", f"{meaning}, all channels", "paid_fen - refunded_fen")
    each = (
        Derived(
            f"net_revenue_fen_{channel}",
            "bigint",
            f"{meaning}, {label}",
            f"paid_fen_{channel} - refunded_fen_{channel}",
        )
        for channel, label in SALES_CHANNELS.items()
    )
    return (total, *each)


THEME = Theme(
    name="orders",
    facts=(ORDERS, LINES),
    features=(
        *_figures(),
        Feature(
            "refunded_orders",
            "bigint",
            "Paid orders with a successful refund",
            "orders",
            "count_if(paid AND refunded_fen > 0)",
            "0",
        ),
        Feature(
            "refund_pending_orders",
            "bigint",
            "Orders the platform calls refunded while no successful refund is known; no amount is taken off for them",
            "orders",
            "count_if(paid AND refund_pending)",
            "0",
        ),
        Feature("placed_orders", "bigint", "Orders placed, paid or not, of whatever kind", "orders", "count(1)", "0"),
        Feature("unpaid_orders", "bigint", "Orders placed and never paid", "orders", "count_if(NOT is_paid)", "0"),
        Feature(
            "deposit_fen",
            "bigint",
            "Deposits with an open final payment, less what was given back, fen; outside every revenue",
            "orders",
            "sum(deposit_fen)",
            "0",
        ),
        Feature("internal_orders", "bigint", "Staff, test and reseller orders", "orders", "count_if(is_internal)", "0"),
        Feature(
            "currencies",
            "array<string>",
            "Currencies of the paid orders, sorted",
            "orders",
            "sort_array(collect_set(currency) FILTER (WHERE paid))",
        ),
        Feature(
            "province",
            "string",
            "Receiver's province of the latest order that names one",
            "orders",
            "max_by(province, struct(created_at, province)) FILTER (WHERE province IS NOT NULL)",
        ),
        Feature(
            "city",
            "string",
            "Receiver's city of the latest order that names one",
            "orders",
            "max_by(city, struct(created_at, city)) FILTER (WHERE city IS NOT NULL)",
        ),
        Feature("pieces", "bigint", "Pieces bought, gifts and refunded lines left out", "lines", "sum(quantity)", "0"),
        Favourite(
            "favourite_category",
            "string",
            "Category with the greatest payment, gifts and refunded lines left out",
            "lines",
            "category",
            "sum(paid_fen)",
        ),
    ),
    derived=(
        *_net(),
        Derived(
            "average_order_fen",
            "bigint",
            "Average order value: net revenue by kept orders, rounded, fen; null without",
            "CAST(round(net_revenue_fen / nullif(orders, 0)) AS BIGINT)",
        ),
        Derived(
            "sales_channels",
            "int",
            "Sales channels with a purchase",
            " + ".join(f"CAST(orders_{channel} > 0 AS INT)" for channel in SALES_CHANNELS),
        ),
        Derived(
            "is_internal",
            "boolean",
            "Staff, tester or reseller: at least half of the person's orders are flagged so",
            "internal_orders > 0 AND internal_orders * 2 >= placed_orders",
        ),
    ),
)
"""Orders and purchases."""
