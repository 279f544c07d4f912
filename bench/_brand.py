"""The brand that programs of this folder measure on: a home with keys and raw data, and `cdp` as a process on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any

from pipelines.demo import MIX_KEYS, START, World, simulate_brand
from pipelines.keys import create_demo_keys
from pipelines.settings import Settings, load_settings

CDP = (sys.executable, "-m", "pipelines.cli")
Output = IO[bytes] | int | None


def settings_of(home: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a brand's home, with what else the environment says."""
    return load_settings(environ={"CDP_HOME": str(home), **(environ or {})}).settings


def make_brand(home: Path, people: int, days: int, *, quiet: bool = False) -> dict[str, Any]:
    """The home holds demo keys, and raw data of so many people and days with its truth; gives counts per feed."""
    create_demo_keys(settings_of(home).keys, MIX_KEYS)
    return simulate_brand(home, World(people, days), (lambda line: None) if quiet else say)


def business_day(number: int) -> date:
    """The brand's first business day, or so many days after it."""
    return date.fromisoformat(START) + timedelta(days=number)


def environment(home: Path) -> dict[str, str]:
    """This process's environment, with the brand's home."""
    return {**os.environ, "CDP_HOME": str(home)}


def start(
    command: Sequence[str], environ: Mapping[str, str], *, out: Output, err: Output, group: bool = False
) -> subprocess.Popen[bytes]:
    """The command runs as a process; `group`: at the head of a group of its own, which can be killed as one."""
    return subprocess.Popen(command, env=environ, stdout=out, stderr=err, start_new_session=group)


def say(line: str) -> None:
    """A line of progress, seen at once also where stdout is a file."""
    print(line, flush=True)
