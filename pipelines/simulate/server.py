"""The platforms over HTTP on loopback, played from a simulated world: `docs/platform-simulator.md` is the contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, get_args
from urllib.parse import parse_qsl

import orjson

from pipelines.simulate import wire_douyin_calls
from pipelines.simulate.brand import BRAND, CORPS, DOUYIN_APP, DOUYIN_SHOPS, TMALL_SHOPS
from pipelines.simulate.chaos import Chaos, ChaosRates, Fate
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.listener import Listener, Reply, Request
from pipelines.simulate.platform_data import PlatformData, secret_of
from pipelines.simulate.platform_douyin import DouyinPlatform
from pipelines.simulate.platform_tmall import TmallPlatform, session_of
from pipelines.simulate.platform_tmall import error as tmall_error
from pipelines.simulate.platform_tmall_queue import GROUP
from pipelines.simulate.platform_wecom import WecomPlatform
from pipelines.simulate.platform_wecom import error as wecom_error
from pipelines.simulate.pushes import callback_keys
from serving.contract.platforms import WecomActivity

Faults = dict[Fate, dict[str, Any]]


@dataclass(frozen=True)
class PlatformRules:
    """How the platforms behave beyond their own rules; `calls_per_second` (0: any) by the clock, per platform;
    `decryptions` of each Douyin shop's receivers in a day."""

    rates: ChaosRates = field(default_factory=ChaosRates)
    seed: int = 1
    token_calls: int = 10_000
    late_seconds: int = 0
    calls_per_second: int = 0
    decryptions: int = 100_000


class PlatformServer:
    """All platforms on one free port of loopback, in a thread, inside a `with` block; `clock` gives epoch ms."""

    def __init__(self, config: SimulationConfig, clock: Callable[[], int], rules: PlatformRules | None = None) -> None:
        self.rules = rules or PlatformRules()
        self.chaos = Chaos(self.rules.rates, self.rules.seed)
        self.data = PlatformData(config, clock, self.rules.late_seconds)
        self.douyin = DouyinPlatform(self.data, self.chaos, self.rules.token_calls, self.rules.decryptions)
        self.tmall = TmallPlatform(self.data, self.chaos)
        self.wecom = WecomPlatform(self.data, self.chaos, self.rules.token_calls)
        self._counted: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._listener = Listener(self._answer)

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._listener.url

    def accounts(self) -> dict[str, Any]:
        """The document of a `platforms.yaml` that pulls from here; its secrets are known to anyone."""
        paths = {"douyin": "douyin", "tmall": "router/rest", "wecom": "cgi-bin"}
        return {
            "douyin": _douyin_accounts(),
            "tmall": _tmall_accounts(),
            "wecom": _wecom_accounts(),
            "endpoints": {platform: f"{self.url}/{path}" for platform, path in paths.items()},
        }

    def __enter__(self) -> PlatformServer:
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stop()

    def _answer(self, request: Request) -> Reply:
        """The answer of the platform that the address belongs to."""
        root, _, rest = request.path.lstrip("/").partition("/")
        if root == "douyin" and request.verb == "POST":
            return self._answer_douyin(rest.replace("/", "."), request)
        if root == "cgi-bin":
            return self._answer_wecom(rest, request)
        if request.path == "/router/rest" and request.verb == "POST":
            return self._answer_tmall(request)
        return Reply(404, b"not found", media_type="text/plain")

    def _answer_douyin(self, method: str, request: Request) -> Reply:
        now = self.data.now
        limited = wire_douyin_calls.error_envelope(now) | {"code": 60000, "sub_code": ""}
        errors = {Fate.SYSTEM_ERROR: wire_douyin_calls.error_envelope(now), Fate.LIMITED: limited}
        return self._spoiled("douyin", errors, lambda: self.douyin.answer(method, request.query, request.body))

    def _answer_tmall(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
        errors = {
            Fate.SYSTEM_ERROR: tmall_error(15, "isp.top-remote-service-unavailable"),
            Fate.LIMITED: tmall_error(7, "accesscontrol.limited-by-api-access-count"),
        }
        return self._spoiled("tmall", errors, lambda: self.tmall.answer(form))

    def _answer_wecom(self, method: str, request: Request) -> Reply:
        errors = {Fate.SYSTEM_ERROR: wecom_error(-1), Fate.LIMITED: wecom_error(45009)}
        return self._spoiled("wecom", errors, lambda: self.wecom.answer(method, request.query, request.body))

    def _over_limit(self, platform: str) -> bool:
        """Whether the platform has answered as many calls in this second of the clock as it wants to."""
        second, count = self._counted.get(platform, (0, 0))
        count = count + 1 if second == self.data.now else 1
        self._counted[platform] = (self.data.now, count)
        return 0 < self.rules.calls_per_second < count

    def _spoiled(self, platform: str, errors: Faults, answer: Callable[[], dict[str, Any]]) -> Reply:
        """The answer, unless the way spoils it; a request whose answer is lost was still carried out."""
        with self._lock:
            fate = Fate.LIMITED if self._over_limit(platform) else self.chaos.fate()
            if fate in errors:
                return Reply(200, orjson.dumps(errors[fate]))
            if fate is Fate.TOO_MANY:
                return Reply(429, b"too many", media_type="text/plain", headers={"Retry-After": "1"})
            if fate is Fate.BAD_GATEWAY:
                return Reply(502, b"<html>bad gateway</html>", media_type="text/html")
            content = orjson.dumps(answer())
        if fate is Fate.HANG:
            time.sleep(self.chaos.hang_seconds)
        return Reply(200, content[: len(content) * 2 // 3] if fate is Fate.CUT else content)


def _douyin_accounts() -> list[dict[str, Any]]:
    return [
        {
            "app_key": app_key,
            "app_secret": secret_of(app_key),
            "decrypt": True,
            "member_app_id": DOUYIN_APP.app_id,
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
            "members": True,
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
