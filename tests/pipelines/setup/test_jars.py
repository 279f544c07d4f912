"""Only the pinned jars are used: what is missing, changed or unreachable is refused with the next step."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pipelines.errors import CdpError, ExitCode
from pipelines.setup import jars

CONTENT = b"a jar"
NAME = "delta-storage-4.4.0.jar"


@pytest.fixture
def one_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A single pinned jar; gives the empty cache folder."""
    pins = tmp_path / "pins"
    pins.write_text(f"{hashlib.sha256(CONTENT).hexdigest()}  {NAME}\n", encoding="ascii")
    monkeypatch.setattr(jars, "PINS", pins)
    return tmp_path / "cache"


@pytest.fixture
def fetcher(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A repository that serves the pinned content; gives the settings of each attempt."""
    attempts: list[list[str]] = []

    def serve(settings: list[str], scratch: Path) -> str:
        attempts.append(settings)
        home = Path(settings[0].partition("=")[2])
        (home / "jars").mkdir(parents=True)
        (home / "jars" / f"io.delta_{NAME}").write_bytes(CONTENT)
        return ""

    monkeypatch.setattr(jars, "_run_ivy", serve)
    return attempts


def put(cache: Path, content: bytes) -> None:
    (cache / "jars").mkdir(parents=True)
    (cache / "jars" / NAME).write_bytes(content)


def test_the_five_delta_jars_of_one_version_are_pinned() -> None:
    names = list(jars.pinned())
    assert len(names) == 5
    assert all(name.endswith(f"-{jars.VERSION}.jar") for name in names)


def test_a_missing_jar_is_named_with_the_next_step(one_pin: Path) -> None:
    with pytest.raises(CdpError, match=f"{NAME} is missing") as caught:
        jars.jar_paths(one_pin)
    assert "make install" in caught.value.hint


def test_a_changed_jar_is_refused(one_pin: Path) -> None:
    put(one_pin, b"another jar")
    with pytest.raises(CdpError, match="differs from its pinned digest"):
        jars.jar_paths(one_pin)


def test_good_jars_are_not_fetched_again(one_pin: Path, fetcher: list[list[str]]) -> None:
    put(one_pin, CONTENT)
    assert jars.fetch_jars(one_pin) == [one_pin / "jars" / NAME]
    assert fetcher == []


def test_a_damaged_jar_is_fetched_anew(one_pin: Path, fetcher: list[list[str]]) -> None:
    put(one_pin, b"half a j")
    assert jars.fetch_jars(one_pin)[0].read_bytes() == CONTENT
    assert len(fetcher) == 1


def test_nothing_is_left_beside_the_jars(one_pin: Path, fetcher: list[list[str]]) -> None:
    jars.fetch_jars(one_pin)
    assert sorted(path.name for path in one_pin.rglob("*")) == [NAME, "jars"]


def test_a_fetched_jar_that_is_not_the_pinned_one_is_not_installed(
    one_pin: Path, fetcher: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "CONTENT", b"forged")
    with pytest.raises(CdpError, match="not the pinned one") as caught:
        jars.fetch_jars(one_pin)
    assert caught.value.code == ExitCode.INTEGRITY
    assert not (one_pin / "jars" / NAME).exists()


def test_an_unreachable_repository_is_told_with_its_reason(one_pin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ":: problems\n\tServer access error at url: Connection refused\nException in thread main\n"
    monkeypatch.setattr(jars, "_run_ivy", lambda settings, scratch: said)
    with pytest.raises(CdpError, match=r"could not be fetched: Server access error .* Connection refused") as caught:
        jars.fetch_jars(one_pin)
    assert caught.value.code == ExitCode.STORAGE
    assert "io.delta:delta-storage:4.4.0" in caught.value.where


def test_the_machine_s_own_repository_is_used_when_it_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'root="https://mirror.internal/maven?a=1&amp;b=2"' in jars._ivy_settings(
        "https://mirror.internal/maven?a=1&b=2"
    )
    assert "root=" not in jars._ivy_settings(None)


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDP_CACHE", str(tmp_path))
    assert jars.cache_folder() == tmp_path


def test_the_cache_of_a_checkout_lies_inside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_CACHE", raising=False)
    assert jars.cache_folder() == Path(jars.__file__).parents[2] / ".cache"


def test_the_command_ends_with_the_code_of_the_refusal(
    one_pin: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDP_CACHE", str(one_pin))
    monkeypatch.setattr(jars, "_run_ivy", lambda settings, scratch: "no answer")
    assert jars.main() == ExitCode.STORAGE
    assert '"code": 6' in capsys.readouterr().err


@pytest.mark.spark
def test_the_launcher_s_failure_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_ARTIFACT_REPOSITORY", (tmp_path / "nowhere").as_uri() + os.sep)
    settings = tmp_path / "settings.xml"
    settings.write_text(jars._ivy_settings(os.environ["DEFAULT_ARTIFACT_REPOSITORY"]), encoding="utf-8")
    said = jars._run_ivy([f"spark.jars.ivy={tmp_path / 'ivy'}", f"spark.jars.ivySettings={settings}"], tmp_path)
    assert "unresolved dependency: io.delta#delta-storage;4.4.0: not found" in said
