"""Every small file that a kept snapshot needs has a copy, and nothing else has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.backup import bring_back, log_copy, pointer_copy, snapshot_copy
from pipelines.publish import pointed, snapshots
from pipelines.store.inventory import digest_of
from tests.pipelines.damaging import empty, log, manifest
from tests.pipelines.published import SHOPS, publish_run, shop, write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path, SHOPS, [shop("1")])
    publish_run(tmp_path, 1)
    return tmp_path


def test_logs_manifest_inventory_and_pointer_have_copies(home: Path) -> None:
    name = pointed(home) or ""
    for version in (0, 1):
        original = log(home, version)
        assert log_copy(home, SHOPS, original.name).read_bytes() == original.read_bytes()
    assert (snapshot_copy(home, name) / "manifest.json").read_bytes() == manifest(home).read_bytes()
    assert (snapshot_copy(home, name) / "inventory.json").is_file()
    assert pointer_copy(home).read_text().strip() == name


def test_copies_of_snapshots_that_went_go_too(home: Path) -> None:
    for number in (2, 3):
        write(home, SHOPS, [shop(str(number))])
        publish_run(home, number, keep=1)
    assert sorted(path.name for path in (home / "backup" / "snapshots").iterdir()) == snapshots(home)


def test_copies_stay_while_a_snapshot_cannot_say_what_it_needs(home: Path) -> None:
    name = pointed(home) or ""
    empty(manifest(home))
    write(home, SHOPS, [shop("2")])
    publish_run(home, 2)
    assert (snapshot_copy(home, name) / "manifest.json").stat().st_size > 0


def test_a_damaged_log_file_never_becomes_the_copy(home: Path) -> None:
    write(home, SHOPS, [shop("2")])
    before = log_copy(home, SHOPS, log(home).name).read_bytes()
    log(home).write_bytes(log(home).read_bytes() + b"\n")
    publish_run(home, 2)
    assert log_copy(home, SHOPS, log(home).name).read_bytes() == before


def test_a_copy_of_other_content_brings_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("other")
    (tmp_path / "target").write_text("damaged")
    assert not bring_back(tmp_path / "copy", tmp_path / "target", "0" * 64)
    assert (tmp_path / "target").read_text() == "damaged"


def test_a_copy_brings_the_content_back(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("good")
    assert bring_back(tmp_path / "copy", tmp_path / "new" / "target", digest_of(tmp_path / "copy"))
    assert (tmp_path / "new" / "target").read_text() == "good"
