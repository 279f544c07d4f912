"""Starting the API: a process of its own, so that it never loads Spark."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import NoReturn

from pipelines.errors import CdpError, ConfigurationError, ExitCode
from pipelines.jobs.context import Say
from pipelines.keys import Keys
from pipelines.publish import current
from pipelines.settings import Settings, api_environment
from pipelines.store.versions import rows_of

DEMO_SCOPES = ("profiles:read", "segments:preview")


def serve_api(settings: Settings, keys: Keys, *, host: str, port: int, say: Say) -> NoReturn:
    """This process becomes the API's; a port in use or a missing snapshot is said before."""
    del keys  # that they exist was the check; the API reads them itself
    if current(settings.home) is None:
        raise ConfigurationError(
            "nothing is published yet", where=str(settings.home), hint="run `cdp run` or `cdp demo` first"
        )
    _check_port(host, port)
    say(f"serving on http://{host}:{port}")
    command = [sys.executable, "-m", "serving", "run", "--home", str(settings.home), "--keys-dir", str(settings.keys)]
    os.execve(sys.executable, [*command, "--host", host, "--port", str(port)], api_environment(settings))


def serve_demo(settings: Settings, keys: Keys, say: Say) -> NoReturn:
    """The demo's API runs, after three requests to try were printed."""
    host, port = settings.serving.host, settings.serving.port
    _check_port(host, port)
    token = create_api_key(settings, "demo", DEMO_SCOPES)["key"]
    base = f"http://{host}:{port}"
    example = _example(settings)
    headers = f"-H 'Authorization: Bearer {token}'"
    say("three requests to try:")
    say(f"  curl -s {headers} -H 'Content-Type: application/json' -d '{json.dumps(example)}' {base}/v1/profiles/lookup")
    say(f"  curl -s {headers} {base}/v1/profiles/{_example_one_id(settings)}")
    segment = json.dumps({"where": {"layer": "friend"}})
    say(f"  curl -s {headers} -H 'Content-Type: application/json' -d '{segment}' {base}/v1/segments/preview")
    serve_api(settings, keys, host=host, port=port, say=say)


def create_api_key(settings: Settings, name: str, scopes: tuple[str, ...], days: int = 90) -> dict[str, str]:
    """A new API key with its secret, made by the API's own command."""
    words = [word for scope in scopes for word in ("--scope", scope)]
    return _serving(settings, ["keys", "create", "--name", name, "--days", str(days), *words])[0]


def list_api_keys(settings: Settings) -> list[dict[str, str]]:
    """All API keys, without secrets."""
    return _serving(settings, ["keys", "list"])


def revoke_api_key(settings: Settings, key_id: str) -> dict[str, str]:
    """The key opens nothing any more."""
    return _serving(settings, ["keys", "revoke", key_id])[0]


def _serving(settings: Settings, words: list[str]) -> list[dict[str, str]]:
    place = ["--home", str(settings.home), "--keys-dir", str(settings.keys)]
    done = subprocess.run(
        [sys.executable, "-m", "serving", *words, *place],
        capture_output=True,
        text=True,
        check=False,
        env=api_environment(settings),
    )
    if done.returncode:
        try:
            facts = json.loads(done.stderr.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise ConfigurationError("the API's key command failed", where="serving", hint="run `cdp doctor`") from None
        raise CdpError(ExitCode(facts["code"]), facts["message"], where=facts["where"], hint=facts["hint"])
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                where=f"{host}:{port}",
                hint="stop what uses the port, or choose another with --port or CDP_SERVING__PORT",
            ) from None


def _example(settings: Settings) -> dict[str, str]:
    query = (
        "SELECT namespace, scope, value FROM t WHERE valid_to IS NULL AND one_id IS NOT NULL AND status = 'active' "
        "AND namespace = 'wecom_external_userid' ORDER BY one_id, value LIMIT 1"
    )
    rows = rows_of(settings.lake, "identity.oneid_map", query)
    return rows[0] if rows else {"namespace": "doudian_open_id", "scope": "7000001", "value": "unknown"}


def _example_one_id(settings: Settings) -> str:
    query = (
        "SELECT one_id FROM t WHERE namespace = 'wecom_external_userid' AND one_id IS NOT NULL "
        "ORDER BY one_id, value LIMIT 1"
    )
    rows = rows_of(settings.lake, "identity.oneid_map", query)
    return str(rows[0]["one_id"]) if rows else "unknown"
