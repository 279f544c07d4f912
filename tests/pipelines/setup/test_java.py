"""A suitable Java is found wherever it lies; an unsuitable one is named with the way to a suitable one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import CdpError, ExitCode
from pipelines.setup.java import candidates, choose_java, probe


def fake_java(folder: Path, *, version: str = "17.0.9", status: int = 0) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {status}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_the_version_is_read_from_the_banner(tmp_path: Path) -> None:
    assert probe(fake_java(tmp_path, version="21.0.1")) == 21


def test_a_java_without_the_vector_module_does_not_count(tmp_path: Path) -> None:
    assert probe(fake_java(tmp_path, status=1)) is None


def test_a_program_that_is_not_there_does_not_count(tmp_path: Path) -> None:
    assert probe(tmp_path / "bin" / "java") is None


def test_the_first_supported_java_wins(tmp_path: Path) -> None:
    programs = [fake_java(tmp_path / name, version=version) for name, version in (("a", "11.0.2"), ("b", "17.0.1"))]
    assert choose_java(programs) == tmp_path / "b"


def test_java_home_is_tried_before_the_path_and_the_system_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = fake_java(tmp_path / "path")
    in_system = fake_java(tmp_path / "jvm" / "java-17")
    monkeypatch.setenv("PATH", str(on_path.parent))
    found = candidates(str(tmp_path / "home"), tmp_path / "jvm")
    assert found == [tmp_path / "home" / "bin" / "java", on_path, in_system]


def test_an_unsupported_java_is_named_with_the_install_command(tmp_path: Path) -> None:
    with pytest.raises(CdpError, match=r"needs Java 17 or 21, found: .*version 25") as caught:
        choose_java([fake_java(tmp_path, version="25.0.1")])
    assert caught.value.code == ExitCode.USAGE
    assert "apt-get install openjdk-17-jre-headless" in caught.value.hint


def test_no_java_at_all_is_said_so() -> None:
    with pytest.raises(CdpError, match="no java at all"):
        choose_java([])
