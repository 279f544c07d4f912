"""The frame around every request, as plain ASGI: id, headers, log and figures; then body size, key and rate."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.clock import Clock, monotonic_us
from serving.keys import ApiKey, split_token
from serving.problems import problem_of, problem_response
from serving.security import Authenticator, Caller, RateLimits, RefusedCaller, caller_of
from serving.telemetry import Metrics, log_failure, log_request

PROTECTED = "/v1/"
SNAPSHOT_HEADER = "X-Snapshot-Id"
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Cache-Control": "no-store",
}
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class RequestFrame:
    """Gives each request an id, each answer the security headers, and writes one log line; no exception gets out."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, monotonic: Clock = monotonic_us) -> None:
        self._app = app
        self._metrics = metrics
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = secrets.token_hex(8)
        begun, status, started = self._monotonic(), 500, False

        async def send_framed(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                own = [(b"x-request-id", request_id.encode())]
                if "snapshot_id" in scope:
                    own.append((SNAPSHOT_HEADER.lower().encode(), scope["snapshot_id"].encode()))
                message["headers"] = [*message.get("headers", ()), *_RAW_HEADERS, *own]
            await send(message)

        try:
            await self._app(scope, receive, send_framed)
        except Exception as error:  # noqa: BLE001 - the last frame: whatever it is, the caller gets a problem document
            problem = problem_of(error)
            if problem.status == 500:
                log_failure(request_id, error)
            if not started:
                await problem_response(problem, request_id)(scope, receive, send_framed)
        self._record(scope, status, (self._monotonic() - begun) / 1000)

    def _record(self, scope: Scope, status: int, milliseconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        caller: Caller | None = scope.get("caller")
        self._metrics.count(scope["method"], route, status=status, milliseconds=milliseconds)
        log_request(
            {
                "method": scope["method"] if scope["method"].isalpha() else "other",
                "route": route,
                "status": status,
                "duration_ms": milliseconds,
                "request_id": scope["request_id"],
                "key_id": caller.key_id if caller else None,
                "snapshot_id": scope.get("snapshot_id"),
            }
        )


class BodyLimit:
    """Refuses request bodies longer than allowed, whether announced or only sent."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._max_bytes:
            raise HTTPException(413)
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)


@dataclass(frozen=True)
class Gatekeeper:
    """What decides whether a request comes in."""

    authenticator: Authenticator
    limits: RateLimits


class Gate:
    """Lets requests below `/v1/` in only with a key in force and inside its rate; the caller stands in the scope."""

    def __init__(self, app: ASGIApp, *, keeper: Gatekeeper) -> None:
        self._app = app
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] == "http" and scope["path"].startswith(PROTECTED):
            scope["caller"] = await self._admit(scope)
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope) -> Caller:
        keeper, token = self._keeper, _token(scope)
        key = keeper.authenticator.known(token) if token else None
        if key is None:
            key = await self._verified(token, address=(scope.get("client") or ("unknown", 0))[0])
        keeper.limits.count(key)
        return caller_of(key)

    async def _verified(self, token: str, *, address: str) -> ApiKey:
        """The key of a token seen for the first time; addresses that guess are stopped before the slow hash."""
        keeper = self._keeper
        keeper.limits.require_trust(address)
        try:
            if split_token(token) is None:
                raise RefusedCaller
            return await anyio.to_thread.run_sync(keeper.authenticator.verify, token)
        except RefusedCaller:
            keeper.limits.count_failure(address)
            raise


def _token(scope: Scope) -> str:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    if bearer[:7].lower() == "bearer ":
        return bearer[7:].strip()
    return headers.get(b"x-api-key", b"").decode("latin-1").strip()
