"""The platforms over HTTP on loopback, played from a simulated world: `docs/platform-simulator.md` is the contract."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, get_args
from urllib.parse import parse_qsl

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipelines.simulate import wire_douyin_calls
from pipelines.simulate.brand import BRAND, CORPS, DOUYIN_SHOPS, TMALL_SHOPS
from pipelines.simulate.chaos import Chaos, ChaosRates, Fate
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.platform_data import PlatformData, secret_of
from pipelines.simulate.platform_douyin import DouyinPlatform
from pipelines.simulate.platform_tmall import TmallPlatform, session_of
from pipelines.simulate.platform_tmall import error as tmall_error
from pipelines.simulate.platform_tmall_queue import GROUP
from pipelines.simulate.platform_wecom import WecomPlatform
from pipelines.simulate.platform_wecom import error as wecom_error
from pipelines.simulate.pushes import callback_keys
from serving.contract.platforms import WecomActivity

START_SECONDS = 20.0
Faults = dict[Fate, dict[str, Any]]


@dataclass(frozen=True)
class PlatformRules:
    """How the platforms behave beyond their own rules; `calls_per_second` (0: any) by the clock, per platform."""

    rates: ChaosRates = field(default_factory=ChaosRates)
    seed: int = 1
    token_calls: int = 10_000
    late_seconds: int = 0
    calls_per_second: int = 0


class _PromptServer(uvicorn.Server):
    """Ends as soon as its last answer is out: uvicorn's own loop looks every tenth of a second, and waits one more."""

    async def main_loop(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.001)
        for server in self.servers:
            await server.wait_closed()


class PlatformServer:
    """All platforms on one free port of loopback, in a thread, inside a `with` block; `clock` gives epoch ms."""

    def __init__(self, config: SimulationConfig, clock: Callable[[], int], rules: PlatformRules | None = None) -> None:
        self.rules = rules or PlatformRules()
        self.chaos = Chaos(self.rules.rates, self.rules.seed)
        self.data = PlatformData(config, clock, self.rules.late_seconds)
        self.douyin = DouyinPlatform(self.data, self.chaos, self.rules.token_calls)
        self.tmall = TmallPlatform(self.data, self.chaos)
        self.wecom = WecomPlatform(self.data, self.chaos, self.rules.token_calls)
        self._counted: dict[str, tuple[int, int]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._server = _PromptServer(uvicorn.Config(self.app(), log_level="critical", access_log=False, lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}"

    def accounts(self) -> dict[str, Any]:
        """The document of a `platforms.yaml` that pulls from here; its secrets are known to anyone."""
        paths = {"douyin": "douyin", "tmall": "router/rest", "wecom": "cgi-bin"}
        return {
            "douyin": _douyin_accounts(),
            "tmall": _tmall_accounts(),
            "wecom": _wecom_accounts(),
            "endpoints": {platform: f"{self.url}/{path}" for platform, path in paths.items()},
        }

    def app(self) -> Starlette:
        """The platforms as an ASGI application."""
        return Starlette(
            routes=[
                Route("/douyin/{path:path}", self._answer_douyin, methods=["POST"]),
                Route("/router/rest", self._answer_tmall, methods=["POST"]),
                Route("/cgi-bin/{path:path}", self._answer_wecom, methods=["GET", "POST"]),
            ]
        )

    def __enter__(self) -> PlatformServer:
        self._socket.bind(("127.0.0.1", 0))
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the platform simulator did not start")
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=START_SECONDS)
        self._socket.close()

    async def _answer_douyin(self, request: Request) -> Response:
        method = request.path_params["path"].replace("/", ".")
        now = self.data.now
        limited = wire_douyin_calls.error_envelope(now) | {"code": 80000, "sub_code": "isp.call-limit-reached"}
        errors = {Fate.SYSTEM_ERROR: wire_douyin_calls.error_envelope(now), Fate.LIMITED: limited}
        body = await request.body()
        return await self._spoiled(
            "douyin", errors, lambda: self.douyin.answer(method, dict(request.query_params), body)
        )

    async def _answer_tmall(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        errors = {
            Fate.SYSTEM_ERROR: tmall_error(15, "isp.top-remote-service-unavailable"),
            Fate.LIMITED: tmall_error(7, "accesscontrol.limited-by-api-access-count"),
        }
        return await self._spoiled("tmall", errors, lambda: self.tmall.answer(form))

    async def _answer_wecom(self, request: Request) -> Response:
        method, query, body = request.path_params["path"], dict(request.query_params), await request.body()
        errors = {Fate.SYSTEM_ERROR: wecom_error(-1), Fate.LIMITED: wecom_error(45009)}
        return await self._spoiled("wecom", errors, lambda: self.wecom.answer(method, query, body))

    def _over_limit(self, platform: str) -> bool:
        """Whether the platform has answered as many calls in this second of the clock as it wants to."""
        second, count = self._counted.get(platform, (0, 0))
        count = count + 1 if second == self.data.now else 1
        self._counted[platform] = (self.data.now, count)
        return 0 < self.rules.calls_per_second < count

    async def _spoiled(self, platform: str, errors: Faults, answer: Callable[[], dict[str, Any]]) -> Response:
        """The answer, unless the way spoils it; a request whose answer is lost was still carried out."""
        fate = Fate.LIMITED if self._over_limit(platform) else self.chaos.fate()
        if fate in errors:
            return _json(errors[fate])
        if fate is Fate.TOO_MANY:
            return PlainTextResponse("too many", status_code=429, headers={"Retry-After": "1"})
        if fate is Fate.BAD_GATEWAY:
            return PlainTextResponse("<html>bad gateway</html>", status_code=502)
        content = orjson.dumps(answer())
        if fate is Fate.HANG:
            await asyncio.sleep(self.chaos.hang_seconds)
        if fate is Fate.CUT:
            return Response(content[: len(content) * 2 // 3], media_type="application/json")
        return Response(content, media_type="application/json")


def _json(document: dict[str, Any]) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")


def _douyin_accounts() -> list[dict[str, Any]]:
    return [
        {
            "app_key": app_key,
            "app_secret": secret_of(app_key),
            "decrypt": True,
            "shops": [{"shop_id": str(shop.shop_id)} for shop in DOUYIN_SHOPS if shop.app_key == app_key],
        }
        for app_key in sorted({shop.app_key for shop in DOUYIN_SHOPS})
    ]


def _tmall_accounts() -> list[dict[str, Any]]:
    return [
        {
            "app_key": app_key,
            "app_secret": secret_of(app_key),
            "brand": BRAND,
            "message_group": GROUP,
            "shops": [
                {"seller_nick": shop.seller_nick, "shop_id": shop.shop_id, "session": session_of(shop.seller_nick)}
                for shop in TMALL_SHOPS
                if shop.app_key == app_key
            ],
        }
        for app_key in sorted({shop.app_key for shop in TMALL_SHOPS})
    ]


def _wecom_accounts() -> list[dict[str, Any]]:
    return [
        {
            "corp_id": corp.corp_id,
            "open_platform_id": corp.open_platform_id,
            "secret": secret_of(corp.corp_id),
            "token": callback_keys(corp.corp_id).token,
            "encoding_aes_key": callback_keys(corp.corp_id).encoding_aes_key,
            "activity": get_args(WecomActivity),
        }
        for corp in CORPS
    ]
