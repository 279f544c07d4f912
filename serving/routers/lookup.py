"""`POST /v1/profiles/lookup`: whose an identifier is. A POST, because identifiers may not stand in addresses."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from fastapi.responses import Response

from identity.business_time import day_end_ms, parse_instant
from identity.errors import IdentityError
from identity.identifier import Identifier
from serving.access import View
from serving.lookup import Answer, Finder
from serving.models import Found, IdentifierParts, IdentifierText, LookupRequest, ManyFound, ManyIdentifiers
from serving.problems import Problem
from serving.runtime import REFUSALS, Asker, allowed, answered

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
Reader = Annotated[Asker, Depends(allowed("profiles:read"))]
_DAY_LENGTH = 10


@router.post("/lookup", response_model=Found | ManyFound, responses=REFUSALS)
async def lookup(body: Annotated[LookupRequest, Body()], asker: Reader) -> Response:
    """Whose an identifier is: one identifier gives one answer or 404, a list gives a list in its order.

    Takes `{"namespace","scope","value"}`, `{"identifier": "namespace:scope:value"}`, a phone, an order number or any
    identifier's value as `identifier`, or `{"identifiers": [...]}`. Optional `at`: whose it was on that day.
    """
    with asker.view() as view:
        finder = Finder(view.snapshot, asker.process.identity_key)
        if isinstance(body, ManyIdentifiers):
            _require_few(body, asker.process.settings.max_lookups)
            results = [_document(_find(finder, view, each, body.at)) for each in body.identifiers]
            return answered({"results": results})
        answer = _find(finder, view, body, None)
        if answer.status == "refused":
            raise Problem(422, f"the value identifies nobody: {answer.rule}", "see `cdp identity lookup --help`")
        if answer.status == "unknown":
            raise Problem(404, "nobody is known by that")
        return answered(_document(answer))


def _find(finder: Finder, view: View, asked: str | IdentifierText | IdentifierParts, at: str | int | None) -> Answer:
    if isinstance(asked, str):
        return view.narrowed(finder.find_text(asked, _instant(at)))
    at_ms = _instant(asked.at if asked.at is not None else at)
    if isinstance(asked, IdentifierText):
        return view.narrowed(finder.find_text(asked.identifier, at_ms))
    return view.narrowed(finder.find(Identifier(asked.namespace, asked.scope, asked.value), at_ms))


def _instant(at: str | int | None) -> int | None:
    if at is None:
        return None
    try:
        return day_end_ms(at) if isinstance(at, str) and len(at) == _DAY_LENGTH else parse_instant(at, "at")
    except IdentityError as error:
        raise Problem(422, "`at` is no day or time", "write YYYY-MM-DD, RFC 3339 or epoch milliseconds") from error


def _require_few(body: ManyIdentifiers, most: int) -> None:
    if len(body.identifiers) > most:
        raise Problem(422, f"{len(body.identifiers)} identifiers in one look-up", f"send at most {most}")


def _document(answer: Answer) -> dict[str, object]:
    return {**vars(answer), "candidates": list(answer.candidates)}
