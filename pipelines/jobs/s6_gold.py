"""s6: facts and features become the star schema that BI tools read.

A run writes the facts that arrived, the facts of identifiers whose person changed, and the people it touched; a rebuild
writes all. Both give the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce

import polars as pl
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn

from features.catalog import declared_tags
from features.engine import Hold
from features.parameters import SHIPPED, Parameters
from features.spec import Tag
from pipelines.jobs import s5_tags, s6_aggregates, s6_dims, s6_facts, s6_sessions
from pipelines.jobs.context import JobOutcome, RunContext
from pipelines.jobs.holding import holding
from pipelines.jobs.product_listings import with_listing
from pipelines.jobs.refund_shops import NUMBER, with_shop
from pipelines.jobs.s4_facts import ORDER, living_people, owners_of
from pipelines.jobs.s4_relations import layer_changes, relation_spans
from pipelines.jobs.s4_touched import Arrival, moved_keys
from pipelines.store.creation import WriteResult
from pipelines.store.lake import Lake
from pipelines.tables import ALL


@dataclass(frozen=True)
class Scope:
    """What a run has to look at.

    `read` gives a table's rows by full name; `hold` keeps a frame in memory; `people`: `one_id` of the people touched
    (None: everything is written anew); `first` to `last`: arrival intervals; `arrived`: silver tables with new rows;
    `as_of`: the business day answered for; `idle_minutes`: the pause that ends a session; `moved`: `subject_key`,
    `was` of the identifiers whose owner changed, with the former owner where known (None: may be any); `retagged`:
    `one_id`, `tag` of the tags that changed (None: may be any); `refunded`: `platform`, `order_id` of orders whose
    refunds may have changed although their newest version arrived before (None: of no order).
    """

    read: Callable[[str], DataFrame]
    hold: Hold
    people: DataFrame | None
    first: str
    last: str
    as_of: str
    arrived: frozenset[str]
    tags: tuple[Tag, ...]
    idle_minutes: int = SHIPPED.sessions.idle_minutes
    moved: DataFrame | None = None
    retagged: DataFrame | None = None
    refunded: DataFrame | None = None

    @cached_property
    def owners(self) -> DataFrame:
        """All owned identifiers with their person."""
        return self.hold(owners_of(self.read("identity.oneid_map"), None))

    @cached_property
    def keys(self) -> DataFrame | None:
        """`subject_key` of every identifier whose owner changed; None for all."""
        return None if self.moved is None else self.hold(self.moved.select("subject_key").distinct())

    @cached_property
    def events(self) -> DataFrame:
        """Events with their sessions: all, or those of the days of persons on which something is new: an event that
        arrived, or one of an identifier whose owner changed."""
        events = self.read("silver.events")
        if self.moved is not None and self.keys is not None:
            named = s6_sessions.with_visitor(events, self.owners)
            changed = self.due(named).select("subject_key", *s6_sessions.DAY)
            former = changed.join(self.moved.where("was IS NOT NULL"), "subject_key").select(
                fn.col("was").alias("visitor"), "day"
            )
            days = changed.select(*s6_sessions.DAY).unionByName(former).distinct()
            events = named.join(days, list(s6_sessions.DAY), "left_semi").select(*events.columns)
        return self.hold(s6_sessions.with_sessions(events, self.owners, idle_minutes=self.idle_minutes))

    def is_new(self) -> Column:
        """Whether a row arrived in the run's intervals."""
        return fn.coalesce(fn.col("interval").between(self.first, self.last), fn.lit(False))

    def numbers(self, *frames: DataFrame) -> DataFrame:
        """`platform`, `order_id` of the rows of the frames and of the orders `refunded`, each once."""
        every = [*frames, *([] if self.refunded is None else [self.refunded])]
        numbers = [frame.select(*NUMBER) for frame in every]
        return reduce(lambda one, other: one.unionByName(other), numbers).distinct()

    def due(self, frame: DataFrame, numbers: DataFrame | None = None) -> DataFrame:
        """The rows that arrived, whose owner changed or that name an order of `numbers`; all in a rebuild."""
        if self.keys is None:
            return frame
        marked = frame.join(self.keys.withColumn("_held", fn.lit(True)), "subject_key", "left")
        due = self.is_new() | fn.col("_held").isNotNull()
        if numbers is not None:
            marked = marked.join(numbers.withColumn("_named", fn.lit(True)), NUMBER, "left")
            due = due | fn.col("_named").isNotNull()
        return marked.where(due).drop("_held", "_named")


@dataclass(frozen=True)
class Part:
    """Rows of a table and the keys they replace; without keys they are the whole table."""

    rows: DataFrame
    keys: DataFrame | None = None
    key_columns: tuple[str, ...] = ()


Builder = Callable[[Scope], Part]


def run(context: RunContext) -> JobOutcome:
    """The star schema holds what silver, identity and features hold."""
    lake = context.lake
    parameters = Parameters.load(context.settings.conf / "features")
    state = context.state
    people = state.people if lake.exists(ALL["gold.dim_date"]) else None
    with holding(lake, context.staging) as hold:
        scope = Scope(
            read=lambda name: lake.read(ALL[name]),
            hold=hold,
            people=people,
            moved=_moved(context) if people is not None else None,
            retagged=_retagged(context) if people is not None else None,
            refunded=_frame(context, state.refunded, "platform string, order_id string"),
            first=context.first,
            last=context.last,
            as_of=context.as_of,
            arrived=frozenset(state.staged),
            tags=declared_tags(parameters),
            idle_minutes=parameters.sessions.idle_minutes,
        )
        writes = [*write_due(lake, scope, PARTS), *write_due(lake, scope, AGGREGATES)]
    return JobOutcome(writes=writes)


def _moved(context: RunContext) -> DataFrame:
    arrival = Arrival(context.run_id, context.as_of, context.first, context.last)
    found = moved_keys(context.lake.local, arrival, context.state.moved)
    return _frame(context, found, "subject_key bigint, was string")


def _retagged(context: RunContext) -> DataFrame | None:
    tags = context.state.retagged
    return None if tags is None else _frame(context, tags, "one_id string, tag string")


def _frame(context: RunContext, rows: pl.DataFrame, schema: str) -> DataFrame:
    return context.lake.spark.createDataFrame(rows.to_arrow(), schema)


def write_due(lake: Lake, scope: Scope, parts: Parts) -> list[WriteResult]:
    """Every table that may have to change holds its rows; several are written at a time."""

    def write(name: str) -> WriteResult:
        build, _ = parts[name]
        return _write(lake, name, build(scope))

    return lake.each(write, due_parts(scope, parts))


def due_parts(scope: Scope, parts: Parts) -> list[str]:
    """Tables that may have to change: all in a rebuild, else those with inputs that arrived or touched people."""
    if scope.people is None:
        return list(parts)
    present = {ALWAYS} if scope.people.isEmpty() else {ALWAYS, PEOPLE}
    return [name for name, (_, inputs) in parts.items() if (present | scope.arrived).intersection(inputs)]


def _write(lake: Lake, name: str, part: Part) -> WriteResult:
    table = ALL[name]
    if part.key_columns:
        return lake.replace_own(table, part.rows, part.key_columns)
    return lake.replace(table, part.rows) if part.keys is None else lake.replace_keys(table, part.rows, part.keys)


def _keyed(scope: Scope, rows: DataFrame, *key: str) -> Part:
    return Part(rows) if scope.people is None else Part(rows, key_columns=key)


def order_line_part(scope: Scope) -> Part:
    """Lines of the orders that arrived, whose lines or refunds arrived, or whose buyer may have changed."""
    orders, lines, refunds = (scope.read(f"silver.{name}") for name in ("orders", "order_lines", "refunds"))
    if scope.people is not None:
        # By number, not by shop: a refund without a shop depends on all orders that have its number.
        told = refunds.where(scope.is_new() & fn.col("order_id").isNotNull())
        wanted = scope.hold(scope.numbers(scope.due(orders), scope.due(lines), told))
        orders, lines, refunds = (frame.join(wanted, NUMBER, "left_semi") for frame in (orders, lines, refunds))
    lines = with_listing(lines, scope.read("silver.products"))
    return _keyed(scope, s6_facts.order_lines(orders, lines, with_shop(refunds, orders), scope.owners), *ORDER)


def refund_part(scope: Scope) -> Part:
    """Refunds that arrived, of whose number an order or another refund arrived, or whose buyer may have changed."""
    orders, told = scope.read("silver.orders"), scope.read("silver.refunds")
    joined = s6_facts.with_order(told, orders)
    numbered = told.where(scope.is_new() & fn.col("order_id").isNotNull())
    due = scope.due(joined, scope.numbers(orders.where(scope.is_new()), numbered))
    return _keyed(scope, s6_facts.refunds(due, scope.owners), *ALL["gold.fact_refund"].key)


def event_part(scope: Scope) -> Part:
    """Events that arrived or whose person may have changed, and those that may stand in a session with them."""
    return _keyed(scope, s6_facts.events(scope.events), "event_id")


def session_part(scope: Scope) -> Part:
    """Sessions of those events; a session is named after one of its events, so they name all that may have been."""
    former = None if scope.people is None else scope.events.select(fn.col("event_id").alias("session_id"))
    return Part(s6_sessions.sessions(scope.events), former)


def points_part(scope: Scope) -> Part:
    """Points movements that arrived or whose holder may have changed."""
    rows = s6_facts.points(scope.due(scope.read("silver.points_ledger")), scope.owners)
    return _keyed(scope, rows, *ALL["gold.fact_points"].key)


def relation_part(scope: Scope) -> Part:
    """Layer changes of the people touched; visitors are in no layer."""
    oneid_map = scope.read("identity.oneid_map")
    persons = living_people(scope.read("identity.oneids"), scope.people).where("NOT is_visitor")
    owners = owners_of(oneid_map, persons.select("one_id"))
    spans = relation_spans(
        oneid_map,
        scope.read("silver.orders"),
        scope.read("silver.members"),
        (scope.read("silver.contact_follows"), scope.read("silver.contact_follow_changes")),
        owners,
    )
    return Part(s6_facts.relation_days(layer_changes(scope.hold(spans))), scope.people)


def customer_part(scope: Scope) -> Part:
    """The people touched, as their features say."""
    features = _of_people(scope.read("features.customer_features"), scope.people)
    return Part(s6_dims.customers(features, scope.read("identity.oneids")), scope.people)


def bridge_part(scope: Scope) -> Part:
    """The tags that the run wrote or took away."""
    tags = scope.read("features.customer_tags")
    if scope.retagged is not None:
        tags = tags.join(scope.retagged, list(s5_tags.KEY), "left_semi")
    return Part(s6_facts.tag_bridge(tags, scope.tags), scope.retagged)


def product_part(scope: Scope) -> Part:
    """All listed products, and those only order lines name: with new lines the ones they name."""
    lines = scope.read("silver.order_lines")
    if scope.people is not None and "silver.products" not in scope.arrived:
        named = lines.where(scope.is_new()).select("platform", "product_id").distinct()
        lines = lines.join(named, ["platform", "product_id"], "left_semi")
    return _keyed(scope, s6_dims.products(scope.read("silver.products"), lines), "product_key")


def shop_part(scope: Scope) -> Part:
    """The shops of the orders that arrived."""
    orders = scope.read("silver.orders")
    return _keyed(scope, s6_dims.shops(orders if scope.people is None else orders.where(scope.is_new())), "shop_key")


def staff_part(scope: Scope) -> Part:
    """All guides."""
    return Part(s6_dims.staff(scope.read("silver.staff"), scope.read("silver.contact_follows")))


def group_part(scope: Scope) -> Part:
    """All customer groups."""
    return Part(s6_dims.groups(scope.read("silver.groups"), scope.read("silver.group_members")))


def date_part(scope: Scope) -> Part:
    """The calendar."""
    return Part(s6_dims.calendar(scope.read("silver.staff").limit(0), as_of=scope.as_of))


def funnel_part(scope: Scope) -> Part:
    """People in each layer, day by day."""
    return Part(s6_aggregates.funnel(scope.read("gold.fact_relation_daily"), as_of=scope.as_of))


def assets_part(scope: Scope) -> Part:
    """People known in each channel, day by day."""
    changes = scope.read("identity.oneid_changes")
    return Part(s6_aggregates.oneid_assets(scope.read("features.customer_features"), changes, as_of=scope.as_of))


def _of_people(frame: DataFrame, people: DataFrame | None) -> DataFrame:
    return frame if people is None else frame.join(people, "one_id", "left_semi")


PEOPLE, ALWAYS = "people", "always"

Parts = Mapping[str, tuple[Builder, tuple[str, ...]]]
"""Tables with their builder and what makes them due: touched people, new rows of a silver table, or each run."""

PARTS: Parts = {
    "gold.dim_date": (date_part, (ALWAYS,)),
    "gold.dim_shop": (shop_part, ("silver.orders",)),
    "gold.dim_product": (product_part, ("silver.products", "silver.order_lines")),
    "gold.dim_staff": (staff_part, ("silver.staff", "silver.contact_follows")),
    "gold.dim_group": (group_part, ("silver.groups", "silver.group_members")),
    "gold.dim_customer": (customer_part, (PEOPLE,)),
    "gold.fact_order_line": (order_line_part, (PEOPLE, "silver.orders", "silver.order_lines", "silver.refunds")),
    "gold.fact_refund": (refund_part, (PEOPLE, "silver.orders", "silver.refunds")),
    "gold.fact_event": (event_part, (PEOPLE, "silver.events")),
    "gold.fact_session": (session_part, (PEOPLE, "silver.events")),
    "gold.fact_points": (points_part, (PEOPLE, "silver.points_ledger")),
    "gold.fact_relation_daily": (relation_part, (PEOPLE,)),
    "gold.bridge_customer_tag": (bridge_part, (ALWAYS,)),
}
AGGREGATES: Parts = {
    "gold.agg_funnel_daily": (funnel_part, (ALWAYS,)),
    "gold.agg_oneid_daily": (assets_part, (ALWAYS,)),
}
"""Aggregates come after the facts they are made from."""
