"""Every table of the lake, declared once."""

from __future__ import annotations

from pipelines.spec import Table, TableSet
from pipelines.tables import bronze, features, gold, identity, ops, silver, silver_more, silver_wecom

SILVER: tuple[Table, ...] = (
    silver.ORDERS,
    silver.ORDER_LINES,
    silver.REFUNDS,
    silver.ORDER_PHONES,
    silver_wecom.CONTACTS,
    silver_wecom.CONTACT_FOLLOWS,
    silver_wecom.CONTACT_FOLLOW_CHANGES,
    silver_wecom.CONTACT_LISTINGS,
    silver_wecom.GROUPS,
    silver_wecom.GROUP_LISTINGS,
    silver_wecom.GROUP_MEMBERS,
    silver_wecom.GROUP_MEMBER_CHANGES,
    silver_more.GROUP_DAILY,
    silver_more.STAFF_DAILY,
    silver_more.EVENTS,
    silver_more.POINTS_LEDGER,
    silver_more.ORDER_CLAIMS,
    silver_more.CONSENTS,
    silver_more.MEMBERS,
    silver_more.PRODUCTS,
    silver_more.STAFF,
    silver_more.TAGS,
    silver_more.IDENTITY_OBSERVATIONS,
    silver_more.PII_VAULT,
    silver_more.QUARANTINE,
)

ALL = TableSet((*bronze.TABLES, *SILVER, *identity.TABLES, *features.TABLES, *gold.TABLES, *ops.TABLES))
"""All declared tables; `ALL["silver.orders"]` is one of them."""
