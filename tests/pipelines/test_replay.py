"""Refused records come in once when they are mended or readable, balanced, whatever was cut off in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import InputRefusedError
from pipelines.jobs.landing import Batch
from pipelines.jobs.shaping import Shaper
from pipelines.keys import seal
from pipelines.replay import Reader, Selection, fix_record, landing_line, replay, waiting_records
from pipelines.settings import Settings
from pipelines.sources.config import load_sources
from pipelines.status import refused_record
from pipelines.store.versions import rows_of
from tests.pipelines.jobs.composed import DAY1, DAY2, KEYS, NAME, PHONE, POLICY, ROOT, consent
from tests.pipelines.published import write

GOOD = json.loads(consent(1, DAY1))
BAD = dict(GOOD["payload"], status="perhaps")
READER = Reader(Shaper(POLICY, KEYS, {}), load_sources(ROOT / "conf"), KEYS.pepper)


def refused(number: int, payload: Any, day: str = DAY1, **known: str) -> dict[str, Any]:
    identity = f"{number:032d}"
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    cipher = seal(KEYS.vault, identity, f"{json.dumps(GOOD['context'])}\n{text}")
    place = {"feed": "consents", "interval": day, "batch_id": "b1", "reason": "bad_value", "status": "open"}
    return place | {"quarantine_id": identity, "cipher": cipher, "key_id": KEYS.vault_id} | known


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    write(tmp_path, "ops.batches", [])
    return Settings(home=tmp_path, conf=ROOT / "conf")  # type: ignore[call-arg]  # the rest has defaults


class Ingest:
    """Stands for the job that brings batches in: keeps their lines and writes the ledger."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seen: list[Batch] = []

    def __call__(self, batches: tuple[Batch, ...]) -> None:
        for batch in batches:
            known = "SELECT 1 FROM t WHERE batch_id = $id AND interval = $day::DATE"
            if not rows_of(self.home / "lake", "ops.batches", known, {"id": batch.batch_id, "day": batch.interval}):
                self.seen.append(batch)
                place = {"feed": batch.feed, "interval": batch.interval, "batch_id": batch.batch_id}
                write(self.home, "ops.batches", [place])

    def lines(self) -> list[Any]:
        texts = [file.path.read_text(encoding="utf-8") for batch in self.seen for file in batch.files]
        return [json.loads(line) for text in texts for line in text.splitlines()]


def put(settings: Settings, *rows: dict[str, Any]) -> None:
    write(settings.home, "silver.quarantine", rows)


def again(settings: Settings, ingest: Ingest, **selected: str) -> Any:
    records = waiting_records(settings.lake, KEYS, Selection(**selected))
    return replay(settings, records, reader=READER, ingest=ingest)


def statuses(settings: Settings) -> list[str]:
    return [r["status"] for r in rows_of(settings.lake, "silver.quarantine", "SELECT * FROM t ORDER BY quarantine_id")]


def test_a_record_that_is_readable_by_now_comes_in_with_its_context(settings: Settings) -> None:
    put(settings, refused(1, GOOD["payload"]))
    ingest = Ingest(settings.home)
    done = again(settings, ingest)
    assert ingest.lines() == [GOOD]
    assert (done.replayed, statuses(settings)) == (1, ["replayed"])


def test_a_record_that_would_be_refused_again_waits_on_and_says_why(settings: Settings) -> None:
    put(settings, refused(1, BAD), refused(2, GOOD["payload"]))
    ingest = Ingest(settings.home)
    done = again(settings, ingest)
    assert (done.replayed, list(done.still_refused), statuses(settings)) == (1, [f"{1:032d}"], ["open", "replayed"])
    assert len(ingest.lines()) == 1


def test_nothing_is_landed_where_all_would_be_refused_again(settings: Settings) -> None:
    put(settings, refused(1, BAD))
    assert again(settings, Ingest(settings.home)).replayed == 0
    assert not settings.landing.exists()


def test_a_second_replay_finds_nothing_to_do(settings: Settings) -> None:
    put(settings, refused(1, GOOD["payload"]))
    ingest = Ingest(settings.home)
    again(settings, ingest)
    assert again(settings, ingest).replayed == 0
    assert len(ingest.lines()) == 1


def test_a_replay_that_broke_off_after_its_ingest_is_finished_without_another(settings: Settings) -> None:
    put(settings, refused(1, GOOD["payload"]))
    ingest = Ingest(settings.home)

    def die(batches: tuple[Batch, ...]) -> None:
        ingest(batches)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(settings, waiting_records(settings.lake, KEYS, Selection()), reader=READER, ingest=die)
    assert statuses(settings) == ["open"]
    again(settings, ingest)
    assert (statuses(settings), len(ingest.seen), len(list(settings.landing.rglob("*.jsonl")))) == (["replayed"], 1, 1)


def test_each_day_is_a_batch_of_its_own_interval(settings: Settings) -> None:
    put(settings, refused(1, GOOD["payload"]), refused(2, GOOD["payload"], DAY2))
    ingest = Ingest(settings.home)
    again(settings, ingest)
    assert [batch.interval for batch in ingest.seen] == [DAY1, DAY2]


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ({"id": f"{1:032d}"}, ["replayed", "open", "open"]),
        ({"batch": "b2"}, ["open", "replayed", "open"]),
        ({"reason": "other"}, ["open", "open", "replayed"]),
        ({"feed": "staff"}, ["open", "open", "open"]),
    ],
    ids=str,
)
def test_a_selection_replays_no_other_record(settings: Settings, selected: dict[str, str], expected: list[str]) -> None:
    rows = [GOOD["payload"] | {"consent_id": f"n{number}"} for number in (1, 2, 3)]
    put(settings, refused(1, rows[0]), refused(2, rows[1], batch_id="b2"), refused(3, rows[2], reason="other"))
    again(settings, Ingest(settings.home), **selected)
    assert statuses(settings) == expected


def test_a_mended_record_comes_in_as_it_was_mended(settings: Settings) -> None:
    put(settings, refused(1, BAD))
    fix_record(settings.lake, KEYS, READER, f"{1:032d}", json.dumps(GOOD["payload"], indent=1).encode())
    assert statuses(settings) == ["fixed"]
    ingest = Ingest(settings.home)
    again(settings, ingest)
    assert ingest.lines() == [GOOD]


def test_a_payload_that_would_be_refused_again_mends_nothing(settings: Settings) -> None:
    put(settings, refused(1, BAD))
    with pytest.raises(InputRefusedError, match="would be refused again"):
        fix_record(settings.lake, KEYS, READER, f"{1:032d}", json.dumps(BAD).encode())
    assert statuses(settings) == ["open"]


def test_a_record_that_was_replayed_is_not_mended_any_more(settings: Settings) -> None:
    put(settings, refused(1, GOOD["payload"], status="replayed"))
    with pytest.raises(InputRefusedError, match="no such record waits"):
        fix_record(settings.lake, KEYS, READER, f"{1:032d}", b"{}")


def test_mended_text_is_encrypted_at_rest_and_shown_masked(settings: Settings) -> None:
    payload = GOOD["payload"] | {"source": f"crm {NAME} {PHONE}"}
    put(settings, refused(1, BAD))
    fix_record(settings.lake, KEYS, READER, f"{1:032d}", json.dumps(payload, ensure_ascii=False).encode())
    content = b"".join(path.read_bytes() for path in settings.lake.rglob("*") if path.is_file())
    assert (PHONE.encode() in content, NAME.encode() in content) == (False, False)
    shown = refused_record(settings.lake, f"{1:032d}", KEYS)
    assert shown is not None
    assert "crm ** *******5678" in shown["fixed_masked"]
    assert not {"cipher", "fixed_cipher", "key_id"} & set(shown)


def test_a_whole_landing_line_brings_its_own_context() -> None:
    text = json.dumps(GOOD)
    assert json.loads(landing_line('{"brand": "other"}', text)) == GOOD
