"""The API: one FastAPI application over one home, read-only towards the lake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from serving.clock import Clock, monotonic_ms, wall_clock_ms
from serving.errors import ServingError
from serving.holder import SnapshotHolder
from serving.middleware import PROTECTED, BodyLimit, Gate, Gatekeeper, RequestFrame
from serving.operational import open_store
from serving.problems import Problem, answer_problem
from serving.routers import lookup, operations, profiles, segments
from serving.routers.webhooks import add_receivers
from serving.runtime import Runtime
from serving.security import Authenticator, RateLimits
from serving.settings import ServingSettings, find_identity_key
from serving.telemetry import Metrics

VERSION = "1.0.0"
DESCRIPTION = """People of a brand under one OneID. Money is integer fen, times are UTC epoch milliseconds.
Personal data is masked. Every answer names the snapshot it was read from in `X-Snapshot-Id`."""


@dataclass(frozen=True)
class Clocks:
    """Where the API takes the time from."""

    wall: Clock = wall_clock_ms
    monotonic: Clock = monotonic_ms


def create_app(settings: ServingSettings, clocks: Clocks | None = None) -> FastAPI:
    """The application over the home of the settings; ConfigRefusedError for an unusable secret.

    It starts without a snapshot too: `/readyz` and every look-up then say what to do.
    """
    times = clocks or Clocks()
    metrics = Metrics()
    holder = SnapshotHolder(settings.home, times.monotonic)
    runtime = Runtime(settings, holder, metrics, find_identity_key(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        holder.close()

    app = FastAPI(
        title="OneID customer-data platform",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]  # the documented way to extend it
    _add_routes(app)
    add_receivers(app, settings, times.wall)
    _add_frame(app, runtime, times)
    return app


def _add_routes(app: FastAPI) -> None:
    for part in (lookup.router, profiles.router, segments.router, operations.router):
        app.include_router(part)
    for kind in (Problem, HTTPException, RequestValidationError, ServingError):
        app.add_exception_handler(kind, answer_problem)


def _add_frame(app: FastAPI, runtime: Runtime, times: Clocks) -> None:
    """Outermost last: the frame wraps the body limit, which wraps the gate."""
    settings = runtime.settings
    authenticator = Authenticator(open_store(settings.store_url), wall=times.wall, monotonic=times.monotonic)
    limits = RateLimits(
        rate_per_minute=settings.rate_per_minute,
        failures_per_minute=settings.failures_per_minute,
        monotonic=times.monotonic,
    )
    app.add_middleware(Gate, keeper=Gatekeeper(authenticator, limits))
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(RequestFrame, metrics=runtime.metrics)


def document_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the key that everything below `/v1/` needs; the gate asks for it before any route."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        document.setdefault("components", {})["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "An API key"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, as a header"},
        }
        for path, operations_of_path in document["paths"].items():
            if path.startswith(PROTECTED):
                for operation in operations_of_path.values():
                    operation["security"] = [{"bearer": []}, {"header": []}]
        app.openapi_schema = document
    return app.openapi_schema
