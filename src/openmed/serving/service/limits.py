"""How much one request, and all of them together, may ask of the service; and how it says no.

Limits(max_seconds=10)
raise Refusal(413, "the body has more than 2000000 bytes", mend="send less at once")
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from openmed.errors import ConfigError, OpenMedError


@dataclass(frozen=True, slots=True)
class Limits:
    """Args:
    max_bytes: of a request's body.
    max_texts: in one request.
    max_seconds: for a body to arrive, and then for its texts to be tagged, waiting included.
    max_requests: waiting or being tagged at once; further ones are told when to come back.

    Raises:
        ConfigError: one that is not a positive number.
    """

    max_bytes: int = 2_000_000
    max_texts: int = 1_000
    max_seconds: float = 60.0
    max_requests: int = 64

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not 0 < value < math.inf:
                raise ConfigError(f"{limit.name} is {value}", mend="it must be a number above 0")


class Refusal(OpenMedError):
    """A request that is not answered: which HTTP status, why, and what its sender can do."""

    def __init__(
        self, status: int, problem: str, *, mend: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(problem, mend=mend)

    def as_dict(self) -> dict[str, Any]:
        return {"error": str(self)}
