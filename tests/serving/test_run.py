from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from serving.errors import PortInUseError
from serving.run import listen
from tests.serving.client import World
from tests.serving.sample import ANNA, KEY, PHONE

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_port_in_use_is_told_with_a_way_out(taken: int) -> None:
    with pytest.raises(PortInUseError, match="Address already in use") as refused:
        listen("127.0.0.1", taken)
    assert (refused.value.code, refused.value.where) == (2, f"127.0.0.1:{taken}")
    assert "cdp serve --port" in refused.value.hint


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("203.0.113.1", 0), ("no such host.invalid", 0)])
def test_an_address_that_cannot_be_bound_is_told(host: str, port: int) -> None:
    with pytest.raises(PortInUseError, match="cannot listen on"):
        listen(host, port)


def test_a_free_port_is_bound() -> None:
    with listen("127.0.0.1", 0) as bound:
        assert bound.getsockname()[1] > 0


@contextmanager
def serving(world: World, port: int) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "CDP_IDENTITY_KEY": KEY, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "serving", "run", "--home", str(world.home), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def wait_until_ready(url: str) -> httpx.Response:
    for _ in range(200):
        try:
            return httpx.get(f"{url}/readyz", timeout=2)
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the API did not come up")


@pytest.mark.e2e
def test_the_api_runs_as_a_process_and_stops_when_told(published: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    published.wall.now = time.time_ns() // 1_000_000
    headers = {"Authorization": f"Bearer {published.key().token}"}
    with serving(published, port) as process:
        assert wait_until_ready(url).json()["snapshot_id"] == "s1"
        answer = httpx.post(f"{url}/v1/profiles/lookup", json={"identifier": PHONE}, headers=headers)
        assert (answer.json()["one_id"], "server" in answer.headers) == (ANNA, False)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["route"] for line in lines if line["status"] == 200] == ["/readyz", "/v1/profiles/lookup"]
    assert PHONE not in log


@pytest.mark.e2e
def test_a_taken_port_ends_the_command_with_one_json_line(world: World, taken: int) -> None:
    with serving(world, taken) as process:
        _, log = process.communicate(timeout=20)
    assert process.returncode == 2
    assert json.loads(log.splitlines()[-1])["code"] == 2
    assert "Traceback" not in log
