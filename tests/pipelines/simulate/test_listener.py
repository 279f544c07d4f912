"""The loopback server of the simulated platforms: it answers over kept connections, says nothing, ends at once."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import httpx
import pytest

from pipelines.simulate.listener import Listener, Reply, Request


def echo(request: Request) -> Reply:
    """Says what it was asked."""
    said = f"{request.verb} {request.path} {sorted(request.query.items())} {request.body.decode()}"
    return Reply(200, said.encode(), headers={"X-Said": "yes"})


@pytest.fixture
def listener() -> Iterator[Listener]:
    running = Listener(echo)
    running.start()
    yield running
    running.stop()


def address_of(listener: Listener) -> tuple[str, int]:
    host, port = listener.url.removeprefix("http://").split(":")
    return host, int(port)


def test_it_answers_several_requests_of_one_connection(listener: Listener) -> None:
    with httpx.Client(base_url=listener.url) as client:
        first = client.get("/a%20b", params={"x": "1", "empty": ""})
        second = client.post("/c", content=b"body")
    assert first.text == "GET /a b [('empty', ''), ('x', '1')] "
    assert (second.text, second.headers["x-said"]) == ("POST /c [] body", "yes")
    assert first.headers["content-length"] == str(len(first.content))


def test_a_slow_answer_keeps_nobody_else_waiting() -> None:
    other_was_answered = threading.Event()

    def answer(request: Request) -> Reply:
        if request.path == "/slow":
            return Reply(200 if other_was_answered.wait(10) else 500, b"")
        return Reply(200, b"")

    listener = Listener(answer)
    listener.start()
    try:
        statuses: list[int] = []
        slow = threading.Thread(target=lambda: statuses.append(httpx.get(f"{listener.url}/slow").status_code))
        slow.start()
        assert httpx.get(f"{listener.url}/quick").status_code == 200
        other_was_answered.set()
        slow.join(10)
        assert statuses == [200]
    finally:
        listener.stop()


def test_it_is_gone_when_stopped() -> None:
    listener = Listener(echo)
    listener.start()
    address = address_of(listener)
    assert httpx.get(listener.url).status_code == 200
    listener.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=2)


def test_it_writes_nothing_about_addresses_or_callers_that_hang_up(
    listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    httpx.get(listener.url, params={"access_token": "secret"})
    with socket.create_connection(address_of(listener)) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
        caller.sendall(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
    assert httpx.get(listener.url).status_code == 200
    assert capfd.readouterr() == ("", "")
