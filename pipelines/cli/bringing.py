"""What `cdp ingest` and `cdp run` do before anything is read: pushes collected, mappings found or proposed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.cli.common import say, show
from pipelines.errors import CdpError, ConfigurationError, ExitCode
from pipelines.jobs.landing import check_feed
from pipelines.settings import Settings
from serving.contract.spool import collect

if TYPE_CHECKING:
    from pipelines.imports.mapping import ImportMapping


def collect_pushes(settings: Settings) -> int:
    """What the platforms pushed lies in the landing; the number of files it became."""
    try:
        files = _collected(settings)
    except OSError as error:
        raise CdpError(
            ExitCode.STORAGE,
            f"pushes cannot be moved to the landing: {error.strerror}",
            where=str(settings.landing),
            hint="make room or mend the rights, then run again: nothing was lost",
        ) from None
    if files:
        say(f"{len(files)} files of pushes came to the landing")
    return len(files)


def _collected(settings: Settings) -> tuple[Path, ...]:
    try:
        return collect(settings.home, settings.landing)
    except FileNotFoundError:  # a pull collects at the same time and was faster with one file
        return collect(settings.home, settings.landing)


def read_mapping(settings: Settings, given: Path | None, context: list[str]) -> ImportMapping | None:
    """The mapping named on the command line, its context completed by the command line's and the defaults of the
    source; None where none is named."""
    from pipelines.imports.mapping import find_mapping, load_mapping, parse_context, with_context
    from pipelines.sources import FEED_PARSERS
    from pipelines.sources.config import load_sources

    stated = parse_context(context)
    if given is None:
        if stated:
            raise ConfigurationError(
                "a context without a mapping: landing files carry their own",
                where="--context",
                hint="add --mapping, or state the context in the files",
            )
        return None
    mapping = load_mapping(find_mapping(given, settings.conf))
    defaults = load_sources(settings.conf)[FEED_PARSERS[mapping.feed].source].context_defaults
    return with_context(mapping, {**defaults, **mapping.context, **stated})


def feed_of(given: str | None, mapping: ImportMapping | None) -> str:
    """The feed to read: the one named, which must be the mapping's where there is one."""
    if given is None and mapping is None:
        raise ConfigurationError(
            "no feed is named", where="--feed", hint="add --feed FEED, or --mapping NAME for a table export"
        )
    if given is not None and mapping is not None and given != mapping.feed:
        raise ConfigurationError(
            f"the mapping {mapping.mapping} is for feed {mapping.feed}, not {given}",
            where="--feed",
            hint=f"use --feed {mapping.feed}",
        )
    return check_feed(given or (mapping.feed if mapping is not None else ""))


def propose_mapping(settings: Settings, paths: list[Path], output: Path | None, *, as_json: bool) -> None:
    """A mapping proposed for a table file is shown, or written; an existing file is never replaced."""
    from pipelines.imports.guess import guess

    if len(paths) != 1 or not paths[0].is_file():
        raise ConfigurationError(
            "--guess looks at one file", where=str(paths[0]), hint="cdp ingest --guess FILE [--output MAPPING.yaml]"
        )
    made = guess(paths[0], settings.conf)
    text = made.as_yaml()
    if output is None:
        show(made.mapping.model_dump(), as_json=as_json, text=text.rstrip("\n"))
        return
    if output.exists():
        raise ConfigurationError(
            "the file is there already and is not replaced", where=str(output), hint="name another one with --output"
        )
    output.write_text(text, encoding="utf-8")
    command = f"cdp ingest --feed {made.mapping.feed} --mapping {output} {paths[0]}"
    show({"mapping": str(output), "next": command}, as_json=as_json, text=f"wrote {output}; check it, then: {command}")
