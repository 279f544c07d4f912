"""Settings of a run: one frozen typed object, layered from YAML files and the environment, loaded once.

Layers, later ones win: `conf/base.yaml`, `conf/<env>.yaml` (env from CDP_ENV), the file given with `--config`, and the
environment (`CDP_HOME`, or `CDP_SPARK__MEMORY` for nested keys). No other module reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigurationError

PREFIX = "CDP_"
RESERVED = {"CDP_ENV", "CDP_CONF", "CDP_CACHE", "CDP_IDENTITY_KEY"}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SparkSettings(_Frozen):
    """How the Spark session is started."""

    master: str = Field("local[2]", description="Spark master URL")
    memory: str = Field("6g", description="Memory of the driver JVM (in local mode: of everything)")
    shuffle_partitions: int = Field(4, ge=1, description="Shuffle partitions before adaptive coalescing")


class IngestSettings(_Frozen):
    """How raw files are read and bounded."""

    in_process_bytes: int = Field(
        256 * 1024 * 1024,
        ge=0,
        description="Bytes of landing below which a run computes in this process, without a JVM; 0: never",
    )
    in_process_rows: int = Field(
        2_000_000,
        ge=0,
        description="Rows of one table up to which facts are merged, and what follows computed, in process",
    )
    chunk_bytes: int = Field(32 * 1024 * 1024, ge=1024, description="Bytes of one file that one task reads")
    max_refused_share: float = Field(0.05, ge=0, le=1, description="Refused share above which a batch fails as a whole")
    min_refused_rows: int = Field(20, ge=0, description="Refused records a batch may have whatever their share")
    max_line_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="Longest line that is read")


class IdentitySettings(_Frozen):
    """How identities are stitched."""

    policy_file: str = Field("identity.yaml", description="Policy file inside the configuration folder")
    distributed_above_edges: int = Field(50_000_000, ge=0, description="Edges above which components run distributed")


class ServingSettings(_Frozen):
    """Where the API listens and what it allows."""

    host: str = Field("127.0.0.1", description="Address the API binds to")
    port: int = Field(8080, ge=1, le=65535, description="Port the API binds to")
    operational_url: str | None = Field(None, description="Store of API keys (SQLAlchemy URL); default: SQLite")
    max_body_bytes: int = Field(65_536, ge=1_024, description="Longest request body")
    max_lookups: int = Field(100, ge=1, le=1_000, description="Identifiers in one look-up")
    rate_per_minute: int = Field(6_000, ge=1, description="Requests per minute and key without a limit of its own")
    failures_per_minute: int = Field(30, ge=1, description="Refused keys per minute and address")
    smallest_group: int = Field(10, ge=2, description="Groups of fewer people are counted as `<n` and not sampled")


class QualitySettings(_Frozen):
    """What is looked at before a run publishes, beside the declared checks."""

    data_docs: bool = Field(True, description="Whether runs hold their days to suites and write Data Docs")
    max_rows: int = Field(100_000, ge=1, description="Rows of one table that a suite looks at")


class PublishSettings(_Frozen):
    """Snapshots that stay for rollback."""

    keep: int = Field(5, ge=1, description="Snapshots kept for rollback")


class VacuumSettings(_Frozen):
    """What `cdp vacuum` leaves alone, beside what kept snapshots pin."""

    keep_hours: float = Field(168, ge=0, description="Hours for which files of replaced versions stay readable")


class RetentionSettings(_Frozen):
    """After how many business days rows go with `cdp retention`; null keeps them."""

    bronze_days: int | None = Field(1095, ge=1, description="Days that raw records and landing folders stay")
    quarantine_days: int | None = Field(180, ge=1, description="Days that refused records stay")
    events_days: int | None = Field(730, ge=1, description="Days that behaviour (silver.events) stays")


class Settings(_Frozen):
    """Every setting with its safe default; paths are absolute."""

    env: str = Field("local", description="Name of the environment layer")
    home: Path = Field(Path("data"), description="CDP_HOME: lake, landing, keys, snapshots")
    conf: Path = Field(Path("conf"), description="Configuration folder")
    keys_dir: Path | None = Field(None, description="Folder of the keys; default: `keys` under the home")
    landing_dir: Path | None = Field(None, description="Landing folder; default: `landing` under the home")
    clock: str | None = Field(None, description="Fixed time (RFC 3339) instead of the machine's clock")
    spark: SparkSettings = Field(default_factory=SparkSettings)  # type: ignore[arg-type]  # all fields have defaults
    ingest: IngestSettings = Field(default_factory=IngestSettings)  # type: ignore[arg-type]
    identity: IdentitySettings = Field(default_factory=IdentitySettings)  # type: ignore[arg-type]
    serving: ServingSettings = Field(default_factory=ServingSettings)  # type: ignore[arg-type]
    quality: QualitySettings = Field(default_factory=QualitySettings)  # type: ignore[arg-type]
    publish: PublishSettings = Field(default_factory=PublishSettings)  # type: ignore[arg-type]
    vacuum: VacuumSettings = Field(default_factory=VacuumSettings)  # type: ignore[arg-type]
    retention: RetentionSettings = Field(default_factory=RetentionSettings)  # type: ignore[arg-type]

    @property
    def keys(self) -> Path:
        """The folder of the keys, outside the lake."""
        return self.keys_dir or self.home / "keys"

    @property
    def landing(self) -> Path:
        """The landing folder: `<feed>/<interval>/*.jsonl`."""
        return self.landing_dir or self.home / "landing"

    @property
    def lake(self) -> Path:
        """The folder of the Delta tables: `<layer>/<table>`."""
        return self.home / "lake"


@dataclass(frozen=True)
class LoadedSettings:
    """The settings and, per dotted key, the layer each value came from."""

    settings: Settings
    origins: Mapping[str, str]


def find_conf(environ: Mapping[str, str]) -> Path:
    """The configuration folder: CDP_CONF, else `conf` here, else the one shipped with the package."""
    if environ.get("CDP_CONF"):
        return Path(environ["CDP_CONF"]).resolve()
    here = Path("conf")
    package = Path(__file__).resolve().parent
    for candidate in (here, package.parent / "conf", package / "_conf"):
        if (candidate / "base.yaml").is_file():
            return candidate.resolve()
    raise ConfigurationError(
        "no configuration folder was found; expected one with base.yaml",
        where=str(here.resolve()),
        hint="run cdp from the project's folder or set CDP_CONF",
    )


def load_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """The layered settings with the origin of each value.

    Raises ConfigurationError that names the key, what was found and what is allowed.
    """
    environ = os.environ if environ is None else environ
    conf = find_conf(environ)
    env = environ.get("CDP_ENV", "local")
    layers: list[tuple[str, Mapping[str, Any]]] = [("conf/base.yaml", _read_yaml(conf / "base.yaml"))]
    layers.append((f"conf/{env}.yaml", _env_layer(conf, env)))
    if config is not None:
        layers.append((str(config), _read_yaml(config)))
    layers.append(("environment", _from_environment(environ)))
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, layer in layers:
        _merge(merged, layer, origins=origins, origin=name)
    merged.setdefault("conf", str(conf))
    merged["env"] = env
    return LoadedSettings(_validated(merged), origins)


def _env_layer(conf: Path, env: str) -> Mapping[str, Any]:
    path = conf / f"{env}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in conf.glob("*.yaml") if p.stem in {"local", "test", "prod"})
        raise ConfigurationError(
            f"CDP_ENV names the environment {env!r}, which has no file; known: {', '.join(known)}",
            where=str(path),
            hint="set CDP_ENV to a known name or add the file",
        )
    return _read_yaml(path)


def _validated(merged: Mapping[str, Any]) -> Settings:
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"setting {key!r}: {first['msg']}", where=key, hint="see `cdp config show` for every key with its meaning"
        ) from None
    absolute = {name: getattr(settings, name) for name in ("home", "conf", "keys_dir", "landing_dir")}
    return settings.model_copy(update={name: path.resolve() for name, path in absolute.items() if path is not None})


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    except OSError as error:
        raise ConfigurationError(
            f"the configuration file cannot be read: {error.strerror}",
            where=str(path),
            hint="check the path and its rights",
        ) from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f"line {place.line + 1}" if place else "unknown line"
        raise ConfigurationError(
            "the configuration file is no valid YAML", where=f"{path}, {line}", hint="correct the file"
        ) from None
    if not isinstance(loaded, dict):
        raise ConfigurationError(
            "the configuration file must hold a mapping of keys", where=str(path), hint="correct the file"
        )
    return loaded


def _from_environment(environ: Mapping[str, str]) -> Mapping[str, Any]:
    tree: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED:
            continue
        parts = name[len(PREFIX) :].lower().split("__")
        if len(parts) == 1 and parts[0] not in Settings.model_fields:
            continue
        node = tree
        for part in parts[:-1]:
            node = node.setdefault(part, {})
        node[parts[-1]] = environ[name]
    return tree


def api_environment(settings: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the API's process: this one's, with the settings under `serving` whatever layer they are from.

    They go by the environment because the command line of a process is everybody's to read.
    """
    given = settings.serving.model_dump(exclude={"host", "port"}, exclude_none=True)
    named = {f"{PREFIX}SERVING__{name.upper()}": str(value) for name, value in given.items()}
    return {**(os.environ if environ is None else environ), **named}


def _merge(
    target: dict[str, Any], layer: Mapping[str, Any], *, origins: dict[str, str], origin: str, prefix: str = ""
) -> None:
    for key, value in layer.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            _merge(target[key], value, origins=origins, origin=origin, prefix=f"{dotted}.")
        elif isinstance(value, Mapping):
            target[key] = {}
            _merge(target[key], value, origins=origins, origin=origin, prefix=f"{dotted}.")
        else:
            target[key] = value
            origins[dotted] = origin
