"""Claims of platform orders: a mini-program user says that an order on another platform is theirs.

`{"event": "order_claim", "claim_id", "platform": "douyin|tmall", "platform_order_id", "openid", "unionid", "phone",
"claimed_at_ms", "status": "pending|approved|rejected"}`; a decision may bring its own `updated_at_ms`. A claim links
only once it is weighed against the order and its rivals, so it makes no observation here. Its number counts within the
mini-program that took it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.sources.base import Clear, Context, FeedParser, Parsed, Record, RecordRefusedError, Subject, version_key
from pipelines.sources.categories import UNKNOWN, as_object, category
from pipelines.sources.fields import identifier, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import day_start_ms, moment

FEED = "order_claims"
RANK = {UNKNOWN: 0, "pending": 1, "approved": 2, "rejected": 3}
"""Of versions that arrived at one time, a decision outranks the claim, and a refusal an approval."""

SHAPE = Shape(
    "claim",
    (
        *("claim_id", "platform", "platform_order_id", "openid", "unionid", "phone"),
        *("claimed_at_ms", "updated_at_ms", "status"),
    ),
)


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """A claim is one record."""
    return split_pages(payload, [])


def parse(record: Record) -> Parsed:
    """The claim in the state it has reached; the phone typed in it is a check value."""
    value = as_object(record.value, "claim")
    parsed = Parsed(unknown=SHAPE.unknown(value, record.settings.ignored))
    status = category(parsed, record.settings, "claim_status", value.get("status"), path="status") or UNKNOWN
    claimed_ms = moment(value.get("claimed_at_ms"), "claimed_at_ms")
    changed_ms = moment(value.get("updated_at_ms"), "updated_at_ms") or _arrived_ms(record.context, claimed_ms)
    phone, openid = text(value.get("phone")), identifier(value.get("openid"))
    parsed.row(
        "silver.order_claims",
        claim_scope=record.context.app_id or record.context.brand,
        claim_id=required(identifier(value.get("claim_id")), "claim_id"),
        platform=_platform(parsed, record, value),
        order_id=required(identifier(value.get("platform_order_id")), "platform_order_id"),
        subject=_claimant(record.context, openid, identifier(value.get("unionid"))),
        openid_scope=record.context.app_id if openid else None,
        openid=openid,
        phone_token=Clear("phone", phone) if phone else None,
        status=status,
        claimed_at=claimed_ms,
        version_key=version_key(changed_ms, record.digest, rank=RANK[status]),
    )
    return parsed


def _states_time(value: Any) -> bool:
    """Whether the claim itself says when it was made or decided."""
    times = ("claimed_at_ms", "updated_at_ms")
    return isinstance(value, dict) and any(text(value.get(name)) not in (None, "0") for name in times)


def _arrived_ms(context: Context, claimed_ms: int | None) -> int:
    """When a version came: the claim itself states only when it was first made."""
    if context.received_ms is not None:
        return context.received_ms
    return max(claimed_ms or 0, day_start_ms(context.interval))


def _platform(parsed: Parsed, record: Record, value: dict[str, Any]) -> str:
    """The platform's name; one that the map does not know stays as it is written."""
    raw = required(text(value.get("platform")), "platform")
    word = category(parsed, record.settings, "claim_platform", raw.lower(), path="platform")
    return raw if word in (None, UNKNOWN) else str(word)


def _claimant(context: Context, openid: str | None, unionid: str | None) -> Subject:
    """The unionid where the account it belongs to is known, else the openid: without its scope an id names nobody."""
    if unionid and (context.open_platform_id or not openid):
        return Subject("wx_unionid", context.open_platform_id, unionid)
    if openid:
        return Subject("wx_openid", context.app_id, openid)
    raise RecordRefusedError("missing_field", "openid or unionid is required: nobody claims")


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="claims",
        split=split,
        parse=parse,
        tables=("silver.order_claims",),
        # A version of a claim that states no time is dated by its arrival.
        hash_context=("app_id", "received_ms"),
        states_time=_states_time,
    ),
)
