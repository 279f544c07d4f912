"""`GET /v1/profiles/{one_id}` and its parts; a retired OneID answers with the living profile it leads to."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from serving.access import View
from serving.lookup import shown
from serving.models import Identities, ProfileDocument, Tags, Timeline
from serving.problems import Problem
from serving.runtime import REFUSALS, Asker, allowed, answered
from serving.store import Entry, OrderSum, Period, Profile

router = APIRouter(prefix="/v1/profiles", tags=["profiles"], responses=REFUSALS)
Reader = Annotated[Asker, Depends(allowed("profiles:read"))]
OneId = Annotated[str, Path(description="A OneID, living or retired", max_length=64)]


class PageQuery(BaseModel):
    """Which page of a timeline."""

    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before", max_length=1_024)] = None
    limit: Annotated[int, Field(description="Entries on the page", ge=1, le=200)] = 50
    kind: Annotated[list[str], Field(description="Only these kinds; none: all", max_length=20)] = []


@router.get("/{one_id}", response_model=ProfileDocument)
async def profile(one_id: OneId, asker: Reader) -> Response:
    """Everything known about a person at a glance, personal data masked."""
    with asker.view() as view:
        found, redirected_from = _sought(view, one_id)
        snapshot, person = view.snapshot, found.person
        document = {
            "one_id": found.one_id,
            "redirected_from": redirected_from,
            "status": found.status,
            "layer": found.layer,
            "minted_on": found.minted_on,
            "features": orjson.Fragment(found.features),
            "tags": _tags(view, person),
            "identities": _identities(view, person),
            "consents": [_consent(row) for row in snapshot.consents(person)],
            "orders": _orders(snapshot.order_sums(person)),
            "snapshot_id": snapshot.snapshot_id,
            "as_of": snapshot.as_of,
        }
        return answered(document)


@router.get("/{one_id}/identities", response_model=Identities)
async def identities(one_id: OneId, asker: Reader) -> Response:
    """All identifiers a person owns or owned, with their validity periods."""
    with asker.view() as view:
        found, redirected_from = _sought(view, one_id)
        rows = _identities(view, found.person)
        return answered({"one_id": found.one_id, "redirected_from": redirected_from, "identities": rows})


@router.get("/{one_id}/tags", response_model=Tags)
async def tags(one_id: OneId, asker: Reader) -> Response:
    """All tags of a person, each with its reason and the day since which it holds."""
    with asker.view() as view:
        found, redirected_from = _sought(view, one_id)
        rows = _tags(view, found.person)
        return answered({"one_id": found.one_id, "redirected_from": redirected_from, "tags": rows})


@router.get("/{one_id}/timeline", response_model=Timeline)
async def timeline(one_id: OneId, page: Annotated[PageQuery, Query()], asker: Reader) -> Response:
    """What happened to a person, newest first, page by page; pages stay right when a new snapshot comes."""
    after, limit = _read_cursor(page.cursor) if page.cursor is not None else None, page.limit
    with asker.view() as view:
        found, redirected_from = _sought(view, one_id)
        rows = view.snapshot.timeline(found.person, after=after, kinds=sorted(set(page.kind)), limit=limit + 1)
        more = len(rows) > limit
        document = {
            "one_id": found.one_id,
            "redirected_from": redirected_from,
            "entries": [_entry(row) for row in rows[:limit]],
            "next_cursor": _cursor_after(rows[limit - 1]) if more else None,
        }
        return answered(document)


def _sought(view: View, one_id: str) -> tuple[Profile, str | None]:
    found = view.profile(one_id)
    if found is None:
        raise Problem(404, "there is no such person, or it is not yours to see")
    return found


def _tags(view: View, person: int) -> list[dict[str, str]]:
    names = ("tag", "value", "as_of", "reason")
    return [dict(zip(names, row, strict=True)) for row in view.snapshot.tags(person)]


def _identities(view: View, person: int) -> list[dict[str, object]]:
    return [_identity(period) for period in view.snapshot.identities(person)]


def _identity(period: Period) -> dict[str, object]:
    return {
        "namespace": period.namespace,
        "scope": period.scope,
        "display": shown(period),
        "personal": bool(period.personal),
        "status": period.status,
        "valid_from_ms": period.valid_from_ms,
        "valid_to_ms": period.valid_to_ms,
        "first_seen_ms": period.first_seen_ms,
        "last_seen_ms": period.last_seen_ms,
    }


def _consent(row: tuple[Any, ...]) -> dict[str, object]:
    purpose, status, stated_at_ms, source, conflict = row
    return {
        "purpose": purpose,
        "status": status,
        "stated_at_ms": stated_at_ms,
        "source": source,
        "conflict": bool(conflict),
    }


def _orders(sums: list[OrderSum]) -> dict[str, object]:
    firsts = [row.first_at_ms for row in sums if row.first_at_ms is not None]
    lasts = [row.last_at_ms for row in sums if row.last_at_ms is not None]
    total = OrderSum(
        "all",
        sum(row.orders for row in sums),
        sum(row.paid_fen for row in sums),
        sum(row.refunded_fen for row in sums),
        min(firsts, default=None),
        max(lasts, default=None),
    )
    return {"total": _order_sum(total), "by_platform": [_order_sum(row) for row in sums]}


def _order_sum(row: OrderSum) -> dict[str, object]:
    return {**row._asdict(), "net_fen": row.paid_fen - row.refunded_fen}


def _entry(row: Entry) -> dict[str, object]:
    return {**row._asdict(), "detail": orjson.Fragment(row.detail) if row.detail else None}


def _cursor_after(row: Entry) -> str:
    text = orjson.dumps([row.at_ms, row.kind, row.ref])
    return base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str, str]:
    try:
        at_ms, kind, ref = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fits = type(at_ms) is int and abs(at_ms) < 2**62 and isinstance(kind, str) and isinstance(ref, str)
    except (ValueError, TypeError, binascii.Error):
        fits = False
    if not fits:
        raise Problem(422, "the cursor is not one of this API", "begin again without a cursor")
    return at_ms, kind, ref
