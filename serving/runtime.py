"""What the routers share: the parts of one API process, and how a request comes to its view of the snapshot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.types import Scope

from serving.access import View, view_of
from serving.holder import SnapshotHolder
from serving.models import ProblemDocument
from serving.problems import Problem
from serving.security import Caller
from serving.settings import ServingSettings
from serving.telemetry import Metrics

_PROBLEMS = {
    400: "The body is not JSON",
    401: "No API key in force",
    403: "The key lacks the scope",
    404: "Unknown, or not yours to see",
    413: "The body is too large",
    422: "Not the documented form",
    429: "Too many requests",
    503: "No snapshot is served",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {"application/problem+json": {"schema": ProblemDocument.model_json_schema()}},
    }
    for status, text in _PROBLEMS.items()
}
"""Refusals that any endpoint below `/v1/` may answer, for `openapi.json`."""


@dataclass(frozen=True)
class Runtime:
    """The parts of one API process."""

    settings: ServingSettings
    holder: SnapshotHolder
    metrics: Metrics
    identity_key: str | None


@dataclass(frozen=True)
class Asker:
    """The caller behind one request and the process that answers it."""

    caller: Caller
    process: Runtime
    scope: Scope

    @contextmanager
    def view(self) -> Iterator[View]:
        """The present snapshot as the caller may see it, open until the block ends; the answer will name it."""
        with self.process.holder.lease() as snapshot:
            self.scope["snapshot_id"] = snapshot.snapshot_id
            yield view_of(snapshot, self.caller)


def runtime_of(request: Request) -> Runtime:
    """The parts of the process that answers the request."""
    runtime: Runtime = request.app.state.runtime
    return runtime


def allowed(scope: str) -> Callable[[Request], Awaitable[Asker]]:
    """A dependency: who asks, refused with 403 when the key lacks the scope."""

    async def asker(request: Request) -> Asker:
        caller: Caller = request.scope["caller"]
        if scope not in caller.scopes:
            hint = f"`cdp keys create --scope {scope}` makes one that has it"
            raise Problem(403, f"the key lacks the scope {scope}", hint)
        return Asker(caller, runtime_of(request), request.scope)

    return asker


Process = Annotated[Runtime, Depends(runtime_of)]


def answered(document: object) -> Response:
    """The document as JSON."""
    return Response(orjson.dumps(document), media_type="application/json")
