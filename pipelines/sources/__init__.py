"""Every feed's parser, listed once; a feed listed twice fails, naming both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipelines.sources import (
    claims,
    consents,
    douyin_members,
    douyin_messages,
    douyin_orders,
    douyin_refunds,
    id_conversions,
    miniprogram_events,
    miniprogram_users,
    observations,
    orders_file,
    points,
    products,
    shop_orders,
    staff,
    tmall_members,
    tmall_messages,
    tmall_refunds,
    tmall_trades,
    wecom_contacts,
    wecom_events,
    wecom_group_chats,
    wecom_staff_stats,
    wecom_tags,
    wecom_transfers,
)
from pipelines.sources.base import FeedParser

MODULES = (
    claims,
    consents,
    douyin_members,
    douyin_messages,
    douyin_orders,
    douyin_refunds,
    id_conversions,
    miniprogram_events,
    miniprogram_users,
    observations,
    orders_file,
    points,
    products,
    shop_orders,
    staff,
    tmall_members,
    tmall_messages,
    tmall_refunds,
    tmall_trades,
    wecom_contacts,
    wecom_events,
    wecom_group_chats,
    wecom_staff_stats,
    wecom_tags,
    wecom_transfers,
)


def by_feed(parsers: Iterable[FeedParser]) -> Mapping[str, FeedParser]:
    """The parsers by feed; raises ValueError when two read the same feed."""
    index: dict[str, FeedParser] = {}
    for parser in parsers:
        if parser.feed in index:
            raise ValueError(
                f"feed {parser.feed} has two parsers: of {index[parser.feed].source} and of {parser.source}"
            )
        index[parser.feed] = parser
    return index


FEED_PARSERS: Mapping[str, FeedParser] = by_feed(parser for module in MODULES for parser in module.PARSERS)
"""Parser of each feed, by the feed's name."""
