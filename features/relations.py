"""Features of how the brand knows a person: channels of identity, relation layer, guides, groups, membership."""

from __future__ import annotations

from features.channels import IDENTITY_CHANNELS, IDENTITY_LABELS, LAYERS, quoted
from features.spec import Derived, Fact, Feature, Theme

IDENTIFIERS = Fact(
    name="identifiers",
    doc="Identifiers the OneID holds now",
    columns={
        "namespace": "Namespace",
        "channel": "Channel of identity, null for a namespace that shows none",
        "first_date": "Business day of the first sighting",
    },
)

SPANS = Fact(
    name="spans",
    doc="Spans of business days in which a person stood in a relation",
    columns={
        "layer": "public, private or friend",
        "from_date": "First business day",
        "to_date": "Business day on which it had ended; null while it lasts",
    },
)

FOLLOWS = Fact(
    name="follows",
    doc="Relations of guides with the person",
    columns={
        "staff_key": "corp_id|userid of the guide",
        "active": "Whether the relation lasts",
        "added_at": "When it began",
    },
)

GROUPS = Fact(
    name="groups",
    doc="Memberships in WeCom customer groups",
    columns={
        "group_key": "corp_id|chat_id",
        "active": "Whether the person is in the group",
        "joined_at": "When the person joined",
    },
)

MEMBERS = Fact(
    name="members",
    doc="Memberships in the brand's and the platforms' programmes",
    columns={
        "programme": "crm, tmall or douyin",
        "rank": "Order of the programmes: the brand's own first",
        "active": "Whether the person is a member now",
        "level": "Level as the programme writes it",
        "joined_at": "When the person joined",
        "updated_at": "When this state was seen",
    },
)

PROGRAMMES = {"crm": "品牌会员", "tmall": "天猫会员", "douyin": "抖音会员"}
"""Programmes with their labels, the brand's own first."""


def _known_since() -> tuple[Feature, ...]:
    return tuple(
        Feature(
            f"known_{channel}_since",
            "date",
            f"Business day of the first sighting in the channel of identity {IDENTITY_LABELS[channel]}",
            "identifiers",
            f"min(first_date) FILTER (WHERE channel = '{channel}')",
        )
        for channel in IDENTITY_CHANNELS
    )


def _levels() -> tuple[Feature, ...]:
    return tuple(
        Feature(
            f"level_{programme}",
            "string",
            f"Level in the programme {label}",
            "members",
            f"max_by(level, struct(updated_at, level)) FILTER (WHERE {_NAMED} AND programme = '{programme}')",
        )
        for programme, label in PROGRAMMES.items()
    )


_NAMED = "active AND level IS NOT NULL"
_BEST = "struct(-rank, updated_at, level)"

THEME = Theme(
    name="relations",
    facts=(IDENTIFIERS, SPANS, FOLLOWS, GROUPS, MEMBERS),
    features=(
        Feature("identifiers", "bigint", "Identifiers the OneID holds", "identifiers", "count(1)", "0"),
        Feature(
            "namespaces",
            "array<string>",
            "Namespaces of the identifiers, sorted",
            "identifiers",
            "sort_array(collect_set(namespace))",
        ),
        Feature(
            "first_seen_date",
            "date",
            "Business day of the first sighting of any identifier",
            "identifiers",
            "min(first_date)",
        ),
        *_known_since(),
        Feature(
            "public_since",
            "date",
            "Business day from which a public relation is known",
            "spans",
            "min(from_date) FILTER (WHERE layer = 'public')",
        ),
        Feature(
            "private_since",
            "date",
            "Business day from which a private relation is known",
            "spans",
            "min(from_date) FILTER (WHERE layer = 'private')",
        ),
        Feature(
            "friend_since",
            "date",
            "Business day on which the first guide was added",
            "spans",
            "min(from_date) FILTER (WHERE layer = 'friend')",
        ),
        Feature(
            "relation_rank",
            "int",
            "Highest relation that lasts: 1 public, 2 private, 3 friend, 0 none",
            "spans",
            "max(CASE layer WHEN 'friend' THEN 3 WHEN 'private' THEN 2 ELSE 1 END) FILTER (WHERE to_date IS NULL)",
            "0",
        ),
        Feature(
            "guides",
            "bigint",
            "Guides who are friends now",
            "follows",
            "count(DISTINCT CASE WHEN active THEN staff_key END)",
            "0",
        ),
        Feature("guides_ever", "bigint", "Guides who are or were friends", "follows", "count(DISTINCT staff_key)", "0"),
        Feature(
            "guide_staff_key",
            "string",
            "corp_id|userid of the guide added last and still a friend",
            "follows",
            "max_by(staff_key, struct(added_at, staff_key)) FILTER (WHERE active)",
        ),
        Feature(
            "groups",
            "bigint",
            "Customer groups the person is in",
            "groups",
            "count(DISTINCT CASE WHEN active THEN group_key END)",
            "0",
        ),
        Feature(
            "first_group_at", "timestamp", "When the person first joined a customer group", "groups", "min(joined_at)"
        ),
        Feature(
            "is_member",
            "boolean",
            "Member of the brand's or a platform's programme now",
            "members",
            "coalesce(bool_or(active), false)",
            "false",
        ),
        Feature(
            "member_since",
            "timestamp",
            "When the person first joined a programme",
            "members",
            "min(joined_at) FILTER (WHERE active)",
        ),
        Feature(
            "member_programme",
            "string",
            "Programme the person is a member of: the brand's own before the platforms'",
            "members",
            "min_by(programme, struct(rank, programme)) FILTER (WHERE active)",
        ),
        Feature(
            "member_level",
            "string",
            "Level in the first programme that names one: the brand's own before the platforms'",
            "members",
            f"max_by(level, {_BEST}) FILTER (WHERE {_NAMED})",
        ),
        Feature(
            "member_level_programme",
            "string",
            "Programme of that level",
            "members",
            f"max_by(programme, {_BEST}) FILTER (WHERE {_NAMED})",
        ),
        *_levels(),
    ),
    derived=(
        Derived(
            "relation_layer",
            "string",
            "Relation layer: friend, private, public or none; null for visitors",
            f"CASE WHEN is_visitor THEN NULL ELSE element_at(array({quoted(tuple(LAYERS))}), relation_rank + 1) END",
        ),
        Derived("is_group_member", "boolean", "In at least one customer group", "groups > 0"),
    ),
)
"""Relations: identity, layers, guides, groups, membership."""
