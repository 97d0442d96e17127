"""What a study may buy of a catalog; what is not sold, excluded, late or wants another cooling goes, with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from solver.catalog import Catalog
from solver.delivery import Delivery
from solver.parts import Cooling, MemoryDevice, Platform
from solver.servable import why_not_evaluated
from solver.study import Study

NOT_SOLD = "not for sale ({}); name it in `allow` to admit it"


@dataclass(frozen=True)
class Filtered:
    """A part that may not be bought in this study, and why."""

    part: str
    reason: str


def platforms_of(study: Study, catalog: Catalog) -> tuple[tuple[Platform, ...], list[Filtered]]:
    """Platforms that may be bought or are owned, and why the others may not be bought."""
    kept, removed = [], []
    owned = {spec.platform for spec in study.fleet}
    for row in catalog.rows("platforms"):
        lacking = why_not_evaluated(row, catalog)
        platform = None if lacking else catalog.typed(Platform, row.id)
        reason = "excluded by the study" if row.id in study.exclude else lacking
        if platform is not None and not reason:
            reason = _why_not(platform, study, catalog)
        if reason:
            removed.append(Filtered(row.id, reason))
        if platform is not None and (not reason or row.id in owned):
            kept.append(platform)
    return tuple(kept), removed


def _why_not(platform: Platform, study: Study, catalog: Catalog) -> str:
    """Reason why a platform may not be bought, or an empty string."""
    allowed = platform.id in study.allow
    if platform.buyable != "yes" and not allowed:
        return NOT_SOLD.format(platform.buyable)
    if platform.year_available > study.site.available_by:
        return f"available {platform.year_available}, wanted by {study.site.available_by}"
    if platform.price_central_usd is None:
        return "no price"
    if late := Delivery.of(study.site).too_late(platform.lead_time_s):
        return late
    if study.site.cooling is not None and not any(
        platform.cooling in catalog.typed(Cooling, c).accepts for c in study.site.cooling
    ):
        return f"needs {platform.cooling} cooling, which the site lacks"
    return ""


def devices_of(study: Study, catalog: Catalog) -> tuple[tuple[MemoryDevice, ...], list[Filtered]]:
    """Memory devices that may be bought as additions, and why the others may not."""
    kept, removed = [], []
    for device in catalog.all(MemoryDevice):
        if device.id in study.exclude:
            removed.append(Filtered(device.id, "excluded by the study"))
        elif device.buyable != "yes" and device.id not in study.allow:
            removed.append(Filtered(device.id, NOT_SOLD.format(device.buyable)))
        elif device.year_available > study.site.available_by:
            removed.append(
                Filtered(device.id, f"available {device.year_available}, wanted by {study.site.available_by}")
            )
        elif late := Delivery.of(study.site).too_late(device.lead_time_s):
            removed.append(Filtered(device.id, late))
        else:
            kept.append(device)
    return tuple(kept), removed
