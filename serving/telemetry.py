"""What the API says about itself: one log line and a few figures per request, by route template, never by path."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
log: structlog.stdlib.BoundLogger = structlog.get_logger("serving")


class Metrics:
    """Prometheus figures of one API process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("cdp_api_requests", "Requests answered", labels, registry=self.registry)
        self._seconds = Histogram("cdp_api_request_seconds", "Time to answer", ("route",), registry=self.registry)
        self._refused = Counter("cdp_api_keys_refused", "Requests without a key in force", registry=self.registry)
        self._built = Gauge("cdp_snapshot_built_seconds", "When the served snapshot was built", registry=self.registry)
        self._ready = Gauge("cdp_snapshot_ready", "1 when a snapshot is served", registry=self.registry)
        self._switches = Gauge("cdp_snapshot_switches", "Snapshots taken up since start", registry=self.registry)

    def count(self, method: str, route: str, *, status: int, milliseconds: float) -> None:
        """One answered request is counted."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(milliseconds / 1000)
        if status == 401:
            self._refused.inc()

    def snapshot(self, *, built_at_ms: int | None, usable: bool, switches: int) -> None:
        """The figures say which snapshot is served."""
        self._built.set((built_at_ms or 0) / 1000)
        self._ready.set(int(usable))
        self._switches.set(switches)

    def text(self) -> bytes:
        """All figures in the Prometheus text format."""
        return generate_latest(self.registry)


def log_request(facts: dict[str, Any]) -> None:
    """One line: method, route template, status, duration, request id, key id, snapshot; no path, no body, no person."""
    log.info("request", **facts)


def log_refused_push(request_id: str, reason: str) -> None:
    """Why a platform's call was refused, which its sender is not told; the reason repeats nothing of the call."""
    log.warning("push refused", request_id=request_id, reason=reason)


def log_failure(request_id: str, error: BaseException) -> None:
    """Class and place of an unforeseen exception; its text is left out, since it may hold a value."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    log.error("request failed", request_id=request_id, error=type(error).__name__, place=place)


def configure_logging() -> None:
    """Log lines are JSON on stderr with a UTC time."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
