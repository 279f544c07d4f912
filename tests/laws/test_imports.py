"""Imports go one way, so that pure rules stay pure and the API never waits for a JVM."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.laws.code import PACKAGES, Module, at, module, modules, report

ALLOWED = {
    "identity": ("identity",),
    "features": ("features",),
    "serving": ("serving", "identity"),
    "pipelines": ("pipelines", "identity", "features", "serving.contract"),
}
"""What each package may import of ours."""

FOREIGN = {
    "identity": ("pyspark", "delta", "sqlite3", "sqlalchemy", "httpx", "requests", "fastapi"),
    "serving": ("pyspark", "delta", "great_expectations"),
}
"""What no module of a package may import: the identity domain has no session and no I/O, the API no JVM."""

QUALITY_HOME = ("pipelines.quality",)


def imported(source: Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = source.name.split(".")[: -node.level] if node.level < source.name.count(".") + 2 else []
                base = ".".join([*parts, *([base] if base else [])])
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)


def within(name: str, homes: tuple[str, ...]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def wrong_ways(source: Module) -> list[str]:
    found = []
    for node, name in imported(source):
        ours = name.partition(".")[0] in PACKAGES
        if ours and not within(name, ALLOWED[source.package]):
            found.append(f"{at(source, node)} imports {name}; {source.package} may import {ALLOWED[source.package]}")
        if within(name, FOREIGN.get(source.package, ())):
            found.append(f"{at(source, node)} imports {name}, which has no place in {source.package}")
        if within(name, ("great_expectations",)) and not source.inside(*QUALITY_HOME):
            found.append(f"{at(source, node)} imports {name}; only {QUALITY_HOME[0]} may")
    return found


def test_every_import_goes_the_allowed_way() -> None:
    report([wrong for source in modules() for wrong in wrong_ways(source)])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("identity.x", "from features import rfm"),
        ("identity.x", "def f():\n    import pyspark"),
        ("features.x", "import identity.normalise"),
        ("serving.x", "from pipelines.settings import Settings"),
        ("serving.x.y", "from pyspark.sql import functions"),
        ("pipelines.x", "from serving.app import create_app"),
        ("pipelines.x", "from serving import snapshot"),
        ("pipelines.jobs.x", "import great_expectations as gx"),
    ],
)
def test_a_planted_wrong_import_is_found(name: str, text: str) -> None:
    assert len(wrong_ways(module(name, text))) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pipelines.x", "from serving.contract import Manifest"),
        ("pipelines.x", "from serving import contract"),
        ("serving.x", "from identity.normalise import phone"),
        ("features.x", "from pyspark.sql import functions as F"),
        ("pipelines.quality.x", "import great_expectations"),
    ],
)
def test_an_allowed_import_is_let_through(name: str, text: str) -> None:
    assert wrong_ways(module(name, text)) == []
