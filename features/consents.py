"""Features of what a person agreed to.

Of one identifier the latest statement counts; of several, the most restrictive.
"""

from __future__ import annotations

from features.spec import Derived, Fact, Feature, Theme

PURPOSES = {"marketing": "营销", "profiling": "画像"}
"""Purposes that have columns of their own, with their labels; another purpose is one more entry."""

CONSENTS = Fact(
    name="consents",
    doc="Latest statement of each identifier of the person and purpose",
    columns={"purpose": "Purpose", "status": "granted or withdrawn", "stated_at": "When it was stated"},
)


def _features(purpose: str, label: str) -> tuple[Feature, ...]:
    when = f"purpose = '{purpose}'"
    return (
        Feature(
            f"consent_{purpose}",
            "string",
            f"Consent for {label}: withdrawn as soon as one identifier withdrew, granted, null when never stated",
            "consents",
            f"max(status) FILTER (WHERE {when})",
        ),
        Feature(
            f"consent_{purpose}_at",
            "timestamp",
            f"Last statement on {label}",
            "consents",
            f"max(stated_at) FILTER (WHERE {when})",
        ),
        Feature(
            f"consent_{purpose}_conflict",
            "boolean",
            f"Identifiers of the person disagree on {label}; the withdrawal holds",
            "consents",
            f"coalesce(min(status) FILTER (WHERE {when}) <> max(status) FILTER (WHERE {when}), false)",
            "false",
        ),
    )


THEME = Theme(
    name="consents",
    facts=(CONSENTS,),
    features=(
        *(feature for purpose, label in PURPOSES.items() for feature in _features(purpose, label)),
        Feature(
            "withdrawn_purposes",
            "array<string>",
            "All purposes with a withdrawal that holds, sorted",
            "consents",
            "sort_array(collect_set(purpose) FILTER (WHERE status = 'withdrawn'))",
        ),
    ),
    derived=(
        Derived(
            "consent_conflict",
            "boolean",
            "Identifiers of the person disagree on a purpose",
            " OR ".join(f"consent_{purpose}_conflict" for purpose in PURPOSES),
        ),
    ),
)
"""Consents; `granted` < `withdrawn`, so the greatest status is the most restrictive."""
