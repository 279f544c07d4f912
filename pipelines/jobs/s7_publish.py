"""s7: the checked tables become a snapshot: a manifest of versions and the serving file built from just those versions.

Reading is done without Spark, by delta-rs and DuckDB, from the versions the manifest names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
import yaml

from features.catalog import CATALOG
from identity.identifier import key64
from pipelines.brands import OWN_SCOPE, BrandsFile, load_brands
from pipelines.clock import clock_of
from pipelines.jobs.context import RunContext
from pipelines.jobs.s7_queries import ACCESS, ALIASES, CONSENTS, FEATURES, MAP, ONEIDS, ORDERS, PHONES, TAGS, TIMELINE
from pipelines.keys import Keys, unseal
from pipelines.publish import Manifest, build_manifest, publish
from pipelines.settings import Settings
from pipelines.store.types import duckdb_type
from pipelines.store.versions import dataset
from pipelines.tables import ALL
from serving.contract import SNAPSHOT_FILE, key_check
from serving.contract.inputs import SnapshotInputs
from serving.contract.snapshot import build_snapshot

BATCH_ROWS = 65_536
SOURCES = (
    "silver.orders",
    "silver.refunds",
    "silver.events",
    "silver.points_ledger",
    "silver.contact_follows",
    "silver.consents",
    "silver.pii_vault",
    "identity.oneid_map",
    "identity.oneids",
    "identity.oneid_changes",
    "features.customer_features",
    "features.customer_tags",
)


class Building(Protocol):
    """What building a serving file needs to know of its run."""

    @property
    def settings(self) -> Settings:
        """The settings of the lake."""

    @property
    def keys(self) -> Keys:
        """The keys of the lake."""


def publish_snapshot(context: RunContext) -> str:
    """The lake as it stands is published; gives the snapshot's id."""
    home = context.settings.home
    built_at = clock_of(context.settings.clock)()

    def build(folder: Path, named: Manifest) -> None:
        with context.state.spans.measure("serving"):
            counts = build_serving(context, named, folder, built_at)
        context.say("serving snapshot: " + ", ".join(f"{name} {rows}" for name, rows in sorted(counts.items())))

    with context.state.spans.measure("manifest"):
        manifest = build_manifest(home, context.run_id, context.as_of)
        publish(home, manifest, build, context.settings.publish.keep)
    context.say(f"published snapshot {manifest.snapshot_id}")
    return manifest.snapshot_id


def build_serving(context: Building, manifest: Manifest, folder: Path, built_at_ms: int) -> dict[str, int]:
    """The serving file of the snapshot stands in the folder; gives its rows by table."""
    connection = duckdb.connect(":memory:")
    register(connection, context.settings.lake, manifest)
    masks = _masked_phones(connection, context.keys)
    connection.register("masks", masks)
    register_brands(connection, load_brands(context.settings.conf))
    inputs = SnapshotInputs(
        snapshot_id=manifest.snapshot_id,
        as_of=manifest.as_of,
        built_at_ms=built_at_ms,
        manifest={"tables": manifest.tables, "run_id": manifest.run_id},
        oneids=_stream(connection, ONEIDS),
        oneid_map=_stream(connection, MAP),
        features=_stream(connection, FEATURES),
        tags=_stream(connection, TAGS),
        timeline=_stream(connection, TIMELINE),
        orders=_stream(connection, ORDERS),
        consents=_stream(connection, CONSENTS),
        aliases=_aliases(connection),
        access=_stream(connection, ACCESS),
        key_check=key_check(context.keys.identity),
        feature_groups=_feature_groups(),
        identity_policy=_policy_data(context),
    )
    counts = build_snapshot(folder / SNAPSHOT_FILE, inputs)
    connection.close()
    return dict(counts)


def _feature_groups() -> dict[str, str]:
    """The theme each feature is shown under."""
    return {item.name: theme.name for theme in CATALOG.themes for item in (*theme.features, *theme.derived)}


def _policy_data(context: Building) -> dict[str, Any]:
    """The identity policy as it is written, which a reader loads again as it was loaded here."""
    path = context.settings.conf / context.settings.identity.policy_file
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def register(connection: duckdb.DuckDBPyConnection, lake: Path, manifest: Manifest) -> None:
    """Every source table is a view of the connection under its name with an underscore, at the manifest's version."""
    for name in SOURCES:
        table = ALL[name]
        view = f"{table.layer}_{table.name}"
        rows = dataset(lake, name, manifest.tables.get(name, {}).get("version"))
        if rows is None:
            columns = ", ".join(f"NULL::{duckdb_type(column.type)} AS {column.name}" for column in table.columns)
            connection.execute(f"CREATE VIEW {view} AS SELECT {columns} WHERE false")
        else:
            connection.register(view, rows)


def register_brands(connection: duckdb.DuckDBPyConnection, brands: BrandsFile) -> None:
    """Which accounts belong to which brand is known to the connection."""
    tables: dict[str, tuple[tuple[str, ...], Sequence[tuple[str, ...]]]] = {
        "brand_scopes": (("brand", "namespace", "scope"), brands.scope_rows()),
        "brand_shops": (("brand", "platform", "shop_id"), brands.shop_rows()),
        "own_scopes": (("namespace",), [(namespace,) for namespace in OWN_SCOPE]),
    }
    for table, (names, rows) in tables.items():
        columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(names))]
        connection.register(table, pa.table(columns, names=list(names)))


def _stream(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[pa.RecordBatch]:
    """The rows of a query in batches; one stream is read to its end before the next begins.

    The registered tables are known to this connection only, not to cursors of it.
    """
    yield from connection.execute(query).to_arrow_reader(BATCH_ROWS)


def _masked_phones(connection: duckdb.DuckDBPyConnection, keys: Keys) -> pa.Table:
    tokens: list[str] = []
    shown: list[str] = []
    for batch in _stream(connection, PHONES):
        for token, cipher in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            tokens.append(token)
            shown.append(mask_phone(unseal(keys.vault, token, cipher)))
    return pa.table({"token": pa.array(tokens, pa.string()), "display": pa.array(shown, pa.string())})


def mask_phone(number: str) -> str:
    """A phone with its middle hidden.

    >>> mask_phone("13912345678"), mask_phone("+13005551234")
    ('139****5678', '+13****1234')
    """
    return f"{number[:3]}****{number[-4:]}"


def _aliases(connection: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    for batch in _stream(connection, ALIASES):
        keys, targets = [], []
        for namespace, value, token in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            keys.append(key64(namespace, "", value))
            targets.append(key64("phone", "", token))
        yield pa.RecordBatch.from_arrays(
            [pa.array(keys, pa.int64()), pa.array(targets, pa.int64())], names=["key", "target_key"]
        )
