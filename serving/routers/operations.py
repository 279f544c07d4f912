"""Addresses for machines that watch the API; they need no key and name no person."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from serving.middleware import SNAPSHOT_HEADER
from serving.models import Health, ProblemDocument, Readiness
from serving.problems import Problem
from serving.runtime import Process

router = APIRouter(tags=["operations"])
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/", summary="Where things are")
async def index() -> dict[str, str]:
    """Addresses of this API."""
    return {
        "openapi": "/openapi.json",
        "lookup": "/v1/profiles/lookup",
        "profile": "/v1/profiles/{one_id}",
        "segment_preview": "/v1/segments/preview",
        "segment_vocabulary": "/v1/segments/vocabulary",
        "health": "/healthz",
        "readiness": "/readyz",
        "metrics": "/metrics",
    }


@router.get("/healthz", response_model=Health)
async def healthz() -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=Readiness, responses={503: {"model": ProblemDocument}})
async def readyz(process: Process) -> Response:
    """A snapshot is served; 503 with the next command when there is none or it cannot be read."""
    standing = process.holder.standing()
    if not standing.usable or standing.snapshot_id is None:
        problem = standing.problem
        detail, hint = (problem.message, problem.hint) if problem else ("no snapshot is served", "run `cdp run`")
        raise Problem(503, detail, hint)
    document = {
        "status": "ready",
        "snapshot_id": standing.snapshot_id,
        "as_of": standing.as_of,
        "built_at_ms": standing.built_at_ms,
        "problem": standing.problem.message if standing.problem else None,
    }
    return JSONResponse(document, headers={SNAPSHOT_HEADER: standing.snapshot_id})


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(process: Process) -> Response:
    """Figures in the Prometheus text format."""
    standing = process.holder.standing()
    process.metrics.snapshot(built_at_ms=standing.built_at_ms, usable=standing.usable, switches=process.holder.switches)
    return Response(process.metrics.text(), media_type=METRICS_TYPE)
