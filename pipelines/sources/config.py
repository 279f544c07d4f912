"""The settings of the sources: `conf/sources/<source>.yaml`, checked, and the merchant keys of hashed phones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigurationError
from pipelines.sources.base import Settings

MIX_KEYS_FILE = "mix_keys.yaml"


class Bounds(BaseModel):
    """What a feed is expected to bring: records a business day, and the share of them that may be refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = Field(default=0, ge=0, description="Records a day; fewer refuse the batch")
    max: int | None = Field(default=None, ge=0, description="Records a day; more are let in with a warning")
    max_refused_share: float | None = Field(
        default=None, ge=0, le=1, description="In place of ingest.max_refused_share"
    )


class SourceFile(BaseModel):
    """One source's YAML: who owns it, what it feeds, and how its values are read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="Name of the source, equal to the file's name")
    owner: str = Field(description="Who answers for it")
    cadence: str = Field(description="How often it arrives")
    feeds: list[str] = Field(description="Bronze tables it fills")
    namespaces: list[str] = Field(default_factory=list, description="Identifier namespaces it carries")
    context_defaults: dict[str, str] = Field(default_factory=dict, description="Context of lines without a wrapper")
    value_maps: dict[str, dict[str, str]] = Field(default_factory=dict, description="Platform categories to ours")
    ignored: dict[str, str] = Field(default_factory=dict, description="Full field paths left out, with the reason")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the parser")
    bounds: dict[str, Bounds] = Field(default_factory=dict, description="Expected volumes and refusals by feed")


def load_sources(conf: Path) -> dict[str, Settings]:
    """The settings of every source by name; a wrong key names file and key."""
    return {
        file.source: Settings(file.source, file.context_defaults, file.value_maps, file.ignored, file.options)
        for file in _files(conf)
    }


def feed_defaults(conf: Path) -> dict[str, Mapping[str, str]]:
    """What lines without a wrapper take as their context, by feed."""
    return {feed: file.context_defaults for file in _files(conf) for feed in file.feeds}


def load_bounds(conf: Path) -> dict[str, Bounds]:
    """What every feed is expected to bring, by feed; a feed without bounds may bring anything."""
    return {feed: bounds for file in _files(conf) for feed, bounds in sorted(file.bounds.items())}


def load_mix_keys(keys: Path) -> dict[str, str]:
    """The merchants' keys of hashed Tmall phones, `mix_keys.yaml` in the keys folder, by merchant; may be absent."""
    path = keys / MIX_KEYS_FILE
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(content, Mapping):
        raise ConfigurationError(
            "the merchant keys must be a mapping of merchant to key", where=str(path), hint="correct the file"
        )
    return {str(merchant): str(key) for merchant, key in sorted(content.items())}


def _files(conf: Path) -> Iterator[SourceFile]:
    for path in sorted((conf / "sources").glob("*.yaml")):
        file = _read(path)
        if file.source != path.stem:
            raise ConfigurationError(
                f"source {file.source!r} must have the file's name {path.stem!r}",
                where=str(path),
                hint="rename one of them",
            )
        yield file


def _parsed(text: str) -> Any:
    # libyaml's parser: the sources are read at the start of every command, and in Python that takes ten times as long.
    return yaml.load(text, Loader=yaml.CSafeLoader)


def _read(path: Path) -> SourceFile:
    try:
        return SourceFile.model_validate(_parsed(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError:
        raise ConfigurationError("the source file is no valid YAML", where=str(path), hint="correct the file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{key!r}: {first['msg']}", where=str(path), hint="see CONTRIBUTING.md, a new source"
        ) from None
