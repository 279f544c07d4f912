"""s3: observations become OneIDs, in the run of a lake."""

from __future__ import annotations

from pipelines.embedded import connected
from pipelines.errors import IntegrityError
from pipelines.jobs.context import MOVED, JobOutcome, RunContext
from pipelines.jobs.s3_derived import Days, judge_claims, observe_order_phones
from pipelines.jobs.s3_stitch import StitchRequest, StitchResult, stitch, stitch_settings
from pipelines.store.creation import WriteResult


def run(context: RunContext) -> JobOutcome:
    """Every identifier of the lake has its OneID; the people whose identifiers moved are in the run's state.

    Raises IntegrityError (exit 4) when a bound of the configuration is broken; the tables hold what the report says.
    """
    derived = _derive(context)
    settings = stitch_settings(context.settings, context.policy, context.keys.identity)
    request = StitchRequest(context.as_of, context.run_id, full=context.full)
    with connected(on=False):
        result = stitch(context.settings.lake, settings, request, cluster=context.cluster)
    _tell_features(context, result)
    if result.gates:
        raise IntegrityError(
            f"the identity report breaks its bounds: {'; '.join(result.gates)}",
            where="identity.report",
            hint="see `cdp identity report`, then decide in the review queue or change the bound in conf/identity.yaml",
        )
    quiet = "" if result.writes else "no new evidence and no new decision"
    return JobOutcome(writes=[*derived, *result.writes], skipped=quiet)


def _derive(context: RunContext) -> list[WriteResult]:
    """Evidence that follows from two facts is in the lake: decrypted order phones, and verdicts on claims."""
    days = Days() if context.full else Days(context.first, context.last)
    phones = observe_order_phones(context.lake.local, context.policy, days)
    claims = judge_claims(context.lake.local, context.policy, context.keys.vault)
    return [write for write in (phones, claims) if write is not None]


def _tell_features(context: RunContext, result: StitchResult) -> None:
    """The identifiers that moved, and the people who lost or won one, are known to the jobs that follow."""
    if not result.writes:
        return
    if result.moved is None:
        context.state.touch_all = True
        return
    context.state.moved = result.moved.select(*MOVED)
    context.state.touched.append(result.moved.select("identifier_key"))
