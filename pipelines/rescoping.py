"""Records of a brand's own feeds in an older lake, whose numbers were taken for unique over all brands.

What a row's raw record says of its brand is taken, as it would be read today. Where that record is past its time: the
brand of a member or log-in whose the row is, else the brand that the source's `context_defaults` name, else none; a
product's is then the only brand whose order lines name its number. A row that another brand's row of the same number
replaced comes back where bronze is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines.brands import OWN_SCOPE
from pipelines.sources.refunds import NUMBERED_BY_PLATFORM
from pipelines.store.local import LocalLake
from pipelines.tables import ALL

Defaults = Mapping[str, Mapping[str, str]]
"""What lines without a wrapper take as their context, by feed."""
LEDGER, CONSENTS, CLAIMS = ALL["silver.points_ledger"], ALL["silver.consents"], ALL["silver.order_claims"]
EVIDENCE, VERDICTS, FACTS = ALL["silver.identity_observations"], ALL["identity.claims"], ALL["gold.fact_points"]
LINES, PRODUCTS, DIM_PRODUCT = ALL["silver.order_lines"], ALL["silver.products"], ALL["gold.dim_product"]
RAW = ["interval", "record_hash"]
NUMBER = ["platform", "product_id"]
OWN_CHANNEL = ~pl.col("platform").is_in(sorted(NUMBERED_BY_PLATFORM))
"""Rows whose platform is one of the brand's own channels or files: their product numbers are the brand's."""
SOLD_BY = ("shop_orders", "orders_file")
NUMBERED = {
    "points_events": ("record_id", "ledger", "^ledger:(.+)$"),
    "consents": ("consent_id", "consent", r"^consent:(.+):\d+$"),
}
"""Feeds whose own records make observations of their number: its field, and how such an observation is called."""


@dataclass(frozen=True)
class Older:
    """The lake whose rows are rewritten, and what its raw records leave to the configuration."""

    lake: LocalLake
    defaults: Defaults = field(default_factory=dict)

    def stated(self, feed: str, name: str) -> pl.Expr:
        """What a raw record's context says under a name; empty where neither it nor the configuration does."""
        return pl.coalesce(
            pl.col("context").str.json_path_match(f"$.{name}"), pl.lit(self.defaults.get(feed, {}).get(name, ""))
        )

    def configured(self, feed: str) -> pl.Expr:
        """The brand that the configuration names for a feed; empty without one."""
        return pl.lit(self.defaults.get(feed, {}).get("brand", ""))

    def raw(self, feed: str) -> pl.LazyFrame:
        """The raw records of a feed."""
        return self.lake.scan(ALL[f"bronze.{feed}"])

    def told(self, feed: str, held: pl.DataFrame, *names: str) -> pl.DataFrame:
        """What the raw records of rows say under the names, null where they are past their time."""
        raw = self.raw(feed).join(held.lazy().select(RAW), on=RAW, how="semi")
        said = raw.select(*RAW, *(self.stated(feed, name).alias(f"raw_{name}") for name in names)).unique(RAW)
        return held.join(said.collect(), on=RAW, how="left", maintain_order="left")

    def fallback(self, feed: str) -> pl.Expr:
        """The brand of a row whose raw record is past its time."""
        own = pl.col("subject_namespace").is_in(OWN_SCOPE) & (pl.col("subject_scope") != "")
        return pl.when(own).then("subject_scope").otherwise(self.configured(feed))


def movements(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of silver.points_ledger: those of a brand's own ledger within their brand."""
    rows = older.told("points_events", held, "brand")
    own = pl.coalesce("raw_brand", older.fallback("points_events"))
    return _scoped(rows, "record_scope", pl.when(pl.col("source") == "brand").then(own).otherwise(pl.lit("")))


def consents(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of silver.consents within their brand."""
    rows = older.told("consents", held, "brand")
    return _scoped(rows, "consent_scope", pl.coalesce("raw_brand", older.fallback("consents")))


def claims(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of silver.order_claims within the mini-program that took them."""
    rows = older.told("order_claims", held, "app_id", "brand")
    defaults = older.defaults.get("order_claims", {})
    default = pl.lit(defaults.get("app_id") or defaults.get("brand", ""))
    said = pl.when(pl.col("raw_app_id") != "").then("raw_app_id").otherwise("raw_brand")
    app = pl.when(pl.col("openid_scope") != "").then("openid_scope")
    return _scoped(rows, "claim_scope", pl.coalesce(app, said, default))


def lines(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of silver.order_lines: those of own channels with the brand within which their product numbers count."""
    own = held.filter(OWN_CHANNEL)
    parts = [held.filter(~OWN_CHANNEL | ~pl.col("feed").is_in(SOLD_BY))]
    for feed in SOLD_BY:
        rows = older.told(feed, own.filter(pl.col("feed") == feed), "brand")
        found = pl.coalesce("raw_brand", older.fallback(feed))
        parts.append(_scoped(rows, "product_scope", pl.when(found != "").then(found)).select(held.columns))
    return pl.concat(parts)


def products(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of silver.products: those of own channels within their brand; call it when order lines have theirs."""
    sold = older.lake.scan(LINES).filter(OWN_CHANNEL & pl.col("product_scope").is_not_null())
    named = sold.group_by(NUMBER).agg(pl.col("product_scope").unique().alias("sold_by"))
    one = named.filter(pl.col("sold_by").list.len() == 1).with_columns(pl.col("sold_by").list.first()).collect()
    rows = older.told("products", held, "brand").join(one, on=NUMBER, how="left", maintain_order="left")
    own = pl.coalesce("raw_brand", "sold_by", older.configured("products"))
    return _scoped(rows, "product_scope", pl.when(OWN_CHANNEL).then(own).otherwise(pl.lit("")))


def product_dimension(held: pl.DataFrame, _: Older) -> pl.DataFrame:
    """Rows of gold.dim_product with the keys that the facts have; the next run makes both anew."""
    return _scoped(held, "product_scope", pl.lit(""))


def verdicts(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of identity.claims, each where its claim is; the next stitch makes them anew."""
    return _as_in(held, older.lake.scan(CLAIMS), "claim_scope", ["claim_id"])


def movement_facts(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Rows of gold.fact_points, each where its movement is; the next run makes them anew."""
    return _as_in(held, older.lake.scan(LEDGER), "record_scope", ["source", "record_id"])


def evidence(held: pl.DataFrame, older: Older) -> pl.DataFrame:
    """Observations that a brand's own records made of their number, named as those records are read today.

    So a record that comes again states what is known already. One whose raw record is past its time, of a brand that
    the configuration does not name, keeps its name.
    """
    named = pl.concat([_renamed(held, older, feed) for feed in NUMBERED])
    if named.is_empty():
        return held
    rows = held.join(named, on=list(EVIDENCE.key), how="left", maintain_order="left")
    taken_back = named.rename({"observation_id": "retracts", "named": "retracts_named"})
    rows = rows.join(taken_back, on=["source", "retracts"], how="left", maintain_order="left")
    return rows.with_columns(
        observation_id=pl.coalesce("named", "observation_id"), retracts=pl.coalesce("retracts_named", "retracts")
    ).drop("named", "retracts_named")


def _renamed(held: pl.DataFrame, older: Older, feed: str) -> pl.DataFrame:
    """The observations of a feed that are called otherwise now: `source`, `observation_id`, `named`."""
    field_name, kind, form = NUMBERED[feed]
    number = pl.col("observation_id").str.extract(form)
    of_feed = pl.col("source") == feed
    rows = held.filter(of_feed).select(*EVIDENCE.key, "interval", number=number).drop_nulls("number")
    told = pl.col("payload").str.json_path_match(f"$.{field_name}").str.strip_chars()
    raw = older.raw(feed).join(rows.lazy().select("interval"), on="interval", how="semi")
    said = raw.select("interval", number=told, brand=older.stated(feed, "brand")).drop_nulls("number").collect()
    # Where two brands used a number on one day, the first observation is either's: the name says the lesser brand.
    first = said.group_by("interval", "number").agg(pl.col("brand").min())
    default = older.defaults.get(feed, {}).get("brand", "")
    known = rows.join(first, on=["interval", "number"], how="left").with_columns(pl.col("brand").fill_null(default))
    rest = pl.col("observation_id").str.strip_prefix(f"{kind}:")
    named = pl.concat_str(pl.lit(f"{kind}@"), "brand", pl.lit(":"), rest)
    return known.filter(pl.col("brand") != "").select(*EVIDENCE.key, named=named)


def _as_in(held: pl.DataFrame, facts: pl.LazyFrame, scope: str, number: list[str]) -> pl.DataFrame:
    known = facts.select(*number, stands=scope).unique(number).collect()
    rows = held.join(known, on=number, how="left", maintain_order="left")
    return _scoped(rows, scope, pl.coalesce("stands", pl.lit("")))


def _scoped(rows: pl.DataFrame, scope: str, found: pl.Expr) -> pl.DataFrame:
    """The rows with a scope, kept where it is stated; what was joined beside the table's columns is left out later."""
    return rows.with_columns(pl.coalesce(scope, found).alias(scope))
