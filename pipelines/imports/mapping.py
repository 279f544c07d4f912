"""A mapping file: which heading of an export is which field, and what the file does not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigurationError
from pipelines.imports.cells import BLANK
from pipelines.imports.members import MEMBER_FIELDS
from pipelines.sources.orders_file import ROW_FIELDS

FIELDS: Mapping[str, tuple[str, ...]] = {"orders_file": ROW_FIELDS, "observations": MEMBER_FIELDS}
"""Fields that a mapping of each feed may fill."""

KEYS: Mapping[str, str] = {"orders_file": "order_id", "observations": "member_id"}
"""The field of each feed that a mapping must fill."""

CONTEXT_KEYS = ("platform", "app_key", "shop_id", "seller_nick", "brand", "corp_id", "app_id", "open_platform_id")
FOLDER = "mappings"


class ImportMapping(BaseModel):
    """A mapping file: which heading of the export is which field of a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mapping: str = Field(description="Name of the mapping")
    feed: Literal["orders_file", "observations"] = Field("orders_file", description="Order lines, or a member list")
    holds: list[Literal["orders", "lines"]] = Field(
        ["orders", "lines"], description="What the export tells of: whole orders, or their lines alone, or both"
    )
    columns: dict[str, str | list[str]] = Field(description="Field -> heading of the export, or headings it may have")
    optional: list[str] = Field(default_factory=list, description="Fields whose heading an export may lack")
    constants: dict[str, str] = Field(default_factory=dict, description="Fields with one value for all rows")
    values: dict[str, dict[str, str]] = Field(default_factory=dict, description="Field -> value in the file -> value")
    fill_down: list[str] = Field(default_factory=list, description="Fields that merged cells leave empty below")
    blank: list[str] = Field(list(BLANK), description="Cells that say that there is nothing")
    ignored: list[str] = Field(
        default_factory=list, description="Headings that are left out of the lake; `*` in one stands for anything"
    )
    sheet: str | None = Field(None, description="Sheet of a workbook; default: all that have the headings")
    context: dict[str, str] = Field(default_factory=dict, description="Landing context: brand, shop_id, ...")

    @property
    def key(self) -> str:
        """The field that every row must have: the order's or the member's number."""
        return KEYS[self.feed]

    @property
    def needed(self) -> list[str]:
        """The headings that every export must have."""
        return [" or ".join(self.headings(field)) for field in self.columns if field not in self.optional]

    def ignores(self, heading: str) -> bool:
        """Whether a column is left out; the number of a heading that stands more than once does not count."""
        name = heading.partition("#")[0]
        return any(fnmatchcase(name, pattern) for pattern in self.ignored)

    def headings(self, field: str) -> tuple[str, ...]:
        """The headings that the field may have in an export, the usual one first."""
        stated = self.columns[field]
        return (stated,) if isinstance(stated, str) else tuple(stated)


def load_mapping(path: Path) -> ImportMapping:
    """The mapping of a file; a wrong or unknown field is named."""
    try:
        mapping = ImportMapping.model_validate(
            yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        )
    except OSError as error:
        raise ConfigurationError(
            f"the mapping cannot be read: {error.strerror}", where=str(path), hint="check the path"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigurationError("the mapping is no valid YAML", where=str(path), hint="correct the file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{key!r}: {first['msg']}", where=str(path), hint="correct the mapping") from None
    for problem in _problems(mapping):
        raise ConfigurationError(problem, where=str(path), hint="correct the mapping")
    return mapping


def find_mapping(given: Path, conf: Path) -> Path:
    """The mapping file itself, or the ready one of that name in the configuration folder."""
    if given.is_file() or given.suffix or len(given.parts) > 1:
        return given
    ready = conf / FOLDER / f"{given}.yaml"
    if ready.is_file():
        return ready
    known = ", ".join(sorted(path.stem for path in (conf / FOLDER).glob("*.yaml"))) or "none"
    raise ConfigurationError(
        f"there is no mapping {str(given)!r}; ready ones: {known}",
        where=str(conf / FOLDER),
        hint="`cdp ingest --feed orders_file --guess FILE` proposes one",
    )


def with_context(mapping: ImportMapping, given: Mapping[str, str]) -> ImportMapping:
    """The mapping with parts of its context replaced."""
    return mapping.model_copy(update={"context": {**mapping.context, **given}})


def parse_context(pairs: list[str]) -> dict[str, str]:
    """`KEY=VALUE` pairs of the command line; an unknown key is refused with the known ones.

    >>> parse_context(["shop_id=4463798"])
    {'shop_id': '4463798'}
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not value or key not in CONTEXT_KEYS:
            raise ConfigurationError(
                f"{pair.partition('=')[0]!r} is no KEY=VALUE of the context; known keys: {', '.join(CONTEXT_KEYS)}",
                where="--context",
                hint="for example --context shop_id=4463798",
            )
        found[key] = value
    return found


def _problems(mapping: ImportMapping) -> Iterator[str]:
    known = FIELDS[mapping.feed]
    named: dict[str, Any] = {**mapping.columns, **mapping.constants, **mapping.values}
    unknown = sorted({*named, *mapping.fill_down, *mapping.optional} - set(known))
    if unknown:
        yield f"unknown field {unknown[0]!r}; known fields: {', '.join(known)}"
    if mapping.key not in mapping.columns:
        yield f"no column for {mapping.key!r}, which every row needs"
    foreign = sorted(set(mapping.context) - set(CONTEXT_KEYS))
    if foreign:
        yield f"unknown key {foreign[0]!r} in context; known keys: {', '.join(CONTEXT_KEYS)}"
    if not mapping.holds:
        yield "holds is empty; expected orders, lines or both"
