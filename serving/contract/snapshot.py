"""The writer of serving snapshots: a full build, and an update of the people a run touched.

A snapshot is written beside its final name, flushed to disk and renamed: a reader sees a whole file or none. An update
holds the same content as a full build from the same tables (only the dense numbers may differ); pages freed by it are
overwritten with zeros, so that erased people do not linger in the file.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from identity.errors import IdentityError
from identity.policy import Policy
from serving.contract.columns import BitmapBuilder, FeatureArrays
from serving.contract.format import (
    ALIASES,
    APPLICATION_ID,
    BITMAP_TABLE,
    CONSENTS,
    FEATURE_COLUMNS,
    IDENTIFIERS,
    INDEXES,
    MASKS,
    META,
    ORDERS,
    PROFILES,
    REDIRECTS,
    SCHEMA_VERSION,
    TABLES,
    TAGS,
    TIMELINE,
    SnapshotTable,
)
from serving.contract.header import check_header
from serving.contract.inputs import SnapshotInputs
from serving.contract.people import Numbering, Registry, number_people, read_registry
from serving.contract.removal import Removal, load_previous
from serving.contract.rows import (
    Row,
    alias_rows,
    consent_rows,
    feature_documents,
    fill_access,
    group_of,
    identifier_rows,
    order_rows,
    profile_rows,
    tag_rows,
    timeline_rows,
)
from serving.errors import (
    InputRefusedError,
    SnapshotDamagedError,
    SnapshotMissingError,
    StorageFullError,
    UpdateRefusedError,
)

Counts = dict[str, int]


def build_snapshot(path: Path, inputs: SnapshotInputs) -> Counts:
    """A new snapshot stands at `path`, holding everything in the inputs; returns rows by table.

    Raises InputRefusedError or InputsDisagreeError for unfit inputs and StorageFullError; `path` is untouched then.
    """
    _require_policy(inputs)
    with _replacing(path) as partial:
        connection = _open_writer(partial)
        with _transaction(connection):
            for table in TABLES:
                connection.execute(table.ddl())
            registry = read_registry(inputs)
            numbering = Numbering(number_people(person.one_id for person in registry.living))
            writer = _Writer(connection, inputs, numbering)
            writer.write(registry, BitmapBuilder(), FeatureArrays(numbering.length))
            writer.index()
            counts = writer.seal()
        _close_writer(connection)
    return counts


def update_snapshot(previous: Path, path: Path, inputs_of_touched: SnapshotInputs, touched: Iterable[str]) -> Counts:
    """A new snapshot stands at `path`: `previous` with the touched OneIDs replaced by what the inputs say of them.

    `touched` names every OneID that was minted, merged, split, retired or whose facts, features, tags or redirect
    changed. Raises UpdateRefusedError when the previous snapshot has another schema or other features: then build it
    in full.
    """
    _require_policy(inputs_of_touched)
    try:
        check_header(previous)
    except (SnapshotMissingError, SnapshotDamagedError) as error:
        raise UpdateRefusedError(error.message) from error
    with _replacing(path) as partial:
        shutil.copyfile(previous, partial)
        connection = _open_writer(partial)
        with _transaction(connection):
            before = load_previous(connection, where=str(previous))
            registry = read_registry(inputs_of_touched)
            removal = Removal(connection, before)
            removal.remove_people(sorted({*touched, *registry.retired, *(p.one_id for p in registry.living)}))
            numbering = Numbering(
                {**before.numbers, **number_people(_newcomers(registry, before.numbers), start=before.length)}
            )
            bitmaps, arrays = removal.collections(numbering.length)
            writer = _Writer(connection, inputs_of_touched, numbering, removal=removal)
            writer.write(registry, bitmaps, arrays)
            removal.require_same_features(arrays.names)
            removal.shorten_redirects()
            counts = writer.seal()
        _close_writer(connection)
    return counts


def _require_policy(inputs: SnapshotInputs) -> None:
    """The policy is one that readers can load: a snapshot they would refuse is not written."""
    try:
        Policy.from_dict(inputs.identity_policy)
    except IdentityError as error:
        raise InputRefusedError(
            "identity_policy", problem=str(error), allowed=["the data of conf/identity.yaml"]
        ) from error


def _newcomers(registry: Registry, numbers: dict[str, int]) -> Iterator[str]:
    return (person.one_id for person in registry.living if person.one_id not in numbers)


class _Writer:
    """Fills the tables of one open snapshot from the inputs."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        inputs: SnapshotInputs,
        numbering: Numbering,
        *,
        removal: Removal | None = None,
    ) -> None:
        self._connection = connection
        self._inputs = inputs
        self._numbering = numbering
        self._removal = removal

    def write(self, registry: Registry, bitmaps: BitmapBuilder, arrays: FeatureArrays) -> None:
        """All rows of the inputs are in, bitmaps and feature columns included."""
        inputs, numbering = self._inputs, self._numbering
        documents = feature_documents(inputs, numbering, arrays, bitmaps)
        self._fill(PROFILES, profile_rows(registry, numbering, documents, bitmaps))
        self._fill(REDIRECTS, sorted(registry.retired.items()))
        self._fill_identifiers()
        self._fill(ALIASES, alias_rows(inputs))
        self._fill(TAGS, tag_rows(inputs, numbering, bitmaps))
        self._fill(TIMELINE, timeline_rows(inputs, numbering))
        self._fill(ORDERS, self._cleared(order_rows(inputs, numbering), Removal.remove_order))
        self._fill(CONSENTS, consent_rows(inputs, numbering))
        fill_access(inputs, numbering, bitmaps)
        self._fill(BITMAP_TABLE, bitmaps.rows())
        self._fill(FEATURE_COLUMNS, arrays.rows(lambda name: group_of(inputs, name)))

    def index(self) -> None:
        """Every index exists; a row that breaks a unique one refuses the input."""
        for statement in INDEXES:
            try:
                self._connection.execute(statement)
            except sqlite3.IntegrityError as error:
                table = statement.split(" ON ")[1].split(" ")[0]
                raise InputRefusedError(
                    table, problem=f"two rows share a key: {error}", allowed=["one row per key"]
                ) from error

    def seal(self) -> Counts:
        """The facts about the snapshot are written; returns rows by table."""
        inputs, connection = self._inputs, self._connection
        counts = {
            t.name: connection.execute(f"SELECT count(*) FROM {t.name}").fetchone()[0] for t in TABLES if t != META
        }
        facts: dict[str, object] = {
            "schema_version": SCHEMA_VERSION,
            "snapshot_id": inputs.snapshot_id,
            "as_of": inputs.as_of,
            "built_at_ms": inputs.built_at_ms,
            "manifest": _json(inputs.manifest),
            "counts": _json(counts),
            "persons": self._numbering.length,
            "key_check": inputs.key_check or "",
            "identity_policy": _json(inputs.identity_policy),
        }
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in facts.items()])
        return counts

    def _fill(self, table: SnapshotTable, rows: Iterable[Row]) -> None:
        try:
            self._connection.executemany(table.insert(), rows)
        except sqlite3.IntegrityError as error:
            raise InputRefusedError(table.name, problem=str(error), allowed=[c.name for c in table.columns]) from error

    def _fill_identifiers(self) -> None:
        masks: list[tuple[int, str]] = []
        first = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM identifiers").fetchone()[0]

        def numbered() -> Iterator[Row]:
            for number, (row, display) in enumerate(identifier_rows(self._inputs, self._numbering), first):
                if display is not None:
                    masks.append((number, display))
                yield (number, *row)

        self._fill(IDENTIFIERS, self._cleared(numbered(), Removal.remove_identifier))
        self._fill(MASKS, masks)

    def _cleared(self, rows: Iterable[Row], remove: Callable[[Removal, Row], None]) -> Iterable[Row]:
        """The rows; in an update each first displaces the row of its key."""
        if self._removal is None:
            return rows
        kept = list(rows)
        for row in kept:
            remove(self._removal, row)
        return kept


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _open_writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    settings = (
        "page_size=8192",
        "journal_mode=OFF",
        "synchronous=OFF",
        "locking_mode=EXCLUSIVE",
        "cache_size=-262144",
        "threads=2",
        "secure_delete=ON",
        f"application_id={APPLICATION_ID}",
    )
    for setting in settings:
        connection.execute(f"PRAGMA {setting}")
    return connection


def _close_writer(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA analysis_limit=1000")
    connection.execute("ANALYZE")
    connection.close()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        connection.execute("BEGIN")
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A partial file beside `path` that takes its name once it is whole and on disk, or vanishes."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _flush_folder(path.parent)
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise StorageFullError(str(path.parent)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
