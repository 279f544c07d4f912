"""Running the API: one process, one port."""

from __future__ import annotations

import signal
import socket
import threading

import uvicorn

from serving.app import create_app
from serving.errors import PortInUseError
from serving.settings import ServingSettings
from serving.telemetry import configure_logging

MOST_CONNECTIONS = 1_000


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; PortInUseError says who should move."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2_048)
    except (OSError, OverflowError) as error:
        bound.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise PortInUseError(host, port, reason=reason) from error
    return bound


def serve(settings: ServingSettings, *, host: str = "127.0.0.1", port: int = 8080) -> None:
    """The API answers on the address until the process is told to stop; PortInUseError, ConfigRefusedError."""
    bound = listen(host, port)
    try:
        configure_logging()
        config = uvicorn.Config(
            create_app(settings),
            access_log=False,
            server_header=False,
            log_level="warning",
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=10,
        )
        server = uvicorn.Server(config)
        _stop_quietly()
        server.run(sockets=[bound])
    finally:
        bound.close()


def _stop_quietly() -> None:
    """Being told to stop is no failure: the server ends its requests, and the signal it passes on then does nothing."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
