"""WeCom hand-overs: `transfer_customer`, `transfer_result` and customers of guides who left (`get_unassigned_list`).

From whom and to whom is in the parameters of the request. Every answer is kept as an event; a finished hand-over also
ends one relation and begins another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.sources.base import Context, FeedParser, Parsed, Record, version_key
from pipelines.sources.categories import as_object, category
from pipelines.sources.fields import epoch_s, identifier, integer, required, text
from pipelines.sources.pages import split_pages
from pipelines.sources.shape import Shape
from pipelines.sources.sightings import day_of, observe_day, seen_ms, stable_id
from pipelines.sources.wecom_relations import BEGAN, CHANGES, add_change
from pipelines.sources.wecom_scope import RANK_BEGUN, RANK_ENDED, WecomScope, scope_of, wecom_error

FEED = "wecom_transfers"
ASSIGNED = "202"
"""The `add_way` of a customer handed over by the administrator."""

TRANSFER = Shape("transfer", ["external_userid", "errcode", "status", "takeover_time"])
UNASSIGNED = Shape("unassigned", ["external_userid", "handover_userid", "dimission_time"])


def split(payload: bytes, context: Context) -> Sequence[bytes]:
    """The customers of the answer."""
    return split_pages(payload, [("customer",), ("info",)], wecom_error)


@dataclass(frozen=True)
class _Customer:
    """The customer of one answer and what is said about them."""

    record: Record
    parsed: Parsed
    scope: WecomScope
    external: str

    def add_relation(self, userid: str, status: str, at_ms: int, *, rank: int = 0, **known: Any) -> None:
        """The relation to a guide as this answer knows it; what it does not speak of keeps its older value."""
        self.parsed.row(
            "silver.contact_follows",
            corp_id=self.scope.tenant,
            external_userid=self.external,
            subject=self.scope.subject(self.external),
            userid=userid,
            status=status,
            updated_at=at_ms,
            version_key=version_key(at_ms, self.record.digest, rank=rank),
            **known,
        )

    def add_event(self, name: str, userid: str | None, at_ms: int | None = None) -> None:
        """The answer as an event. Pulled again unchanged, it is the same event at the time it was first seen."""
        event_ms = at_ms or seen_ms(self.record.context)
        self.parsed.row(
            "silver.events",
            event_id=stable_id("wecom_transfers", self.record.digest),
            source="wecom",
            app_id=self.scope.tenant,
            subject=self.scope.subject(self.external),
            event=name,
            event_at=event_ms,
            clock_flag="ok",
            business_date=day_of(event_ms),
            staff_userid=userid,
            version_key=version_key(at_ms, self.record.digest),
        )


def parse(record: Record) -> Parsed:
    """What happened to one customer's relation."""
    value = as_object(record.value, "transfer")
    external = required(identifier(value.get("external_userid")), "external_userid")
    customer = _Customer(record, Parsed(), scope_of(record.context), external)
    if "dimission_time" in value or "handover_userid" in value:
        _parse_unassigned(customer, value)
    elif text(value.get("status")) is None:
        _parse_request(customer, value)
    else:
        _parse_result(customer, value)
    keys = [customer.scope.contact_key(external)]
    observe_day(customer.parsed, record.context.feed, keys, record.context.interval)
    return customer.parsed


def _parse_request(customer: _Customer, value: dict[str, Any]) -> None:
    """A request that was accepted or not: nothing has changed hands yet."""
    customer.parsed.unknown.update(TRANSFER.unknown(value, customer.record.settings.ignored))
    refused = integer(value.get("errcode"), "errcode")
    name = "transfer_customer.refused" if refused else "transfer_customer.accepted"
    customer.add_event(name, text(customer.record.context.params.get("handover_userid")))


def _parse_result(customer: _Customer, value: dict[str, Any]) -> None:
    """The relation changes hands only when the result says that it is done, and the request from whom."""
    record, parsed = customer.record, customer.parsed
    parsed.unknown.update(TRANSFER.unknown(value, record.settings.ignored))
    old, new = (text(record.context.params.get(name)) for name in ("handover_userid", "takeover_userid"))
    status = category(parsed, record.settings, "transfer_status", value["status"], path="status")
    takeover_ms = epoch_s(value.get("takeover_time"), "takeover_time")
    if status != "done":
        customer.add_event(f"transfer_result.{status}", old)
        return
    at_ms = takeover_ms or seen_ms(record.context)
    customer.add_event("transfer_result.done", old, takeover_ms)
    if old is None:
        return
    subject = customer.scope.subject(customer.external)
    customer.add_relation(old, "transferred", at_ms, rank=RANK_ENDED, ended_at=at_ms)
    add_change(parsed, record, subject, old, change="transferred", at_ms=at_ms)
    if new:
        customer.add_relation(new, "active", at_ms, rank=RANK_BEGUN, added_at=at_ms, add_way=ASSIGNED)
        add_change(parsed, record, subject, new, change=BEGAN, at_ms=at_ms, add_way=ASSIGNED)


def _parse_unassigned(customer: _Customer, value: dict[str, Any]) -> None:
    """A customer who waits for a successor: the relation stands, the guide has left."""
    record, parsed = customer.record, customer.parsed
    parsed.unknown.update(UNASSIGNED.unknown(value, record.settings.ignored))
    userid = required(identifier(value.get("handover_userid")), "handover_userid")
    left_ms = epoch_s(value.get("dimission_time"), "dimission_time")
    seen = seen_ms(record.context)
    customer.add_event("unassigned.waiting", userid, left_ms)
    customer.add_relation(userid, "active", seen)
    parsed.row(
        "silver.staff",
        corp_id=customer.scope.tenant,
        userid=userid,
        status="left",
        left_at=left_ms,
        version_key=version_key(seen, record.digest),
    )


PARSERS: tuple[FeedParser, ...] = (
    FeedParser(
        feed=FEED,
        source="wecom",
        split=split,
        parse=parse,
        tables=("silver.contact_follows", CHANGES, "silver.staff", "silver.events"),
        hash_context=("corp_id", "suite_id", "params.handover_userid", "params.takeover_userid"),
    ),
)
