"""Homes, clocks and clients for the tests of the API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.store import Snapshot
from tests.serving.client import Api, World
from tests.serving.sample import publish, sample_inputs


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing to disk is left out: it proves nothing here and waits for whatever else the machine writes."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample brand published; not to be changed."""
    home = tmp_path_factory.mktemp("sample")
    publish(home, sample_inputs())
    return home


@pytest.fixture(scope="session")
def sample_api(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API over the sample brand, asked with a key that may do everything; not to be exhausted."""
    store = tmp_path_factory.mktemp("store") / "operational.sqlite"
    world = World(sample_home, settings={"operational_url": f"sqlite:///{store}", "rate_per_minute": 1_000_000})
    api = world.api()
    yield api
    api.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty home with clocks that stand still."""
    made = World(tmp_path)
    yield made
    for api in made.apps:
        api.close()


@pytest.fixture
def published(world: World) -> World:
    """A home with the sample brand published."""
    publish(world.home, sample_inputs())
    return world


@pytest.fixture(scope="session")
def snapshot(sample_home: Path) -> Iterator[Snapshot]:
    """The sample snapshot, open."""
    opened = Snapshot(sample_home / "snapshots" / "s1" / "serving.sqlite")
    yield opened
    opened.close()
