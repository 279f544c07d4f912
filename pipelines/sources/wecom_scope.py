"""Whose ids a WeCom answer holds: a corp's own, or those of a service provider's suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.sources.base import Context, Subject
from pipelines.sources.fields import integer
from pipelines.sources.sightings import IdKey

ISV = "wecom_isv_external_userid"
"""Namespace of the ids that a service provider sees."""

RANK_BEGUN, RANK_ENDED = 1, 2
"""Of what is told for one instant, an event outranks a pull (0), and an end outranks a beginning."""


@dataclass(frozen=True)
class WecomScope:
    """Where external user ids are valid; `tenant` is the `corp_id` column of the silver tables."""

    namespace: str
    tenant: str

    def contact_key(self, external_userid: str) -> IdKey:
        """The external user as an identifier."""
        return self.namespace, self.tenant, external_userid

    def is_customer(self, member_id: str) -> bool | None:
        """Whether an id without a stated type is a customer's and not a guide's; None where its form does not tell.

        Towards a service provider guides have ids like those of customers who use WeCom themselves (`wo...`).
        """
        if self.namespace == ISV and member_id.startswith("wo") and is_external(member_id):
            return None
        return is_external(member_id)

    def subject(self, external_userid: str) -> Subject:
        """The external user as the one a fact belongs to."""
        return Subject(self.namespace, self.tenant, external_userid)


def corp_key(corp_id: str) -> str:
    """A plain corp id ignores case, an encrypted one (`wp...`) does not.

    >>> corp_key("WW0000000000000001"), corp_key("wpExampleAAAA")
    ('ww0000000000000001', 'wpExampleAAAA')
    """
    return corp_id if corp_id.startswith("wp") else corp_id.lower()


def scope_of(context: Context, *, corp_id: str = "", suite_id: str = "") -> WecomScope:
    """The scope of external user ids: the provider's suite where there is one, else the corp.

    `corp_id` and `suite_id` are what the record itself says; they come before the context.
    """
    suite = suite_id or ("" if corp_id else context.suite_id)
    if suite:
        return WecomScope(ISV, suite)
    return WecomScope("wecom_external_userid", corp_key(corp_id or context.corp_id))


def is_external(member_id: str) -> bool:
    """Whether an id without a stated type is an external user's (`wm...` WeChat, `wo...` WeCom) and not a guide's.

    >>> is_external("wmExampleAAAA0001"), is_external("wolfgang")
    (True, False)
    """
    return member_id.startswith(("wm", "wo")) and len(member_id) >= 16


def wecom_error(envelope: Mapping[str, Any]) -> str | None:
    """WeCom's error code of an answer, None when it is data; its message is left out, it may name an address."""
    code = integer(envelope.get("errcode"), "errcode")
    return f"errcode {code}" if code else None
