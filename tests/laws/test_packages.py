"""What is installed is pinned byte for byte, from wherever the machine gets its packages."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

from pipelines.setup import jars
from tests.laws.code import ROOT

HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("registry", "npmjs", "org"),
        ("npmmirror", "com"),
        ("mirrors", "aliyun", "com"),
        ("tuna", "tsinghua", "edu", "cn"),
        ("repos", "spark-packages", "org"),
        ("proxy", "golang", "org"),
        ("conda", "anaconda", "org"),
        ("packages", "jetbrains", "team"),
    )
)
"""Usual package hosts, in pieces so that this file names none."""

INDEX_OPTIONS = ("index-url", "find-links", "trusted-host", "--index", "@ http")
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(\[[^\]]*\])?==([^\s\\;]+)", re.MULTILINE)
WANTED = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?(?:==(\S+))?")


def package(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def pins() -> dict[str, str]:
    return {package(name): version for name, _, version in PIN.findall(lock())}


def wanted() -> dict[str, str]:
    """Every package of requirements.in with the version it asks for, if it asks for one."""
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    matches = (WANTED.match(line) for line in lines if line and not line.startswith("#"))
    return {package(match[1]): match[2] or "" for match in matches if match}


def tracked_files() -> list[Path]:
    """Every file of the product: what git knows, or what lies in an unpacked archive."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    away = {".venv", ".cache", ".git", "data", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not away & set(path.relative_to(ROOT).parts)]


def hosts_in(text: str) -> list[str]:
    return [host for host in HOSTS if host in text.lower()]


def test_every_wanted_package_is_pinned() -> None:
    assert sorted(set(wanted()) - set(pins())) == []


def test_a_version_that_is_asked_for_is_the_pinned_one() -> None:
    asked = {name: version for name, version in wanted().items() if version}
    assert asked == {name: pins()[name] for name in asked}


def test_every_pin_carries_a_digest() -> None:
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", lock())
    assert [block.split()[0] for block in blocks if PIN.match(block) and "--hash=sha256:" not in block] == []


def test_the_lock_names_no_index() -> None:
    lines = [line for line in lock().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines for option in INDEX_OPTIONS if option in line] == []


def test_the_delta_jars_and_the_delta_package_are_of_one_version() -> None:
    assert pins()["delta-spark"] == jars.VERSION


def test_the_type_checker_knows_the_python_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["mypy"]["python_version"] == "3.11"
    assert "python3.11" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_file_names_a_package_host() -> None:
    named = []
    for path in tracked_files():
        for host in hosts_in(path.read_text(encoding="utf-8", errors="ignore")):
            named.append(f"{path.relative_to(ROOT)}: {host}")
    assert named == []


def test_a_javascript_lock_has_no_addresses() -> None:
    for path in (file for file in tracked_files() if file.name == "package-lock.json"):
        packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
        assert [name for name, entry in packages.items() if "resolved" in entry] == [], path


@pytest.mark.parametrize("host", HOSTS)
def test_a_planted_host_is_found(host: str) -> None:
    assert hosts_in(f"pip install --index-url https://{host.upper()}/simple") == [host]
