"""Features of what a person does: visits, shares, last touch per channel, points."""

from __future__ import annotations

from features.channels import TOUCH_CHANNELS
from features.spec import Derived, Fact, Feature, Theme

TOUCHES = Fact(
    name="touches",
    doc="Touches of a person by business day, channel, kind and detail: `features.touchpoints`",
    columns={
        "business_date": "Business day",
        "channel": "Channel",
        "kind": "order, friend_add, group_join, or a kind of event: see gold.fact_event",
        "touches": "How many",
        "first_at": "First of the day",
        "last_at": "Last of the day",
    },
)

POINTS = Fact(
    name="points",
    doc="Points movements",
    columns={
        "points": "Signed points",
        "moved_at": "When they moved",
        "expires_at": "When they expire; null for never",
    },
)

_VISIT = "channel = 'miniprogram' AND kind = 'visit'"


def _last_touches() -> tuple[Feature, ...]:
    return tuple(
        Feature(
            f"last_touch_{channel}_at",
            "timestamp",
            f"Last touch, {label}",
            "touches",
            f"max(last_at) FILTER (WHERE channel = '{channel}')",
        )
        for channel, label in TOUCH_CHANNELS.items()
    )


THEME = Theme(
    name="behaviour",
    facts=(TOUCHES, POINTS),
    features=(
        *_last_touches(),
        Feature("last_touch_at", "timestamp", "Last touch in any channel", "touches", "max(last_at)"),
        Feature(
            "last_touch_channel",
            "string",
            "Channel of the last touch",
            "touches",
            "max_by(channel, struct(last_at, channel))",
        ),
        Feature(
            "visit_events", "bigint", "Mini-program views", "touches", f"sum(touches) FILTER (WHERE {_VISIT})", "0"
        ),
        Feature(
            "visit_days",
            "bigint",
            "Business days with a mini-program view",
            "touches",
            f"count(DISTINCT CASE WHEN {_VISIT} THEN business_date END)",
            "0",
        ),
        Feature(
            "first_visit_date",
            "date",
            "Business day of the first mini-program view",
            "touches",
            f"min(business_date) FILTER (WHERE {_VISIT})",
        ),
        Feature(
            "last_visit_date",
            "date",
            "Business day of the last mini-program view",
            "touches",
            f"max(business_date) FILTER (WHERE {_VISIT})",
        ),
        Feature(
            "shares",
            "bigint",
            "Shares out of the mini-program",
            "touches",
            "sum(touches) FILTER (WHERE kind = 'share')",
            "0",
        ),
        Feature("points_balance", "bigint", "Points balance: the sum of all movements", "points", "sum(points)", "0"),
        Feature(
            "points_earned", "bigint", "Points ever received", "points", "sum(points) FILTER (WHERE points > 0)", "0"
        ),
        Feature(
            "points_used",
            "bigint",
            "Points ever used, expired or taken back",
            "points",
            "-sum(points) FILTER (WHERE points < 0)",
            "0",
        ),
        Feature("last_points_at", "timestamp", "When points last moved", "points", "max(moved_at)"),
    ),
    derived=(
        Derived(
            "touch_channels",
            "int",
            "Channels with a touch",
            " + ".join(f"CAST(last_touch_{channel}_at IS NOT NULL AS INT)" for channel in TOUCH_CHANNELS),
        ),
    ),
)
"""Behaviour and points."""
