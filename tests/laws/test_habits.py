"""What the code never does: print, look at the wall clock, draw without a seed, touch Spark tables out of place."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from tests.laws.code import Module, at, chain, module, modules, report

SPARK_HOMES = ("pipelines.session", "pipelines.store")
"""The only modules that read or write tables."""

PRINT_HOMES = ("pipelines.cli", "bench")
CLOCK_HOMES = ("pipelines.clock", "serving.clock")
"""The only modules that look at the machine's clock; everything else is handed the time."""

ENVIRONMENT_HOMES = ("pipelines.settings", "pipelines.session", "pipelines.embedded", "pipelines.setup")
"""The only modules that read the environment: settings once, set-up before that, and what the engines look at."""

SCRATCH_HOMES = ("pipelines.jobs.worker",)
"""The only modules that may draw a name: of scratch files that tasks of one run write side by side."""

COLLECT_HOMES = (
    "pipelines.store",
    "pipelines.quality",
    "pipelines.jobs.s1_bronze",
    "pipelines.jobs.s2_silver",
    "pipelines.jobs.s3_identity",
    "pipelines.jobs.parsing",
    "pipelines.jobs.holding",
)
"""The only modules that bring rows to the driver: counts and verdicts per batch, results of checks. Modules that work
with Polars alone have no driver: their frames never left this process."""

COLLECTS = {"collect", "toPandas", "toArrow", "toLocalIterator"}
SPARK_ATTRIBUTES = {"read", "readStream", "write", "writeStream"}
CLOCK_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "date.today",
    "datetime.date.today",
    "time.time",
    "time.time_ns",
}
SPARK_CLOCK_CALLS = {"current_timestamp", "current_date", "now", "localtimestamp"}
UNSEEDED = {"random", "randint", "choice", "choices", "shuffle", "sample", "uniform", "gauss", "randrange", "seed"}
FRAME_STEPS = {
    "filter", "where", "withColumn", "withColumns", "withColumnRenamed", "select", "selectExpr", "drop", "join",
    "groupBy", "orderBy", "distinct", "dropDuplicates", "union", "unionByName", "limit", "repartition", "coalesce",
}  # fmt: skip
"""Steps that give a new frame; calling one and dropping its result does nothing."""


def spark_out_of_place(source: Module) -> list[str]:
    if source.inside(*SPARK_HOMES):
        return []
    found = []
    for node in source.nodes:
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr in SPARK_ATTRIBUTES
        ):
            found.append(f"{at(source, node)} uses .{node.value.attr}.{node.attr}; only {', '.join(SPARK_HOMES)} may")
        if (
            isinstance(node, (ast.Name, ast.alias))
            and (getattr(node, "id", "") or getattr(node, "name", "")) == "DeltaTable"
        ):
            found.append(f"{at(source, node)} uses DeltaTable; only {', '.join(SPARK_HOMES)} may")
        if isinstance(node, ast.Attribute) and chain(node) == "SparkSession.builder":
            found.append(f"{at(source, node)} builds a session; only pipelines.session may")
    return found


def collected(source: Module) -> list[str]:
    if source.inside(*COLLECT_HOMES) or ("import polars as pl" in source.text and "pyspark" not in source.text):
        return []
    calls = (node for node in source.nodes if isinstance(node, ast.Call))
    steps = ((call, call.func.attr) for call in calls if isinstance(call.func, ast.Attribute))
    return [f"{at(source, call)} brings rows to the driver with .{step}()" for call, step in steps if step in COLLECTS]


def prints(source: Module) -> list[str]:
    if source.inside(*PRINT_HOMES):
        return []
    calls = (node for node in source.nodes if isinstance(node, ast.Call))
    return [
        f"{at(source, call)} prints; raise, return or use the progress reporter"
        for call in calls
        if chain(call.func) == "print"
    ]


def wall_clock(source: Module) -> list[str]:
    if source.inside(*CLOCK_HOMES):
        return []
    found = []
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = chain(node.func)
        spark = name.partition(".")[0] in ("F", "functions") and name.rpartition(".")[2] in SPARK_CLOCK_CALLS
        if name in CLOCK_CALLS or spark:
            found.append(f"{at(source, node)} calls {name}; the time is handed in")
    return found


def unseeded(source: Module) -> list[str]:
    found = []
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = chain(node.func)
        base, _, last = name.rpartition(".")
        bare = name in ("random.Random", "Random", "default_rng", "np.random.default_rng", "numpy.random.default_rng")
        drawn = base in ("random", "np.random", "numpy.random") and last in UNSEEDED
        spark = base in ("F", "functions") and last in ("rand", "randn", "uuid", "shuffle")
        if drawn or (bare and not node.args) or (spark and not node.args):
            found.append(f"{at(source, node)} draws with {name} without a seed")
        if name in ("uuid.uuid4", "uuid4", "uuid.uuid1") and not source.inside(*SCRATCH_HOMES):
            found.append(f"{at(source, node)} makes an id with {name}; ids come from what they name")
    return found


def dropped_frames(source: Module) -> list[str]:
    found = []
    for node in source.nodes:
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
        ):
            step = node.value.func.attr
            thread = step == "join" and not node.value.args
            if step in FRAME_STEPS and not thread and not chain(node.value.func).startswith("op."):
                found.append(f"{at(source, node)} drops the result of .{step}(); a frame is never changed in place")
    return found


def swallowed(source: Module) -> list[str]:
    found = []
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            broad = node.type is None or chain(node.type) in ("Exception", "BaseException")
            if broad and all(isinstance(step, (ast.Pass, ast.Continue)) for step in node.body):
                found.append(f"{at(source, node)} swallows every error")
    return found


def environment_reads(source: Module) -> list[str]:
    if source.inside(*ENVIRONMENT_HOMES):
        return []
    names = ("os.environ", "os.getenv", "os.putenv")
    nodes = (node for node in source.nodes if isinstance(node, ast.Attribute))
    return [
        f"{at(source, node)} reads the environment; settings are handed in" for node in nodes if chain(node) in names
    ]


LAWS: tuple[Callable[[Module], list[str]], ...] = (
    spark_out_of_place,
    collected,
    prints,
    wall_clock,
    unseeded,
    dropped_frames,
    swallowed,
    environment_reads,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_code_keeps_the_habit(law: Callable[[Module], list[str]]) -> None:
    report([wrong for source in modules() for wrong in law(source)])


@pytest.mark.parametrize(
    ("law", "text"),
    [
        (spark_out_of_place, "frame.write.format('delta').save('x')"),
        (spark_out_of_place, "rows = session.read.json('x')"),
        (spark_out_of_place, "from delta.tables import DeltaTable"),
        (spark_out_of_place, "session = SparkSession.builder.getOrCreate()"),
        (collected, "rows = frame.limit(5).collect()"),
        (collected, "table = frame.toArrow()"),
        (prints, "print('x')"),
        (wall_clock, "from datetime import datetime\nx = datetime.now(UTC)"),
        (wall_clock, "started = time.time()"),
        (wall_clock, "frame = frame.withColumn('at', F.current_timestamp())"),
        (unseeded, "x = random.choice([1, 2])"),
        (unseeded, "rng = random.Random()"),
        (unseeded, "key = uuid.uuid4()"),
        (unseeded, "frame = frame.orderBy(F.rand())"),
        (dropped_frames, "frame.filter('a > 1')"),
        (swallowed, "try:\n    f()\nexcept Exception:\n    pass"),
        (environment_reads, "home = os.environ['HOME']"),
    ],
)
def test_a_planted_bad_habit_is_found(law: Callable[[Module], list[str]], text: str) -> None:
    assert len(law(module("pipelines.x", text))) == 1


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "text",
    [
        "handle.write('x')\nsys.stdout.write('y')",
        "rows = lake.read(table)",
        "rng = random.Random(7)\nx = rng.choice([1])",
        "started = clock()\nspent = time.monotonic() - started",
        "frame = frame.filter('a > 1')",
        "try:\n    f()\nexcept ValueError:\n    pass",
        "thread.join(timeout=5)",
    ],
)
def test_a_good_habit_is_let_through(law: Callable[[Module], list[str]], text: str) -> None:
    assert law(module("pipelines.x", text)) == []
