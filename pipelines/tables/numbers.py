"""What makes the keys of tables unique: within what each number, id or name in a key counts.

Two brands, shops, corps or mini-programs may number alike. A key that holds a number holds what the number counts
within as well, or the number is unique wherever it comes from; a test holds every declared table to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A column of keys: why it is unique, and the columns `within` which it is; none of them where it is by itself."""

    why: str
    within: tuple[str, ...] = ()


_DAY = Number("a day or instant")
_WORD = Number("a word of this platform's own")
_KEY = Number("made of columns that hold what they count within")
_DIGEST = Number("digest")

NUMBERS: Mapping[str, Number] = {
    "platform": _WORD,
    "shop_id": Number(
        "Douyin and Tmall name each shop once; own shops and tills are named once over all brands", ("platform",)
    ),
    "order_id": Number("of the shop; Douyin and Tmall number each order once", ("platform", "shop_id")),
    "line_id": Number("of the order", ("order_id",)),
    "refund_scope": Number("the shop; empty on Douyin and Tmall, which number each refund once", ("platform",)),
    "refund_id": Number("of the shop, or of the platform", ("platform", "refund_scope")),
    "product_scope": Number("the brand; empty on Douyin and Tmall, which number each product once", ("platform",)),
    "product_id": Number("of the brand, or of the platform", ("platform", "product_scope")),
    "sku_id": Number("of the product", ("product_id",)),
    "corp_id": Number("WeCom names each corp, and each suite of a provider, once"),
    "external_userid": Number("of the corp, or of the provider's suite", ("corp_id",)),
    "userid": Number("of the corp: guides of two corps may have one id", ("corp_id",)),
    "owner_userid": Number("of the corp, as userid", ("corp_id",)),
    "chat_id": Number("of the corp", ("corp_id",)),
    "member_id": Number("external_userid or userid, of the corp", ("corp_id", "chat_id")),
    "detail": Number("origin, campaign, scene or channel state as written, of the one person", ("one_id",)),
    "tag_id": Number("of the corp", ("corp_id",)),
    "source": Number("a feed or system; two brands' systems have names of their own"),
    "record_scope": Number("the brand; empty on Tmall and WeChat, which number each movement once", ("source",)),
    "record_id": Number("of the brand's ledger, or of the platform", ("source", "record_scope")),
    "claim_scope": Number("WeChat names each mini-program once; without one the brand"),
    "claim_id": Number("of the mini-program", ("claim_scope",)),
    "consent_scope": Number("the brand"),
    "consent_id": Number("of the brand", ("consent_scope",)),
    "programme": _WORD,
    "programme_scope": Number("shop, app key or brand of the programme", ("programme",)),
    "member_value": Number("of the programme of the shop, app key or brand", ("programme", "programme_scope")),
    "observation_id": Number(
        "of the source: a digest of identifiers with their scopes, or a record's number with its shop or brand",
        ("source",),
    ),
    "event_id": Number(
        "digest: of a visit the visitor's id, the SDK's random track id, the device's millisecond, kind and name; of a"
        " WeCom event the corp and its number, or the whole text, which names the corp; of others the platform's own"
        " number of the message or payment, else the whole record"
    ),
    "session_id": Number("the session's first event_id"),
    "namespace": _WORD,
    "scope": Number("app, corp, shop, brand or account that the namespace's identifiers count within", ("namespace",)),
    "value_token": Number("of the scope", ("namespace", "scope")),
    "identifier": Number("namespace:scope:value"),
    "identifier_key": Number("digest of namespace, scope and value"),
    "a_key": Number("as identifier_key"),
    "b_key": Number("as identifier_key"),
    "phone_token": Number("digest of a phone, the same wherever it was met"),
    "token": Number("digest of a personal value, the same wherever it was met"),
    "one_id": Number("minted once in a lake"),
    "run_id": Number("given once in a lake"),
    "decision_id": Number("given once in a lake, under its lock"),
    "seq": Number("counted in the run, of ops.audit in the lake, under its lock"),
    "record_hash": Number("digest of the record, with what its parser names of the context", ("interval",)),
    "quarantine_id": Number("digest of feed, interval, context and raw text"),
    "candidate_key": _DIGEST,
    "feed": _WORD,
    "batch_id": Number("of the feed and interval", ("feed", "interval")),
    "name": Number("file of the batch", ("batch_id",)),
    "product_key": _KEY,
    "shop_key": _KEY,
    "staff_key": _KEY,
    "group_key": _KEY,
    **dict.fromkeys(("interval", "changed_at", "listed_at", "stat_date", "valid_from", "business_date", "as_of"), _DAY),
    **dict.fromkeys(("change", "rule", "kind", "metric", "dimension", "channel", "other_channel"), _WORD),
    **dict.fromkeys(("tag", "layer", "job", "table_name", "check_name"), _WORD),
}
"""Every column that stands in a key, with what makes it unique."""

ALONE: Mapping[tuple[str, str], str] = {
    ("silver.order_phones", "order_id"): "Douyin and Tmall alone are asked for phones, and number each order once",
}
"""Numbers in keys of tables that hold less than they count within, with the reason."""
