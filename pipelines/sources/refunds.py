"""What tells one refund from another, whatever record speaks of it."""

from __future__ import annotations

REFUNDS = "silver.refunds"
NUMBERED_BY_PLATFORM = frozenset({"douyin", "tmall"})
"""Platforms whose refund numbers are unique whatever the shop; other sources number inside a shop."""

SUPERSEDED = "superseded"
"""Status of a refund that an export alone told of once its platform tells of one for the same line or order."""

FILE_FEED = "orders_file"
PART = ":"
"""Stands in no number that a platform gives."""


def made_number(order_id: str, line_id: str) -> str:
    """The number of a refund that an export tells of without one: there is one a line.

    >>> made_number("6923456789012345678", "1")
    '6923456789012345678:1'
    """
    return f"{order_id}{PART}{line_id}"


def line_alone(line_id: str | None, order_id: str | None) -> str | None:
    """The line that a refund is of; None where its number is the order's, which stands for the whole order.

    >>> line_alone("6923456789012345679", "6923456789012345678"), line_alone("69", "69")
    ('6923456789012345679', None)
    """
    return None if line_id == order_id else line_id


def refund_place(platform: str, shop_id: str) -> dict[str, str | None]:
    """The columns of a refund's row that say where its number counts, and its shop where the record names one.

    A platform's message may name no shop: it is about the same refund as the pulled case that does. The shop of another
    source's refund is that of the order in the same record, be it without a name.

    >>> refund_place("douyin", "4463798")
    {'platform': 'douyin', 'refund_scope': '', 'shop_id': '4463798'}
    >>> refund_place("tmall", ""), refund_place("pos", "S1")["refund_scope"]
    ({'platform': 'tmall', 'refund_scope': '', 'shop_id': None}, 'S1')
    """
    if platform in NUMBERED_BY_PLATFORM:
        return {"platform": platform, "refund_scope": "", "shop_id": shop_id or None}
    return {"platform": platform, "refund_scope": shop_id, "shop_id": shop_id}
