"""What the commands about people share: the lake as they read it, and the stitcher as they run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pipelines.cli.common import keys_of, spark_session
from pipelines.errors import ConfigurationError, IntegrityError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from identity.decision import Decision
    from identity.policy import Policy
    from pipelines.group_evidence import LakeReader
    from pipelines.jobs.s3_stitch import StitchSettings
    from pipelines.store.lake import Lake


def reader_of(settings: Settings) -> LakeReader:
    """The lake as look-ups see it, under the policy in force."""
    from pipelines.group_evidence import LakeReader
    from pipelines.policies import policy_path, read_policy
    from pipelines.sources.config import load_mix_keys

    policy = read_policy(policy_path(settings))
    return LakeReader(settings.lake, policy, keys_of(settings).identity, load_mix_keys(settings.keys))


def decisions_in(settings: Settings) -> tuple[Decision, ...]:
    """All decisions of the lake, revoked ones included."""
    from pipelines.jobs.s3_work import decisions_of

    return decisions_of(settings.lake)


def last_day(settings: Settings) -> str:
    """The business day of the last stitch; refused before the first."""
    from pipelines.jobs.s3_marker import marker_of

    marker = marker_of(settings.lake)
    if marker is None:
        raise ConfigurationError("nothing was stitched yet", where=str(settings.lake), hint="run `cdp run` first")
    return marker.as_of


@contextmanager
def clustered(settings: Settings) -> Iterator[Callable[[], Lake]]:
    """A function that opens the lake with a Spark session, for large lakes; the session ends with the block."""
    from pipelines.store.lake import Lake

    with ExitStack() as stack:

        def opened() -> Lake:
            return Lake(stack.enter_context(spark_session(settings)), settings.lake)

        yield opened


def stitching(settings: Settings, policy: Policy | None = None) -> StitchSettings:
    """How the lake is stitched, under the policy in force or another."""
    from pipelines.jobs.s3_stitch import stitch_settings
    from pipelines.policies import policy_path, read_policy

    return stitch_settings(settings, policy or read_policy(policy_path(settings)), keys_of(settings).identity)


def stitch_now(settings: Settings, policy: Policy | None, as_of: str) -> dict[str, Any]:
    """The stitcher ran for what is new, now; what it changed. The next `cdp run` looks at all people."""
    from pipelines.jobs.s3_marker import marker_of
    from pipelines.jobs.s3_stitch import StitchRequest, stitch
    from pipelines.store.marks import Marks

    marker = marker_of(settings.lake)
    run_id = f"i{marker.run + 1 if marker else 1:06d}-{as_of}"
    Marks(settings.home).set("downstream")
    with clustered(settings) as cluster:
        result = stitch(settings.lake, stitching(settings, policy), StitchRequest(as_of, run_id), cluster)
    changes = {name: n for (metric, name), n in result.figures.items() if metric == "changes" and result.writes}
    if result.gates:
        raise IntegrityError("; ".join(result.gates), where="identity.report", hint="see `cdp steward queue`")
    return {"changes": changes}


def changes_text(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Merges, splits, and who finds or loses an owner, as lines."""
    lines = [f"merge  {one['one_id']} <- {', '.join(one['others'])}" for one in found["merges"]]
    for one in found["splits"]:
        lines.append(f"split  {one['one_id']}")
        lines += [f"       {', '.join(part)}" for part in one["parts"]]
    for one in found["owners"]:
        lines.append(f"owner  {one['identifier']}: {one['before'] or 'nobody'} -> {one['after'] or 'nobody'}")
    return "\n".join(lines) or "nobody would be merged or split, and no owner found or lost"
