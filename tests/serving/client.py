"""A client of the API inside the test process, and clocks that stand still until moved."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from serving.app import Clocks, create_app
from serving.keys import SCOPES, KeyRequest, NewKey, create_key
from serving.operational import open_store
from serving.settings import ServingSettings
from tests.serving.sample import DAY, KEY


@dataclass
class FakeClock:
    """A clock that shows what the test says."""

    now: int = DAY

    def __call__(self) -> int:
        return self.now

    def forward(self, milliseconds: int) -> None:
        self.now += milliseconds


@dataclass
class Api:
    """The API over one home, asked as the holder of one key."""

    app: FastAPI
    headers: dict[str, str]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
                return await client.request(
                    method, path, headers={**self.headers, **options.pop("headers", {})}, **options
                )

        return self.loop.run_until_complete(run())

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, document: Any) -> httpx.Response:
        return self.ask("POST", path, json=document)

    def lookup(self, document: Any) -> Any:
        return self.post("/v1/profiles/lookup", document).json()

    def close(self) -> None:
        self.loop.close()


@dataclass
class World:
    """A home, the clocks of the API over it, and the keys made for it."""

    home: Path
    wall: FakeClock = field(default_factory=FakeClock)
    monotonic: FakeClock = field(default_factory=FakeClock)
    settings: Mapping[str, Any] = field(default_factory=dict)
    apps: list[Api] = field(default_factory=list)

    def serving_settings(self) -> ServingSettings:
        return ServingSettings(**{"home": self.home, "identity_key": KEY, **self.settings})

    def key(self, **request: Any) -> NewKey:
        asked = KeyRequest(**{"name": "test", "scopes": tuple(SCOPES), **request})
        return create_key(open_store(self.serving_settings().store_url), asked, now_ms=self.wall())

    def api(self, **request: Any) -> Api:
        """The API asked with a fresh key."""
        return self.api_with(self.key(**request).token)

    def api_with(self, token: str | None) -> Api:
        app = create_app(self.serving_settings(), Clocks(self.wall, self.monotonic))
        made = Api(app, {"Authorization": f"Bearer {token}"} if token else {})
        self.apps.append(made)
        return made
