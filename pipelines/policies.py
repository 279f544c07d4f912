"""The identity policy of a lake and those before it: another one is put in force and taken back as a file."""

from __future__ import annotations

import os
from pathlib import Path

from identity.policy import Policy
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings
from pipelines.store.marks import sync_folder


def policy_path(settings: Settings) -> Path:
    """The file of the policy in force."""
    return settings.conf / settings.identity.policy_file


def read_policy(path: Path) -> Policy:
    """The policy of a file; a missing one is refused with its path. Raises PolicyError, which names the file."""
    if not path.is_file():
        raise ConfigurationError("the policy file is missing", where=str(path), hint="give an existing YAML file")
    return Policy.load(path)


def put_in_force(settings: Settings, other: Path) -> tuple[Policy, Policy]:
    """The policy of a file is the lake's from now on, the one before is kept; gives both, the former first."""
    target = policy_path(settings)
    before, after = read_policy(target), read_policy(other)
    if before.digest() == after.digest():
        raise ConfigurationError("this policy is in force already", where=str(other), hint="change it first")
    kept = settings.home / "policies"
    number = len(list(kept.glob("*.yaml"))) + 1 if kept.is_dir() else 1
    write_durably(kept / f"{number:06d}-{before.digest()}.yaml", target.read_bytes())
    write_durably(target, other.read_bytes())
    return before, after


def write_durably(path: Path, content: bytes) -> None:
    """The file holds the content, whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part")
    with scratch.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.replace(path)
    sync_folder(path.parent)


def take_back(settings: Settings) -> tuple[Policy, Policy]:
    """The policy before the present one is in force again; gives both, the former first."""
    kept = sorted((settings.home / "policies").glob("*.yaml"))
    if not kept:
        raise ConfigurationError(
            "no earlier policy was kept", where=str(settings.home / "policies"), hint="`cdp identity apply` keeps one"
        )
    target = policy_path(settings)
    before, after = read_policy(target), read_policy(kept[-1])
    write_durably(target, kept[-1].read_bytes())
    kept[-1].unlink()
    return before, after
