"""Silver, WeCom: customers, their relations to guides, groups and who is in them, each with its history."""

from __future__ import annotations

from pipelines.spec import Check, Column, Table, columns
from pipelines.tables.silver import FILLED, LINEAGE, subject

CONTACTS = Table(
    layer="silver",
    name="contacts",
    doc="WeCom customers known to the brand.",
    grain="one external user of one corp",
    key=("corp_id", "external_userid"),
    version="version_key",
    fill=("contact_type", "gender", "unionid", "name_token"),
    columns=columns(
        Column(
            "corp_id", "string", "Corp (lower case when plain) or, for a provider's ids, the suite id", required=True
        ),
        Column("external_userid", "string", "WeCom external user id", pii="pseudonym", required=True),
        subject("the contact"),
        Column("contact_type", "string", "wechat, wecom or unknown"),
        Column("gender", "string", "male, female or unknown"),
        Column("unionid", "string", "WeChat unionid where the answer carried it", pii="pseudonym"),
        Column("name_token", "string", "Token of the nickname", pii="token"),
        Column("updated_at", "timestamp", "When this state was seen"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("id_present", "length(external_userid) > 0"),),
)

CONTACT_FOLLOWS = Table(
    layer="silver",
    name="contact_follows",
    doc="Relations between guides and WeCom customers with how they began and ended.",
    grain="one guide and one external user",
    key=("corp_id", "external_userid", "userid"),
    version="version_key",
    fill=("added_at", "add_way", "state", "oper_userid", "tag_ids"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("external_userid", "string", "WeCom external user id", pii="pseudonym", required=True),
        Column("userid", "string", "Guide (staff) id", required=True),
        subject("the contact"),
        Column(
            "status",
            "string",
            "active, deleted_by_staff, deleted_by_customer, transferred, or deleted (first missing from a complete"
            " listing of the guide's customers: the message that says by whom was lost)",
            required=True,
        ),
        Column("added_at", "timestamp", "When this guide added the customer (the latest time, if re-added)"),
        Column("ended_at", "timestamp", "When the relation ended; null while active"),
        Column("add_way", "string", "How they met, as the code of the platform"),
        Column("state", "string", "Channel state given by the brand, or what the platform returned"),
        Column("oper_userid", "string", "Who created the relation", pii="pseudonym"),
        Column("tag_ids", "array<string>", "Corp tag ids on the relation, sorted"),
        Column("updated_at", "timestamp", "When this state was seen"),
        LINEAGE,
        FILLED,
    ),
    checks=(
        Check("known_status", "status IN ('active','deleted_by_staff','deleted_by_customer','transferred','deleted')"),
    ),
)

CONTACT_FOLLOW_CHANGES = Table(
    layer="silver",
    name="contact_follow_changes",
    doc="When relations between guides and WeCom customers began and ended, as messages, pulls and hand-overs say.",
    grain="one beginning or end of one relation",
    key=("corp_id", "external_userid", "userid", "change", "changed_at"),
    version="version_key",
    fill=("add_way", "state", "oper_userid"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("external_userid", "string", "WeCom external user id", pii="pseudonym", required=True),
        Column("userid", "string", "Guide (staff) id", required=True),
        Column(
            "change",
            "string",
            "began, or how it ended: deleted_by_staff, deleted_by_customer, transferred",
            required=True,
        ),
        Column("changed_at", "timestamp", "When it began or ended", required=True),
        subject("the contact"),
        Column("add_way", "string", "Of a beginning: how they met, as the code of the platform"),
        Column("state", "string", "Of a beginning: channel state given by the brand, or what the platform returned"),
        Column("oper_userid", "string", "Of a beginning: who created the relation", pii="pseudonym"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("known_change", "change IN ('began','deleted_by_staff','deleted_by_customer','transferred')"),),
)

CONTACT_LISTINGS = Table(
    layer="silver",
    name="contact_listings",
    doc="When all customers of which guide were listed: whom a later listing leaves out is no friend any more.",
    grain="one complete listing of one guide's customers",
    key=("corp_id", "userid", "listed_at"),
    version="version_key",
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("userid", "string", "Guide (staff) id", required=True),
        Column("listed_at", "timestamp", "When the listing began", required=True),
        LINEAGE,
    ),
    checks=(Check("id_present", "length(userid) > 0"),),
)

GROUPS = Table(
    layer="silver",
    name="groups",
    doc="WeCom customer groups.",
    grain="one group chat of one corp",
    key=("corp_id", "chat_id"),
    version="version_key",
    fill=("name_token", "owner_userid", "status", "created_at", "snapshot_at"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("chat_id", "string", "Group chat id", required=True),
        Column("name_token", "string", "Token of the group's name (free text)", pii="token"),
        Column("owner_userid", "string", "Guide who owns the group"),
        Column(
            "status",
            "string",
            "ok, owner_left, inheriting, inherited, dismissed or unknown; null until a list or event says",
        ),
        Column("created_at", "timestamp", "When the group was made"),
        Column("snapshot_at", "timestamp", "Newest full listing of the members; null while only events are known"),
        Column("updated_at", "timestamp", "When this state was seen"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("id_present", "length(chat_id) > 0"),),
)

GROUP_LISTINGS = Table(
    layer="silver",
    name="group_listings",
    doc="When which customer group was listed in full: who is not in a listing had left by then.",
    grain="one full listing of one group chat",
    key=("corp_id", "chat_id", "listed_at"),
    columns=(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("chat_id", "string", "Group chat id", required=True),
        Column("listed_at", "timestamp", "When it was listed", required=True),
    ),
    checks=(Check("id_present", "length(chat_id) > 0"),),
)

GROUP_MEMBERS = Table(
    layer="silver",
    name="group_members",
    doc="Who is or was in which customer group.",
    grain="one member of one group chat",
    key=("corp_id", "chat_id", "member_id"),
    version="version_key",
    fill=("joined_at", "join_scene", "invitor_userid", "state"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("chat_id", "string", "Group chat id", required=True),
        Column("member_id", "string", "external_userid or staff userid", pii="pseudonym", required=True),
        subject("the member (customers only)"),
        Column("member_type", "string", "staff, customer or unknown", required=True),
        Column("status", "string", "in or left", required=True),
        Column("joined_at", "timestamp", "When the member joined"),
        Column("left_at", "timestamp", "When the member left, or was first missing from a full listing"),
        Column("join_scene", "string", "invited, link, qr or unknown"),
        Column("invitor_userid", "string", "Who invited the member"),
        Column("state", "string", "Channel state"),
        Column("updated_at", "timestamp", "When this state was seen"),
        LINEAGE,
        FILLED,
    ),
    checks=(Check("known_status", "status IN ('in','left')"),),
)

GROUP_MEMBER_CHANGES = Table(
    layer="silver",
    name="group_member_changes",
    doc="When members joined and left WeCom customer groups, as messages and listings say.",
    grain="one joining or leaving of one member of one group chat",
    key=("corp_id", "chat_id", "member_id", "change", "changed_at"),
    version="version_key",
    fill=("join_scene", "invitor_userid", "state", "leave_scene"),
    columns=columns(
        Column("corp_id", "string", "As in silver.contacts", required=True),
        Column("chat_id", "string", "Group chat id", required=True),
        Column("member_id", "string", "external_userid or staff userid", pii="pseudonym", required=True),
        Column("change", "string", "joined or left", required=True),
        Column("changed_at", "timestamp", "When the member joined or left", required=True),
        subject("the member (customers only)"),
        Column("join_scene", "string", "Of a joining: invited, link, qr or unknown"),
        Column("invitor_userid", "string", "Of a joining: who invited the member"),
        Column("state", "string", "Of a joining: channel state"),
        LINEAGE,
        FILLED,
        Column("leave_scene", "string", "Of a leaving: quit (by themselves), removed or unknown, where a message told"),
    ),
    checks=(Check("known_change", "change IN ('joined','left')"),),
    schema_version=2,
)
