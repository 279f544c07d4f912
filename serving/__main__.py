"""`python -m serving run | keys create | keys list | keys revoke`: the API as a process of its own, without a JVM.

Errors end with exit code 2, 4 or 6 and one JSON object on the last line of stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from serving.clock import wall_clock_ms
from serving.errors import ConfigRefusedError, ServingError
from serving.keys import SCOPES, ApiKey, KeyRequest, create_key, list_keys, revoke_key
from serving.operational import open_store
from serving.run import serve
from serving.settings import ServingSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ServingError as error:
        facts = {"code": error.code, "message": error.message, "where": error.where, "hint": error.hint}
        sys.stderr.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return error.code


def read_settings(home: Path | None, keys_dir: Path | None) -> ServingSettings:
    """The settings of the environment with these overrides; ConfigRefusedError names the setting at fault."""
    given = {name: value for name, value in (("home", home), ("keys_dir", keys_dir)) if value is not None}
    try:
        return ServingSettings(**given)  # type: ignore[arg-type]  # validated by the model
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ConfigRefusedError(f"setting {where}: {fault['msg']}", where=where, hint="see docs/api.md") from None


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--home", type=Path, help="CDP_HOME")
    common.add_argument("--keys-dir", type=Path, help="folder of identity.key; default: keys under the home")
    parser = argparse.ArgumentParser(prog="python -m serving", description="The OneID API.")
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", parents=[common], help="serve until told to stop")
    run.add_argument("--host", default="127.0.0.1")
    run.add_argument("--port", type=int, default=8080)
    run.set_defaults(command=_run)
    keys = commands.add_parser("keys", help="API keys").add_subparsers(required=True)
    create = keys.add_parser("create", parents=[common], help="make a key; its secret is shown once")
    create.add_argument("--name", required=True)
    create.add_argument("--scope", action="append", required=True, help=", ".join(sorted(SCOPES)))
    create.add_argument("--days", type=int, default=90)
    create.add_argument("--rate-per-minute", type=int)
    create.add_argument("--brand", action="append", default=[], help="only people of this brand of conf/brands.yaml")
    create.add_argument("--guide", action="append", default=[], help="only friends of this guide, written CORP|USERID")
    create.set_defaults(command=_create)
    keys.add_parser("list", parents=[common], help="all keys, without secrets").set_defaults(command=_list)
    revoke = keys.add_parser("revoke", parents=[common], help="the key opens nothing any more")
    revoke.add_argument("key_id")
    revoke.set_defaults(command=_revoke)
    return parser


def _run(options: argparse.Namespace) -> int:
    serve(read_settings(options.home, options.keys_dir), host=options.host, port=options.port)
    return 0


def _create(options: argparse.Namespace) -> int:
    restrict = {name: values for name in ("brand", "guide") if (values := getattr(options, name))}
    request = KeyRequest(options.name, options.scope, options.days, restrict, options.rate_per_minute)
    engine = open_store(read_settings(options.home, options.keys_dir).store_url)
    made = create_key(engine, request, now_ms=wall_clock_ms())
    _say({**_document(made.key), "key": made.token})
    return 0


def _list(options: argparse.Namespace) -> int:
    engine = open_store(read_settings(options.home, options.keys_dir).store_url)
    for key in list_keys(engine):
        _say(_document(key))
    return 0


def _revoke(options: argparse.Namespace) -> int:
    engine = open_store(read_settings(options.home, options.keys_dir).store_url)
    _say(_document(revoke_key(engine, options.key_id, now_ms=wall_clock_ms())))
    return 0


def _document(key: ApiKey) -> dict[str, object]:
    return asdict(key)


def _say(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
