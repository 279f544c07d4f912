"""Readers see one whole snapshot or the one before; damage and absence are said, never guessed around."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError, ExitCode, IntegrityError
from pipelines.publish import CURRENT, Manifest, build_manifest, current, load_manifest, publish, rollback, snapshots
from tests.pipelines.published import SHOPS, build_file, publish_run, shop, write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path, SHOPS, [shop("1"), shop("2")])
    return tmp_path


def present(home: Path) -> Manifest:
    manifest = current(home)
    assert manifest is not None
    return manifest


def test_before_the_first_publish_there_is_no_snapshot(tmp_path: Path) -> None:
    assert current(tmp_path) is None
    assert snapshots(tmp_path) == []


def test_the_manifest_names_version_rows_and_digests_of_each_published_table(home: Path) -> None:
    write(home, "ops.batches", [])
    publish_run(home, 1)
    tables = present(home).tables
    commit = home / "lake" / "gold" / "dim_shop" / "_delta_log" / f"{1:020d}.json"
    assert list(tables) == [SHOPS]
    assert (tables[SHOPS]["version"], tables[SHOPS]["rows"]) == (1, 2)
    assert tables[SHOPS]["commit_sha256"] == hashlib.sha256(commit.read_bytes()).hexdigest()


def test_a_table_that_was_created_and_never_filled_is_published_as_empty(home: Path) -> None:
    write(home, "gold.dim_group", [])
    assert build_manifest(home, "r000001", "2025-03-01").tables["gold.dim_group"]["rows"] == 0


def test_the_manifest_of_one_state_is_the_same_text(home: Path) -> None:
    one, two = (build_manifest(home, "r000001", "2025-03-01").to_json() for _ in "12")
    assert one == two


def test_publishing_the_same_state_again_builds_nothing(home: Path) -> None:
    name = publish_run(home, 1)

    def never(folder: Path, manifest: Manifest) -> None:
        raise AssertionError("built again")

    publish(home, load_manifest(home, name), never, 5)
    assert snapshots(home) == [name]


def test_a_changed_table_is_another_snapshot(home: Path) -> None:
    first = publish_run(home, 1)
    write(home, SHOPS, [shop("3")])
    second = publish_run(home, 2)
    assert snapshots(home) == [first, second]
    assert present(home).tables[SHOPS]["rows"] == 3


def test_a_publish_that_breaks_off_leaves_the_old_snapshot(home: Path) -> None:
    first = publish_run(home, 1)
    write(home, SHOPS, [shop("3")])

    def break_off(folder: Path, manifest: Manifest) -> None:
        build_file(folder, manifest)
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        publish(home, build_manifest(home, "r000002", "2025-03-02"), break_off, 5)
    assert present(home).snapshot_id == first
    assert snapshots(home) == [first]


def test_what_a_broken_publish_left_is_cleared_by_the_next(home: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        publish(home, build_manifest(home, "r000001", "2025-03-01"), lambda folder, manifest: 1 // 0 and None, 5)
    publish_run(home, 2)
    assert [path.name for path in (home / "snapshots").iterdir()] == [present(home).snapshot_id]


def test_snapshots_beyond_the_bound_go_and_the_newest_stay(home: Path) -> None:
    names = [publish_run(home, number, keep=2) for number in (1, 2, 3)]
    assert snapshots(home) == names[1:]


def test_the_present_snapshot_stays_whatever_the_bound(home: Path) -> None:
    first, second = publish_run(home, 1), publish_run(home, 2)
    rollback(home)
    publish(home, load_manifest(home, first), build_file, 1)
    assert first in snapshots(home)
    assert second in snapshots(home)


def test_rollback_goes_one_snapshot_back_each_time(home: Path) -> None:
    first, second, _ = (publish_run(home, number) for number in (1, 2, 3))
    assert [rollback(home), rollback(home)] == [second, first]
    assert present(home).snapshot_id == first


def test_without_an_earlier_snapshot_rollback_is_refused(home: Path) -> None:
    publish_run(home, 1)
    with pytest.raises(ConfigurationError, match="no earlier snapshot"):
        rollback(home)


def test_rollback_before_the_first_publish_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no earlier snapshot"):
        rollback(tmp_path)


@pytest.mark.parametrize("text", ["", "nothing\n", "../..\n", "\u00e9\n", "\x00"])
def test_a_damaged_pointer_is_an_integrity_failure(home: Path, text: str) -> None:
    publish_run(home, 1)
    (home / CURRENT).write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError, match="missing or damaged") as caught:
        current(home)
    assert (caught.value.code, "repair" in caught.value.hint) == (ExitCode.INTEGRITY, True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"snapshot_id": "x"}'])
def test_a_damaged_manifest_is_named(home: Path, text: str) -> None:
    name = publish_run(home, 1)
    path = home / "snapshots" / name / "manifest.json"
    path.write_text(text)
    with pytest.raises(IntegrityError) as caught:
        current(home)
    assert caught.value.where == str(path)


def recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk and what becomes visible, in order: `fsync PATH`, `rename PATH`, relative to the home."""
    steps: list[str] = []
    fsync, replace, rename = os.fsync, os.replace, Path.rename

    def told_fsync(descriptor: int) -> None:
        steps.append(f"fsync {os.path.relpath(os.readlink(f'/proc/self/fd/{descriptor}'), home)}")
        fsync(descriptor)

    def told_replace(source: Path, target: Path) -> None:
        steps.append(f"rename {os.path.relpath(target, home)}")
        replace(source, target)

    def told_rename(source: Path, target: Path) -> Path:
        steps.append(f"rename {os.path.relpath(target, home)}")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(os, "replace", told_replace)
    monkeypatch.setattr(os, "sync", lambda: steps.append("sync"))
    monkeypatch.setattr(Path, "rename", told_rename)
    return steps


def test_everything_is_on_disk_before_it_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, SHOPS, [shop("1")])
    steps = recorded(tmp_path, monkeypatch)
    name = publish_run(tmp_path, 1)
    partial = f"snapshots/.{name}.partial"
    shown = [step for step in steps if "backup" not in step]
    assert shown == [
        f"fsync {partial}/inventory.json",
        "sync",
        f"fsync {partial}/manifest.json",
        f"fsync {partial}",
        f"rename snapshots/{name}",
        "fsync snapshots",
        "fsync .CURRENT.new",
        "rename CURRENT",
        "fsync .",
    ]
    copies = [number for number, step in enumerate(steps) if "backup" in step]
    assert copies
    assert [steps[number] for number in copies if number > steps.index("rename CURRENT")] == ["rename backup/CURRENT"]
