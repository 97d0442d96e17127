"""Delivery: whether a part that is ordered on one day stands in the site by another."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from solver.study import SiteSpec
from solver.units import SECONDS_PER_WEEK


@dataclass(frozen=True)
class Delivery:
    """The weeks between order and power; None where the study does not ask."""

    weeks: float | None

    @classmethod
    def of(cls, site: SiteSpec) -> Delivery:
        """Read the two dates of a study's site."""
        if site.order_date is None or site.energised_by is None:
            return cls(None)
        days = datetime.date.fromisoformat(site.energised_by) - datetime.date.fromisoformat(site.order_date)
        return cls(days.days / 7.0)

    def too_late(self, lead_time_s: float | None) -> str:
        """Return why a part comes too late, or an empty string; an unknown lead time is not held against it."""
        if self.weeks is None or lead_time_s is None:
            return ""
        lead = lead_time_s / SECONDS_PER_WEEK
        return f"comes {lead:g} weeks after its order, needed within {self.weeks:.1f}" if lead > self.weeks else ""
