"""The command line refuses with the promised exit code, one JSON object at the end of stderr, and nobody's data."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ExitCode
from pipelines.keys import create_keys
from pipelines.store.lock import writer_lock
from tests.pipelines.jobs.composed import DAY1, NAME, PHONE, consent
from tests.pipelines.published import SHOPS, publish_run, shop, write

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]
NO_JAVA = (
    "import sys; from pathlib import Path; import pipelines.setup.java as java;"
    "java.candidates.__defaults__ = (Path('/nowhere'),); from pipelines.cli import main;"
    "sys.argv = ['cdp', *sys.argv[1:]]; main()"
)


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code, what it wrote, and the refusal of the last line on stderr."""

    code: int
    out: str
    err: str

    @property
    def refusal(self) -> dict[str, Any]:
        loaded = json.loads(self.err.splitlines()[-1])
        assert isinstance(loaded, dict)
        return loaded


def cdp(home: Path, *words: str, start: tuple[str, ...] = ("-m", "pipelines.cli"), **environment: str) -> Done:
    given = {"CDP_HOME": str(home), "CDP_CONF": str(ROOT / "conf"), "PYTHONPATH": str(ROOT)} | environment
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    done = subprocess.run(
        [sys.executable, *start, *words], env=kept | given, capture_output=True, text=True, check=False, timeout=240
    )
    return Done(done.returncode, done.stdout, done.stderr)


def assert_refused(done: Done, code: ExitCode, words: str) -> None:
    assert done.code == code, done.err
    assert set(done.refusal) == {"code", "message", "where", "hint"}
    assert done.refusal["code"] == code
    assert words in done.refusal["message"]
    assert "Traceback" not in done.err


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_keys(tmp_path / "home" / "keys")
    return tmp_path / "home"


@pytest.fixture
def published(home: Path) -> Path:
    write(home, SHOPS, [shop("1")])
    publish_run(home, 1)
    return home


@pytest.fixture
def landed(tmp_path: Path) -> Path:
    path = tmp_path / "files" / DAY1 / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(f"{consent(1, DAY1)}\n")
    return path


@pytest.fixture
def other_run(home: Path) -> Iterator[None]:
    with writer_lock(home, "cdp run", started="2025-01-01T00:00:00+00:00"):
        yield


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), ExitCode.USAGE, "no command was given"),
        (("frobnicate",), ExitCode.USAGE, "No such command"),
        (("ingest", "--feed", "staff"), ExitCode.USAGE, "Missing argument"),
        (("status", "--loudly"), ExitCode.USAGE, "No such option"),
        (("ingest", "--feed", "nothing", "/tmp"), ExitCode.REFUSED, "unknown feed 'nothing'; known feeds: consents"),
        (("ingest", "--feed", "staff", "/nowhere/at/all"), ExitCode.REFUSED, "no such file or folder"),
        (("ingest", "--feed", "staff", "--interval", "2025-02-30", "/tmp"), ExitCode.REFUSED, "no day of the form"),
        (("run", "--from", "2025-03-02", "--to", "2025-03-01"), ExitCode.USAGE, "lies after the last day"),
        (("run",), ExitCode.REFUSED, "the landing folder holds no day"),
        (("publish",), ExitCode.USAGE, "nothing is published yet"),
        (("publish", "--rollback"), ExitCode.USAGE, "no earlier snapshot"),
        (("bi",), ExitCode.USAGE, "nothing is published yet"),
        (("serve",), ExitCode.USAGE, "nothing is published yet"),
        (("quality",), ExitCode.REFUSED, "no table has rows"),
        (("quarantine", "show", "unknown"), ExitCode.USAGE, "no such record"),
        (("config", "show", "--config", "/nowhere.yaml"), ExitCode.USAGE, "cannot be read"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else None,
)
def test_a_command_that_cannot_be_done_says_so(
    home: Path, words: tuple[str, ...], code: ExitCode, message: str
) -> None:
    assert_refused(cdp(home, *words), code, message)


def test_an_empty_folder_is_refused_by_name(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = cdp(home, "ingest", "--feed", "staff", str(tmp_path / "empty"))
    assert_refused(done, ExitCode.REFUSED, "no landing file in the folder")
    assert done.refusal["where"] == str(tmp_path / "empty")


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({"CDP_SPARK__SHUFFLE_PARTITIONS": "many"}, "spark.shuffle_partitions"),
        ({"CDP_SERVING__PORT": "99999"}, "serving.port"),
        ({"CDP_SPARK__NOVELTY": "1"}, "spark.novelty"),
        ({"CDP_ENV": "nowhere"}, "nowhere"),
    ],
)
def test_a_wrong_setting_is_named(home: Path, environment: dict[str, str], key: str) -> None:
    assert_refused(cdp(home, "status", **environment), ExitCode.USAGE, key)


def test_missing_keys_name_the_command_that_makes_them(tmp_path: Path, landed: Path) -> None:
    done = cdp(tmp_path / "new", "ingest", "--feed", "consents", str(landed))
    assert_refused(done, ExitCode.USAGE, "identity key is missing")
    assert "cdp init" in done.refusal["hint"]


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_machine_without_java_is_told_how_to_get_one(home: Path, landed: Path, command: str) -> None:
    words = ("run", "--date", DAY1) if command == "run" else ("doctor",)
    done = cdp(home, *words, start=("-c", NO_JAVA), PATH="/nowhere", JAVA_HOME="")
    assert_refused(done, ExitCode.USAGE, "Spark needs Java 17 or 21, found: no java at all")
    assert "apt-get install" in done.refusal["hint"]


def test_a_port_in_use_is_told_before_serving(published: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cdp(published, "serve", "--port", str(taken.getsockname()[1]))
    assert_refused(done, ExitCode.USAGE, "cannot listen on 127.0.0.1")
    assert "--port" in done.refusal["hint"]


@pytest.mark.usefixtures("other_run")
@pytest.mark.parametrize("command", ["ingest", "run", "publish", "init"])
def test_a_lake_that_another_run_holds_is_left_alone(home: Path, landed: Path, command: str) -> None:
    words = {"ingest": ("--feed", "consents", str(landed)), "run": ("--date", DAY1), "publish": ("--rollback",)}
    done = cdp(home, command, *words.get(command, ()))
    assert_refused(done, ExitCode.LOCKED, f"process {os.getpid()} (cdp run, since 2025-01-01T00:00:00+00:00)")
    assert "--wait" in done.refusal["hint"]


@pytest.mark.usefixtures("other_run")
def test_status_can_be_asked_while_a_run_holds_the_lake(home: Path) -> None:
    done = cdp(home, "status", "--json")
    assert done.code == ExitCode.DONE
    assert json.loads(done.out)["holder"]["pid"] == os.getpid()


def test_a_home_that_is_no_folder_is_a_storage_failure(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert_refused(cdp(tmp_path / "home", "init"), ExitCode.STORAGE, "storage failed")


def test_damage_is_an_integrity_failure_that_names_the_file(published: Path) -> None:
    (file,) = (published / "lake" / "gold" / "dim_shop").glob("*.parquet")
    file.unlink()
    done = cdp(published, "verify")
    assert_refused(done, ExitCode.INTEGRITY, "data file is missing")
    assert done.refusal["where"] == str(file)


def test_a_whole_snapshot_is_confirmed_and_its_absence_said(published: Path, tmp_path: Path) -> None:
    assert cdp(published, "verify").out == "the lake and its snapshots are whole\n"
    assert cdp(tmp_path / "new", "verify").out == "the lake is whole; nothing is published yet\n"


def test_a_broken_blocking_rule_exits_with_its_counts(published: Path) -> None:
    write(published, "silver.consents", [{"consent_id": f"{PHONE}0", "status": "maybe"}])
    done = cdp(published, "quality")
    assert_refused(done, ExitCode.INTEGRITY, "silver.consents breaks the rule suite_known_status in 1 of 1 rows")
    assert str(published / "quality" / "docs" / "index.html") in done.out
    assert PHONE not in done.out + done.err


@pytest.mark.parametrize(
    "words", [("status", PHONE), (PHONE,), ("serve", "--port", PHONE), ("keys", "revoke", NAME, NAME)]
)
def test_what_was_typed_wrongly_is_shown_masked(home: Path, words: tuple[str, ...]) -> None:
    done = cdp(home, *words)
    assert done.code == ExitCode.USAGE
    assert PHONE not in done.err
    assert NAME not in done.err


def test_debug_shows_the_details_of_a_failure(home: Path) -> None:
    done = cdp(home, "--debug", "run")
    assert done.code == ExitCode.REFUSED
    assert "Traceback" in done.err
    assert done.refusal["code"] == ExitCode.REFUSED


@pytest.mark.spark
def test_a_mostly_broken_batch_is_refused_without_a_word_of_it(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(f'{{"phone":"{PHONE}\n{{"name":"{NAME}\n{consent(1, DAY1)}\n', encoding="utf-8")
    done = cdp(home, "ingest", "--feed", "consents", "--interval", DAY1, str(path), CDP_SPARK__MEMORY="1g")
    assert_refused(done, ExitCode.REFUSED, "2 of 3 records refused (bad_json 2)")
    assert PHONE not in done.out + done.err
    assert NAME not in done.out + done.err
