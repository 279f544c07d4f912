"""What comes before a run: pushes collected, mappings found, proposed and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import bringing
from pipelines.cli.app import app
from pipelines.cli.bringing import collect_pushes, feed_of, read_mapping
from pipelines.errors import CdpError, ConfigurationError, ExitCode, InputRefusedError
from pipelines.settings import Settings
from serving.contract.spool import append_line

ROOT = Path(__file__).resolve().parents[3]
FIXTURE = ROOT / "tests" / "fixtures" / "imports" / "tmall_orders_export.csv"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", conf=ROOT / "conf")  # type: ignore[call-arg]  # the rest has defaults


def test_pushes_are_in_the_landing_before_a_run_looks_there(settings: Settings) -> None:
    append_line(settings.home, "wecom_events", interval="2025-01-01", line=b"{}\n")
    assert collect_pushes(settings) == 1
    assert len(list((settings.landing / "wecom_events" / "2025-01-01").glob("push-*.jsonl"))) == 1
    assert collect_pushes(settings) == 0


def test_pushes_that_cannot_be_moved_end_the_command_as_storage(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(home: Path, landing: Path) -> tuple[Path, ...]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bringing, "collect", full)
    with pytest.raises(CdpError, match="No space left") as refusal:
        collect_pushes(settings)
    assert refusal.value.code == ExitCode.STORAGE


def test_a_pull_that_took_a_file_first_disturbs_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Exception | tuple[Path, ...]] = [FileNotFoundError(2, "gone"), (Path("a"),)]

    def raced(home: Path, landing: Path) -> tuple[Path, ...]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(bringing, "collect", raced)
    assert collect_pushes(settings) == 1


def test_the_mapping_names_the_feed(settings: Settings) -> None:
    mapping = read_mapping(settings, Path("member_list"), ["brand=brandA"])
    assert mapping is not None
    assert (feed_of(None, mapping), mapping.context) == ("observations", {"brand": "brandA"})
    with pytest.raises(ConfigurationError, match="is for feed observations, not orders_file"):
        feed_of("orders_file", mapping)


def test_a_feed_must_be_named_and_known(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no feed is named"):
        feed_of(None, read_mapping(settings, None, []))
    with pytest.raises(InputRefusedError, match="unknown feed 'nothing'"):
        feed_of("nothing", None)


def test_a_context_belongs_to_a_mapping(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="a context without a mapping"):
        read_mapping(settings, None, ["brand=brandA"])


@pytest.fixture
def cdp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CDP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CDP_CONF", str(ROOT / "conf"))
    return CliRunner()


def test_a_mapping_is_proposed_on_stdout_without_a_lake(cdp: CliRunner, tmp_path: Path) -> None:
    done = cdp.invoke(app, ["ingest", "--guess", str(FIXTURE)])
    assert (done.exit_code, "mapping: tmall_orders_export" in done.stdout) == (0, True)
    assert not (tmp_path / "home").exists()


def test_a_proposed_mapping_is_written_and_never_over_another(cdp: CliRunner, tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    done = cdp.invoke(app, ["ingest", "--guess", str(FIXTURE), "--output", str(target)])
    assert f"cdp ingest --feed orders_file --mapping {target}" in done.stdout
    again = cdp.invoke(app, ["ingest", "--guess", str(FIXTURE), "--output", str(target)])
    assert isinstance(again.exception, ConfigurationError)
    assert "is not replaced" in again.exception.message


def test_what_cannot_be_guessed_ends_with_usage(cdp: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("颜色,形状\n红,圆\n", encoding="utf-8")
    done = cdp.invoke(app, ["ingest", "--guess", str(tmp_path / "a.csv")])
    assert isinstance(done.exception, ConfigurationError)
    assert done.exception.code == ExitCode.USAGE
