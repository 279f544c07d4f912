"""Who is who: identifiers, evidence and decisions become OneIDs, in process, without Spark and without I/O."""

from identity.errors import DecisionRefused, IdentityError
from identity.policy import Policy
from identity.resolver import Resolver

__all__ = ["DecisionRefused", "IdentityError", "Policy", "Resolver"]
