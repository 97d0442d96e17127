"""What the validation page says was reached is what its own command printed further down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "validation.md").read_text()
THREE, MEDIAN = r"([\d.]+)% / +([\d.]+)% / +([\d.]+)%", r"([\d.]+)%"
ROWS = {
    "TPOT, family left out": [f"tpot_left_out +{THREE}"],
    "the same on the InferenceX rows": [f"tpot_public_left_out +{THREE}"],
    "output tokens/s/GPU": [f"throughput_left_out +{MEDIAN}"],
    "TTFT with at most 4": [f"ttft_quiet_left_out +{MEDIAN}"],
    "TPOT, accelerator left out": [f"tpot_accelerator_left_out +{MEDIAN}"],
    "GPU power": [rf"power_left_out{part} +{MEDIAN}" for part in ("", ":h100_sxm", ":b200_sxm")],
    "tokens per joule": [f"tokens_per_joule_left_out +{MEDIAN}"],
    "Splitwise A100 and H100": [f"splitwise_left_out +{MEDIAN}", f"distserve_left_out +{MEDIAN}"],
    "pairs of accelerators": [r"pairs of accelerators +([\d.]+)% of (\d+)"],
}


@pytest.mark.parametrize("row", ROWS)
def test_the_table_is_what_was_printed(row: str) -> None:
    """A figure left from an older fit would differ."""
    cells = re.search(rf"^\| {re.escape(row)}.*$", PAGE, re.MULTILINE)
    printed = [re.search(rf"^    {pattern}", PAGE, re.MULTILINE) for pattern in ROWS[row]]
    assert cells and all(printed)
    expected = [number for found in printed if found for number in found.groups()]
    assert re.findall(r"\d+(?:\.\d+)?", cells[0].split("|")[3]) == expected
