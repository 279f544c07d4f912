"""Checks of the machine and the lake before work: each says what it found and what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass

from identity.errors import IdentityError
from identity.policy import Policy
from pipelines.errors import CdpError
from pipelines.keys import load_keys
from pipelines.migrate import refuse_other_schemas
from pipelines.rebuilding import owed
from pipelines.settings import Settings
from pipelines.setup.jars import jar_paths
from pipelines.setup.java import java_home
from pipelines.sources.config import load_sources
from pipelines.verify import refuse_damage

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
