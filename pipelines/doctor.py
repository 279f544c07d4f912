"""Checks of the machine and the lake before work: each says what it found and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

from identity.errors import IdentityError
from identity.policy import Policy
from pipelines.errors import CdpError, ConfigurationError
from pipelines.keys import load_keys
from pipelines.migrate import refuse_other_schemas
from pipelines.rebuilding import owed
from pipelines.settings import Settings
from pipelines.setup.jars import jar_paths
from pipelines.setup.java import java_home
from pipelines.sources.config import MIX_KEYS_FILE, load_mix_keys, load_sources
from pipelines.verify import refuse_damage
from serving.contract.platforms import FILE as ACCOUNTS_FILE
from serving.contract.platforms import ConfigRefusedError, read_platforms

MIN_FREE_GIB = 2.0


@dataclass(frozen=True)
class Finding:
    """One check with its result; `hint` is the next step when it failed."""

    name: str
    ok: bool
    detail: str
    hint: str = ""

    def as_dict(self) -> dict[str, object]:
        """The finding as plain data."""
        return asdict(self)


def diagnose(settings: Settings) -> list[Finding]:
    """Every check in the order in which it is needed."""
    return [
        _check("java", lambda: str(java_home())),
        _check("jars", lambda: f"{len(jar_paths())} jars in the cache"),
        _check("keys", lambda: f"vault key {load_keys(settings.keys).vault_id}"),
        _check("sources", lambda: f"{len(load_sources(settings.conf))} sources configured"),
        _check(
            "identity policy",
            lambda: f"{len(Policy.load(settings.conf / settings.identity.policy_file).namespaces)} namespaces",
        ),
        _accounts(settings),
        _space(settings),
        _check("lake", lambda: _look_at_lake(settings)),
        _check("schemas", lambda: _look_at_schemas(settings)),
        _owed(settings),
    ]


def _check(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, detail=look())
    except CdpError as error:
        return Finding(name, ok=False, detail=error.message, hint=error.hint)
    except (IdentityError, OSError) as error:
        return Finding(name, ok=False, detail=str(error), hint="correct the file it names")


def _accounts(settings: Settings) -> Finding:
    """The platform accounts are of the documented form, and nobody but their owner reads their secrets."""
    files = [settings.keys / name for name in (ACCOUNTS_FILE, MIX_KEYS_FILE)]
    open_ones = [path for path in files if path.is_file() and path.stat().st_mode & 0o077]
    if open_ones:
        return Finding(
            "accounts", ok=False, detail=f"others can read {open_ones[0]}", hint=f"run `chmod 600 {open_ones[0]}`"
        )
    return _check("accounts", lambda: _look_at_accounts(settings))


def _look_at_accounts(settings: Settings) -> str:
    try:
        platforms = read_platforms(settings.keys)
    except ConfigRefusedError as error:
        raise ConfigurationError(error.message, where=error.where, hint=error.hint) from None
    merchants = load_mix_keys(settings.keys)
    if platforms is None:
        return f"no {ACCOUNTS_FILE}: nothing is pulled or received; docs/platforms.md shows the file"
    shops = sum(len(app.shops) for app in platforms.douyin) + sum(len(app.shops) for app in platforms.tmall)
    counted = f"{shops} shops, {len(platforms.douyin_open)} mini-programs, {len(platforms.wecom)} apps of WeCom corps"
    if platforms.tmall and not merchants:
        return f"{counted}; no {MIX_KEYS_FILE}, so nobody is found by Tmall's hash of a phone (docs/platforms.md)"
    return counted


def _look_at_lake(settings: Settings) -> str:
    refuse_damage(settings.home)
    return "no damage at a glance; `cdp verify` reads all of it"


def _look_at_schemas(settings: Settings) -> str:
    refuse_other_schemas(settings.lake)
    return "every table has the columns of this program"


def _owed(settings: Settings) -> Finding:
    """Rows that a repair could not bring back have been made again."""
    lines = owed(settings.home)
    detail = "rows are missing since a repair" if lines else "a repair left nothing to do"
    return Finding("repairs", ok=not lines, detail=detail, hint=f"run `{lines[0]}`" if lines else "")


def _space(settings: Settings) -> Finding:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    return Finding(
        "space",
        ok=free >= MIN_FREE_GIB,
        detail=f"{free:.1f} GiB free at {folder}",
        hint=f"free at least {MIN_FREE_GIB} GiB",
    )
