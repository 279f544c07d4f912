"""Homes, clocks and clients for the tests of the API."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from serving import keys
from serving.operational import default_url, open_store
from serving.store import Snapshot
from tests.serving.client import Api, World
from tests.serving.sample import publish, sample_inputs


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are hashed as weakly as argon2 allows: its cost is not what is tested."""
    monkeypatch.setattr(keys, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


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


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operational store without keys, to be copied."""
    home = tmp_path_factory.mktemp("empty")
    open_store(default_url(home)).dispose()
    return home / "operational.sqlite"


@pytest.fixture
def world(tmp_path: Path, empty_store: Path) -> Iterator[World]:
    """A home where nothing was published yet, with clocks that stand still."""
    shutil.copy(empty_store, tmp_path)
    made = World(tmp_path)
    yield made
    for api in made.apps:
        api.close()


@pytest.fixture
def published(world: World, sample_home: Path) -> World:
    """A home with the sample brand published."""
    shutil.copytree(sample_home, world.home, dirs_exist_ok=True)
    return world


@pytest.fixture(scope="session")
def snapshot(sample_home: Path) -> Iterator[Snapshot]:
    """The sample snapshot, open."""
    opened = Snapshot(sample_home / "snapshots" / "s1" / "serving.sqlite")
    yield opened
    opened.close()
