"""Refusals as RFC 9457 documents: what is wrong, where, what next, under which request id; never a value sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from serving.callbacks import RefusedPush
from serving.errors import HTTP_STATUS, ServingError
from serving.rates import RateExceeded
from serving.security import RefusedCaller
from serving.telemetry import log_refused_push

MEDIA_TYPE = "application/problem+json"
TITLES: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "The request cannot be read"),
    401: ("no-valid-key", "No API key in force was sent"),
    403: ("scope-missing", "The API key may not do this"),
    404: ("not-found", "There is no such thing, or it is not yours to see"),
    405: ("method-not-allowed", "This address does not take that method"),
    413: ("body-too-large", "The request body is too large"),
    415: ("unsupported-media-type", "The request body is not JSON"),
    422: ("invalid", "The request does not have the documented form"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal", "The request failed"),
    503: ("unavailable", "The request cannot be answered now"),
}


@dataclass
class Problem(Exception):  # noqa: N818 - an answer, not a failure
    """A refusal to be sent: status, what is wrong, the next step, and the fields at fault; `title` is (slug, title)
    where those of the status do not fit."""

    status: int
    detail: str
    hint: str | None = None
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    title: tuple[str, str] | None = None


def refused_push(request: Request, refused: RefusedPush) -> Problem:
    """The one answer to whatever is wrong with a platform's call; the log has what it was, by request id."""
    log_refused_push(request_id_of(request), refused.reason)
    return Problem(403, "the call was refused", title=("push-refused", "The call is not taken for the platform's"))


def problem_response(problem: Problem, request_id: str) -> Response:
    """The problem as `application/problem+json`."""
    slug, title = problem.title or TITLES.get(problem.status, TITLES[400 if problem.status < 500 else 500])
    document: dict[str, object] = {
        "type": f"urn:oneid:problem:{slug}",
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": f"urn:oneid:request:{request_id}",
        "request_id": request_id,
    }
    if problem.hint:
        document["hint"] = problem.hint
    if problem.errors:
        document["errors"] = list(problem.errors)
    body = orjson.dumps(document)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=dict(problem.headers))


def problem_of(error: Exception) -> Problem:
    """The refusal that an exception stands for; an unforeseen one tells nothing but its request id."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RefusedCaller):
        challenge = {"WWW-Authenticate": 'Bearer realm="oneid"'}
        return Problem(401, "send `Authorization: Bearer <key>`", "`cdp keys create` makes a key", headers=challenge)
    if isinstance(error, RateExceeded):
        return Problem(429, str(error), headers={"Retry-After": str(error.retry_after_s)})
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        detail = TITLES.get(error.status_code, TITLES[400])[1]
        return Problem(error.status_code, detail, headers=dict(error.headers or {}))
    if isinstance(error, ServingError) and type(error) in HTTP_STATUS:
        return Problem(HTTP_STATUS[type(error)], error.message, error.hint)
    if isinstance(error, SQLAlchemyError):
        return Problem(503, "the operational store does not answer", "see `cdp doctor`")
    return Problem(500, "the request failed; the log has more under its request id")


def _invalid(error: RequestValidationError) -> Problem:
    """Place and rule of each fault; the value sent is left out, since it may be personal data."""
    faults = [
        {"at": ".".join(str(part) for part in fault["loc"]), "problem": fault["msg"]} for fault in error.errors()[:20]
    ]
    broken = any(fault["type"] == "json_invalid" for fault in error.errors())
    if broken:
        return Problem(400, "the body is not valid JSON", "see /openapi.json")
    return Problem(422, "the request does not have the documented form", "see /openapi.json", errors=faults)


def request_id_of(request: Request) -> str:
    """The id given to the request on arrival."""
    return str(request.scope.get("request_id", "unknown"))


async def answer_problem(request: Request, error: Exception) -> Response:
    """Exception handler: the refusal the exception stands for."""
    return problem_response(problem_of(error), request_id_of(request))
