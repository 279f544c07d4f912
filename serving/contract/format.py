"""Tables, columns and indexes of a snapshot, each with what it means."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA_VERSION = 1
"""Raised whenever a reader of the version before could not read a new file."""

APPLICATION_ID = 0x4F4E4531
"""SQLite `application_id` of every snapshot ("ONE1"): tells it from any other SQLite file."""

PERSONAL_NAMESPACES = frozenset({"phone", "phone_sha256", "phone_md5", "tmall_mix_mobile"})
"""Namespaces whose values are personal data: stored as tokens, shown only as a mask."""

TYPED_NAMESPACES = frozenset({"member_id", "login_id"})
"""Namespaces whose values people type: one that is itself a mobile number is stored as a token like a phone."""

BITMAPS: tuple[tuple[str, str], ...] = (
    ("tag", "people who carry the tag with that value"),
    ("layer", "people standing in that relation layer; `name` is `relation`"),
    ("status", "`active` people and `visitor`s; `name` is `oneid`"),
    (
        "access",
        "people a restricted key may see: `name` is `brand` or `guide`, `value` whose (`corp_id|userid`)",
    ),
)
"""Kinds of bitmaps and what they hold."""


@dataclass(frozen=True)
class Column:
    """One column of a snapshot table: its SQLite type with constraints, and what it means."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class SnapshotTable:
    """One table of a snapshot; `tail` closes the column list (primary keys over several columns)."""

    name: str
    doc: str
    columns: tuple[Column, ...]
    tail: str = ""
    options: str = "STRICT"
    on_conflict: str = "ABORT"

    def ddl(self) -> str:
        """The CREATE TABLE statement of the table."""
        body = ", ".join(f"{column.name} {column.type}" for column in self.columns)
        return f"CREATE TABLE {self.name} ({body}{', ' + self.tail if self.tail else ''}) {self.options}"

    def insert(self) -> str:
        """The INSERT statement that fills every column in declared order."""
        names = ", ".join(column.name for column in self.columns)
        marks = ", ".join("?" for _ in self.columns)
        return f"INSERT OR {self.on_conflict} INTO {self.name} ({names}) VALUES ({marks})"


PERSON = Column("person", "INTEGER NOT NULL", "Dense number of the person in this file")
OWNER = Column("person", "INTEGER", "Dense number of the owner; null when nobody owns it")

META = SnapshotTable(
    "meta",
    "What the snapshot is made of, one fact per row",
    (
        Column(
            "key",
            "TEXT PRIMARY KEY",
            "schema_version, snapshot_id, as_of, built_at_ms, manifest, counts, persons, key_check, identity_policy",
        ),
        Column(
            "value",
            "TEXT NOT NULL",
            "Text, decimal number or JSON; `persons` is the length of feature columns; `key_check` proves that a "
            "reader holds the identity key of the tokens",
        ),
    ),
)
PROFILES = SnapshotTable(
    "profiles",
    "One row per living OneID",
    (
        Column("person", "INTEGER PRIMARY KEY", "Dense number of the person in this file, from 0"),
        Column("one_id", "TEXT NOT NULL", "OneID of the person"),
        Column("status", "TEXT NOT NULL", "active, or visitor (only anonymous identifiers)"),
        Column("layer", "TEXT", "Relation layer; null for visitors"),
        Column("minted_on", "TEXT", "Business day of the run that minted the OneID"),
        Column("features", "TEXT NOT NULL", "JSON: group -> feature -> value; a feature without value is left out"),
    ),
)
REDIRECTS = SnapshotTable(
    "redirects",
    "Retired OneIDs and the living one they lead to, in one hop",
    (
        Column("one_id", "TEXT PRIMARY KEY", "Retired OneID"),
        Column("living", "TEXT", "Living OneID; null when nothing of it is left"),
    ),
    options="STRICT, WITHOUT ROWID",
)
IDENTIFIERS = SnapshotTable(
    "identifiers",
    "Which OneID every identifier belongs to: one row per identifier and validity period",
    (
        Column("id", "INTEGER PRIMARY KEY", "Row number"),
        Column("key", "INTEGER NOT NULL", "64-bit surrogate key of namespace, scope and value"),
        Column("namespace", "TEXT NOT NULL", "Namespace"),
        Column("scope", "TEXT NOT NULL", "Scope; empty for a global namespace"),
        Column("value", "TEXT NOT NULL", "Value as in the lake: a token where it is personal data"),
        Column("personal", "INTEGER NOT NULL", "1: the value is a token of personal data and never shown"),
        OWNER,
        Column("former_one_id", "TEXT", "OneID of the period when it is no longer a living one"),
        Column("status", "TEXT NOT NULL", "active, contested, held, hub or expired"),
        Column("candidates", "TEXT", "JSON list of OneIDs it may belong to, where contested"),
        Column("valid_from_ms", "INTEGER", "Begin of the period; null: from ever"),
        Column("valid_to_ms", "INTEGER", "End of the period, exclusive; null for the last one"),
        Column("first_seen_ms", "INTEGER", "First sighting"),
        Column("last_seen_ms", "INTEGER", "Last sighting"),
    ),
)
MASKS = SnapshotTable(
    "masks",
    "How a personal identifier may be shown; apart from its token on purpose",
    (
        Column("identifier", "INTEGER PRIMARY KEY", "identifiers.id"),
        Column("display", "TEXT NOT NULL", "Masked text"),
    ),
)
ALIASES = SnapshotTable(
    "aliases",
    "Other forms under which an identifier is found (hashed forms of a phone)",
    (
        Column("key", "INTEGER NOT NULL", "64-bit surrogate key of the form"),
        Column("target_key", "INTEGER NOT NULL", "Key of the identifier it stands for"),
    ),
    tail="PRIMARY KEY (key, target_key)",
    options="STRICT, WITHOUT ROWID",
    on_conflict="IGNORE",
)
TAGS = SnapshotTable(
    "tags",
    "Tags people carry now",
    (
        PERSON,
        Column("tag", "TEXT NOT NULL", "Tag name"),
        Column("value", "TEXT NOT NULL", "Tag value"),
        Column("as_of", "TEXT NOT NULL", "Business day since which it holds"),
        Column("reason", "TEXT NOT NULL", "Why, in words with the figures"),
    ),
)
TIMELINE = SnapshotTable(
    "timeline",
    "What happened to people, newest first by (at_ms descending, kind, ref)",
    (
        PERSON,
        Column("at_ms", "INTEGER NOT NULL", "When it happened"),
        Column("kind", "TEXT NOT NULL", "order, refund, event, points, relation, identity or another kind"),
        Column("ref", "TEXT NOT NULL", "Business id; unique inside person and kind"),
        Column("source", "TEXT", "Platform or system"),
        Column("amount_fen", "INTEGER", "Money of the entry, fen"),
        Column("detail", "TEXT", "Other facts as a JSON object"),
    ),
)
ORDERS = SnapshotTable(
    "orders",
    "Orders of every channel: found by number, summed per person",
    (
        Column("platform", "TEXT NOT NULL", "douyin, tmall, mall, pos or the name of a file source"),
        Column("shop_id", "TEXT NOT NULL", "Shop of the platform"),
        Column("order_id", "TEXT NOT NULL", "Parent order number"),
        OWNER,
        Column("status", "TEXT NOT NULL", "Order status"),
        Column("is_paid", "INTEGER NOT NULL", "1: the final payment was made"),
        Column("is_internal", "INTEGER NOT NULL", "1: staff, test or reseller order, left out of sums"),
        Column("paid_fen", "INTEGER NOT NULL", "Paid by the buyer, freight included, fen"),
        Column("refunded_fen", "INTEGER NOT NULL", "Successfully refunded, freight included, fen"),
        Column("at_ms", "INTEGER", "Paid, else created"),
    ),
)
CONSENTS = SnapshotTable(
    "consents",
    "Consent in force per person and purpose: the most restrictive record of the person's identifiers",
    (
        PERSON,
        Column("purpose", "TEXT NOT NULL", "marketing, profiling or another purpose"),
        Column("status", "TEXT NOT NULL", "granted or withdrawn"),
        Column("stated_at_ms", "INTEGER", "When it was stated"),
        Column("source", "TEXT", "Where it was stated"),
        Column("conflict", "INTEGER NOT NULL", "1: records of joined people disagree"),
    ),
)
BITMAP_TABLE = SnapshotTable(
    "bitmaps",
    "Sets of people as Roaring bitmaps over the dense person numbers",
    (
        Column("kind", "TEXT NOT NULL", "tag, layer, status or access"),
        Column("name", "TEXT NOT NULL", "Tag, or what the kind says"),
        Column("value", "TEXT NOT NULL", "Value of the tag, layer, status or restriction"),
        Column("people", "INTEGER NOT NULL", "Number of people in it"),
        Column("bits", "BLOB NOT NULL", "Roaring bitmap, portable serialisation"),
    ),
    tail="PRIMARY KEY (kind, name, value)",
)
FEATURE_COLUMNS = SnapshotTable(
    "feature_columns",
    "Numeric features as arrays over the dense person numbers, for ranges in segments",
    (
        Column("name", "TEXT PRIMARY KEY", "Feature"),
        Column("grouping", "TEXT NOT NULL", "Group it is shown in"),
        Column("kind", "TEXT NOT NULL", "int, float, bool, time (epoch ms) or date (days since 1970-01-01)"),
        Column("numbers", "BLOB NOT NULL", "Little-endian float64 per person, zlib-compressed; NaN without value"),
    ),
)

TABLES: tuple[SnapshotTable, ...] = (
    META,
    PROFILES,
    REDIRECTS,
    IDENTIFIERS,
    MASKS,
    ALIASES,
    TAGS,
    TIMELINE,
    ORDERS,
    CONSENTS,
    BITMAP_TABLE,
    FEATURE_COLUMNS,
)

INDEXES: tuple[str, ...] = (
    "CREATE UNIQUE INDEX profiles_one_id ON profiles (one_id)",
    "CREATE INDEX redirects_living ON redirects (living)",
    "CREATE INDEX identifiers_key ON identifiers (key)",
    "CREATE INDEX identifiers_person ON identifiers (person)",
    "CREATE INDEX identifiers_value ON identifiers (value)",
    "CREATE INDEX aliases_target ON aliases (target_key)",
    "CREATE UNIQUE INDEX tags_person ON tags (person, tag)",
    "CREATE INDEX timeline_person ON timeline (person, at_ms DESC)",
    "CREATE INDEX orders_number ON orders (order_id)",
    "CREATE INDEX orders_person ON orders (person)",
    "CREATE UNIQUE INDEX consents_person ON consents (person, purpose)",
)
"""Indexes, made after the rows are in."""


def contract_markdown() -> str:
    """The contract as Markdown, table by table and column by column: the text of `docs/api.md`."""
    parts = [f"Schema version {SCHEMA_VERSION}.\n"]
    for table in TABLES:
        parts.append(f"### `{table.name}`\n\n{table.doc}.\n\n| column | type | meaning |\n|---|---|---|")
        rows = (f"| `{c.name}` | {c.type} | {c.doc} |" for c in table.columns)
        parts.append("\n".join(rows) + "\n")
    kinds = "\n".join(f"- `{kind}`: {doc}" for kind, doc in BITMAPS)
    parts.append(f"Kinds of bitmaps:\n\n{kinds}\n")
    return "\n".join(parts)
