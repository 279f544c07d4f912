"""Personal values are found in whatever form they lie, and in a lake of the product only where they may be."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.jobs.landing import chunks, landing_batches
from pipelines.jobs.s3_stitch import StitchRequest, stitch, stitch_settings
from pipelines.jobs.s7_publish import build_serving
from pipelines.jobs.worker import BATCH, PLACE, TABLE, Worker
from pipelines.privacy.scan import Finding, contents, forms_of, leaks, scan
from pipelines.publish import Manifest, build_manifest, publish
from pipelines.settings import Settings
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.store.creation import create_table
from pipelines.store.local import LocalLake
from pipelines.tables import ALL
from tests.pipelines.jobs.composed import KEYS, NAME, PHONE, POLICY, ROOT, worker_setup

DAYS = ("2025-01-01", "2025-01-02", "2025-01-03")
VALUE = "某街道样本路88号"
PLANTED = {
    "wecom_contacts": ("name", "remark", "description"),
    "wecom_group_chats": ("name",),
    "observations": ("name",),
    "staff": ("name",),
    "tmall_trades": ("receiver_name", "receiver_address", "buyer_nick"),
    "douyin_orders": ("buyer_words", "post_receiver"),
}
NUMBERS = {"douyin_orders": "decrypt_text", "shop_orders": "phone", "order_claims": "phone", "tmall_members": "mobile"}
NUMBERS |= {"miniprogram_users": "purePhoneNumber"}


def raw(value: str) -> bytes:
    return value.encode()


HIDING: dict[str, Callable[[str], bytes]] = {
    "plain": raw,
    "gb18030": lambda value: value.encode("gb18030"),
    "escaped": lambda value: json.dumps(value).encode(),
    "hex": lambda value: raw(value).hex().encode(),
    "upper hex": lambda value: raw(value).hex().upper().encode(),
    "md5": lambda value: hashlib.md5(raw(value), usedforsecurity=False).hexdigest().encode(),
    "sha1": lambda value: hashlib.sha1(raw(value), usedforsecurity=False).hexdigest().encode(),
    "sha256": lambda value: hashlib.sha256(raw(value)).hexdigest().encode(),
    "raw sha256": lambda value: hashlib.sha256(raw(value)).digest(),
}


@pytest.mark.parametrize("value", [PHONE, VALUE])
@pytest.mark.parametrize("form", HIDING)
def test_each_form_is_found(tmp_path: Path, form: str, value: str) -> None:
    (tmp_path / "a.bin").write_bytes(b"before " + HIDING[form](value) + b" after")
    assert {item.path for item in scan(tmp_path, [value])} == {"a.bin"}


@pytest.mark.parametrize("lead", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_wherever_the_value_stands_in_the_text(
    tmp_path: Path, lead: int, encode: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a").write_bytes(encode(b"x" * lead + raw(VALUE) + b"yz"))
    assert [item.form for item in scan(tmp_path, [VALUE])] == ["base64"]


def test_other_values_are_not_found(tmp_path: Path) -> None:
    for form, hide in HIDING.items():
        (tmp_path / form).write_bytes(hide("13912345679"))
    assert scan(tmp_path, [PHONE]) == []


def test_compressed_columns_are_read_through_lists_and_structs(tmp_path: Path) -> None:
    table = pa.table({"plain": ["x"], "inner": [[{"a": PHONE, "b": 1}]], "number": [int(PHONE)]})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", write_statistics=False)
    assert {item.column for item in scan(tmp_path, [PHONE])} >= {"inner", "number"}
    assert "plain" not in {item.column for item in scan(tmp_path, [PHONE])}


def test_compressed_texts_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(raw(PHONE)))
    assert len(scan(tmp_path, [PHONE])) == 1


def test_a_cut_gzip_file_is_searched_as_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(raw(PHONE * 50))[:-9])
    assert [column for column, _ in contents(tmp_path / "a.gz")] == ["", ""]


@pytest.mark.parametrize(
    ("path", "column", "leaked"),
    [
        ("lake/bronze/staff/interval=2025-01-01/a.parquet", "payload", False),
        ("lake/bronze/staff/interval=2025-01-01/a.parquet", "", False),
        ("lake/bronze/staff/interval=2025-01-01/a.parquet", "context", True),
        ("lake/bronze/staff/_delta_log/00000000000000000001.json", "", True),
        ("lake/bronze/staff/_delta_log/00000000000000000010.checkpoint.parquet", "", True),
        ("lake/silver/pii_vault/a.parquet", "cipher", True),
        ("snapshots/r1/serving.sqlite", "", True),
        ("landing/staff/2025-01-01/a.jsonl", "", False),
    ],
)
def test_only_raw_payloads_may_hold_clear_values(path: str, column: str, leaked: bool) -> None:
    assert bool(leaks([Finding(0, path, column, "plain")])) == leaked


def plant(value: Any, keys: tuple[str, ...], mark: str, found: set[str]) -> Any:
    """The value with a text of its own in place of what stands under these keys."""
    if isinstance(value, list):
        return [plant(item, keys, mark, found) for item in value]
    if not isinstance(value, dict):
        return value
    planted = {}
    for key, item in value.items():
        if key in keys and isinstance(item, str):
            planted[key] = f"{NAME}{mark}{key}"
            found.add(planted[key])
        else:
            planted[key] = plant(item, keys, mark, found)
    return planted


def numbers(value: Any, key: str) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in numbers(item, key)]
    if not isinstance(value, dict):
        return []
    own = value.get(key)
    rest = [found for item in value.values() for found in numbers(item, key)]
    return [own, *rest] if isinstance(own, str) and len(own) == 11 and own.isdigit() else rest


def readable(path: Path) -> list[Any]:
    values = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values.append(json.loads(line))
        except ValueError:
            values.append(None)
    return values


def planted_values(home: Path) -> list[str]:
    """The landing files carry texts of our own; gives these and phones of every feed that has them in the clear."""
    texts: set[str] = set()
    phones: set[str] = set()
    for path in sorted((home / "landing").rglob("*.jsonl")):
        feed = path.parent.parent.name
        values = readable(path)
        if feed in NUMBERS:
            phones |= set(sorted({number for value in values for number in numbers(value, NUMBERS[feed])})[:3])
        if feed in PLANTED:
            kept = [plant(value, PLANTED[feed], feed, texts) for value in values if value is not None]
            path.write_text("".join(f"{json.dumps(value, ensure_ascii=False)}\n" for value in kept), encoding="utf-8")
    assert len(texts) >= 8
    assert len(phones) >= 10
    return [*sorted(texts), *sorted(phones)]


def ingest(home: Path) -> None:
    reader = Worker(worker_setup(home / "staging"))
    for batch in landing_batches(home / "landing", DAYS, frozenset()):
        for chunk in chunks(batch, 1 << 20):
            reader.read_chunk(chunk)
    for kind, name, file, *_ in reader.stage.finish():
        if kind == "staged":
            create_table(home / "lake", ALL[name])
            rows = pl.read_parquet(file).drop(BATCH, TABLE, PLACE)
            LocalLake(home / "lake").append(ALL[name], rows)
            Path(file).unlink()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A published lake of a simulated brand, up to identities and serving file, with planted values."""
    home = tmp_path_factory.mktemp("planted")
    simulate(SimulationConfig(people=30, days=3, start=DAYS[0], seed=11, dirt=Dirt.default()), home)
    values = planted_values(home)
    ingest(home)
    settings = Settings(home=home, conf=ROOT / "conf", clock="2025-02-01T00:00:00+08:00")  # type: ignore[call-arg]
    stitch(home / "lake", stitch_settings(settings, POLICY, KEYS.identity), StitchRequest(DAYS[-1], "r000001"))
    building = Building(settings)

    def build(folder: Path, manifest: Manifest) -> None:
        build_serving(building, manifest, folder, 0)

    publish(home, build_manifest(home, "r000001-2025-01-03", DAYS[-1]), build, 5)
    return home, values


class Building:
    """What the serving file is built with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = KEYS


@pytest.mark.e2e
def test_planted_values_lie_in_raw_payloads_and_nowhere_else(world: tuple[Path, list[str]]) -> None:
    home, values = world
    found = scan(home / "lake", values)
    home_found = [Finding(item.value, f"lake/{item.path}", item.column, item.form) for item in found]
    assert {item.value for item in found if item.column == "payload"} == set(range(len(values)))
    assert leaks(home_found) == []


@pytest.mark.e2e
def test_serving_file_manifest_and_copies_hold_no_planted_value(world: tuple[Path, list[str]]) -> None:
    home, values = world
    for folder in ("snapshots", "backup"):
        assert any(path.is_file() for path in (home / folder).rglob("*"))
        assert scan(home / folder, values) == []


@pytest.mark.e2e
def test_the_scan_would_see_a_single_leak(world: tuple[Path, list[str]], tmp_path: Path) -> None:
    _, values = world
    (tmp_path / "log.json").write_text(f'{{"minValues": "{values[0]}"}}', encoding="utf-8")
    assert [(item.value, item.path) for item in scan(tmp_path, values)] == [(0, "log.json")]


def test_no_form_of_a_value_is_empty() -> None:
    assert all(pattern for value in (PHONE, VALUE, "某") for some in forms_of(value).values() for pattern in some)
