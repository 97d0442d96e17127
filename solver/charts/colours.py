"""Colours of tiers, vendors, roles and kinds, so that a thing has the same one in every chart."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

TIERS = {
    "hbm": "#b3382c", "gddr": "#d0623a", "lpddr": "#dd8c3c", "ddr": "#d9a92f", "cxl": "#8f9f3b", "cxl_pool": "#5f9e5c",
    "hbf": "#3b9a85", "nvme_tlc": "#3a8fb0", "nvme_qlc": "#3f6fb5", "hdd": "#5a57a6", "object": "#7d5a9c",
}  # fmt: skip
"""Tier words of the catalog, hot to cold."""
ROLES = {"prefill": "#c8772e", "decode": "#3a78b4", "mixed": "#5a9367", "store": "#8a8d91"}
KINDS = {"platform": "#3a78b4", "storage": "#7d5a9c", "memory": "#5a9367", "rack": "#8a8d91", "network": "#b3485d"}
"""Kinds of lines of a bill."""
PLAIN, LOSS, GAIN = "#7a828c", "#a9646b", "#4d8f64"
"""What has no colour of its own; what is lost; what is won."""
PAPER = "#ffffff"
"""Inside of marks, so that they show on any bar."""
_PALETTE = (
    "#2f8f8b", "#7d5a9c", "#8f7433", "#b3485d", "#5f7480", "#a35f93", "#6b8e23", "#996250", "#4a6a8a", "#b58a3c",
)  # fmt: skip
_POOLED = "pooled_"


def tier_colour(tier: str) -> str:
    """Return the colour of a tier; a pooled one has that of the tier it is made of."""
    return TIERS.get(tier.removeprefix(_POOLED), PLAIN)


def vendor_colours(vendors: Iterable[str]) -> dict[str, str]:
    """Return a colour for each vendor: the same for a name wherever it stands, unless two would share one."""
    found: dict[str, str] = {}
    for vendor in sorted(set(vendors)):
        start = zlib.crc32(vendor.encode("utf-8"))
        tried = [_PALETTE[(start + step) % len(_PALETTE)] for step in range(len(_PALETTE))]
        found[vendor] = next((colour for colour in tried if colour not in found.values()), tried[0])
    return found


def faded(colour: str, share: float = 0.35) -> str:
    """Return a colour that lets what lies behind it through."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
