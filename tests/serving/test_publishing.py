"""A real API process under load while snapshots are published: no request fails, no answer mixes two of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.serving.client import World
from tests.serving.sample import ANNA, KEY, PHONE, feature_rows, publish, sample_inputs, table, tag_rows

ROOT = Path(__file__).resolve().parents[2]
PUBLISHES, KEPT, CLIENTS = 20, 3, 4


class Seen(NamedTuple):
    """What one answer said: its status, the snapshot of its header, and the marks of its parts."""

    status: int
    snapshot: str
    marks: frozenset[str]


def publish_marked(home: Path, mark: int) -> None:
    """A new snapshot in which every part of Anna says `mark` is the present one; all but a few former ones are gone."""
    tags = [{**row, "value": str(mark)} for row in tag_rows()]
    features = [{**row, "net_fen": mark} for row in feature_rows()]
    publish(home, sample_inputs(f"s{mark}", tags=table(tags), features=table(features)))
    shutil.rmtree(home / "snapshots" / f"s{mark - KEPT}", ignore_errors=True)


@contextmanager
def api_process(world: World, log: Path) -> Iterator[str]:
    """The address of an API in a process of its own that is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serving", "run", "--home", str(world.home), "--port", str(port)]
    environment = {**os.environ, "CDP_IDENTITY_KEY": KEY, "CDP_SERVING__RATE_PER_MINUTE": "1000000"}
    with log.open("wb") as written:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=written)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def ask_until(done: threading.Event, url: str, token: str) -> list[Seen]:
    """Every answer about Anna that a client got until then, by her OneID and by her phone in turn."""
    seen: list[Seen] = []
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        while not done.is_set():
            if len(seen) % 2:
                answer = client.post("/v1/profiles/lookup", json={"identifier": PHONE})
                found = answer.json().get("one_id") == ANNA
                marks = frozenset({answer.headers.get("X-Snapshot-Id", "") if found else "nobody"})
            else:
                answer = client.get(f"/v1/profiles/{ANNA}")
                body = answer.json()
                told = [tag["value"] for tag in body.get("tags", ())]
                told.append(str(body.get("features", {}).get("orders", {}).get("net_fen")))
                marks = frozenset({body.get("snapshot_id", ""), *(f"s{value}" for value in told)})
            seen.append(Seen(answer.status_code, answer.headers.get("X-Snapshot-Id", ""), marks))
    return seen


@pytest.mark.e2e
def test_twenty_publishes_under_load_fail_no_request_and_mix_no_snapshots(world: World, tmp_path: Path) -> None:
    publish_marked(world.home, 1)
    world.wall.now = time.time_ns() // 1_000_000
    tokens = [world.key().token for _ in range(CLIENTS)]
    done = threading.Event()
    with api_process(world, tmp_path / "api.log") as url, ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(ask_until, done, url, token) for token in tokens]
        try:
            for mark in range(2, PUBLISHES + 2):
                publish_marked(world.home, mark)
                time.sleep(0.1)
        finally:
            done.set()
        seen = [one for client in clients for one in client.result()]
    assert {one.status for one in seen} == {200}
    assert [one for one in seen if one.marks != {one.snapshot}] == []
    assert len({one.snapshot for one in seen}) > PUBLISHES // 2
    assert len(seen) > 10 * PUBLISHES
