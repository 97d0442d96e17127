"""Hits from a node's own tier are as fast as that node reads it, whatever else is on its platform's menu."""

from __future__ import annotations

import dataclasses

import pytest
from records import GB, configuration, platform, tier

from solver.candidate import HIT, Candidate
from solver.catalog import load_catalog
from solver.configurations import configurations
from solver.enumeration.sources import sources
from solver.model.data import ModelData, model_data
from solver.scenario import resolve
from solver.solve import prepare
from solver.study import study_from_dict

SERVER, DRIVE = "mi350x_8", "nvme_solidigm_ps1010_7tb"
EIGHT, FOUR = f"8x{DRIVE}", f"4x{DRIVE}"


def test_equally_fast_configurations_are_one_source() -> None:
    """Fast, slow and as fast with more bytes: two speeds of one platform; the other platform has the first alone."""
    one, other = platform("one"), platform("other")
    fast, slow = tier("flash", read_bytes_per_s=8 * GB), tier("flash", read_bytes_per_s=4 * GB)
    larger = dataclasses.replace(fast, capacity_bytes=9 * GB)
    box = platform("box", accelerators=0)
    found = list(sources([
        configuration(one, "slow", tiers=[slow]), configuration(one, "fast", tiers=[fast]),
        configuration(one, "none"), configuration(one, "larger", tiers=[larger]),
        configuration(other, "only", tiers=[slow]), configuration(box, "full", tiers=[tier("flash", pooled=True)]),
    ]))  # fmt: skip
    assert [(s.tier, s.pooled) for s in found] == [("flash", False), ("flash", False), ("pooled_flash", True)]
    assert found[0].configurations == {"one": ("one/fast", "one/larger"), "other": ("other/only",)}
    assert found[1].configurations == {"one": ("one/slow",)} and found[1].stocks == {"one": slow}
    assert not found[2].stocks


def test_a_slower_link_is_another_source() -> None:
    """The same drives behind half the link load a hit more slowly."""
    near, far = tier(link_bytes_per_s=8 * GB), tier(link_bytes_per_s=4 * GB)
    found = list(sources([configuration(label="near", tiers=[near]), configuration(label="far", tiers=[far])]))
    assert [s.configurations["node"] for s in found] == [("node/near",), ("node/far",)]


def prepared(menu: str, drive_gb_s: float = 14.5) -> ModelData:
    """Return the columns of agents on one kind of server, whose drives read so fast."""
    catalog = load_catalog().overlay({"memory": [{"id": DRIVE, "read_bw_gb_s": drive_gb_s}]})
    others = [row.id for row in catalog.rows("memory") if row["tier"] == "nvme_tlc" and row.id != DRIVE]
    study = study_from_dict({
        "site": {"power_mw": 1.0},
        "workload": [{"id": "tool_agent", "requests_per_s": 1.0, "ttft_s": 100.0}],
        "build": {"menu": menu, "power_caps": [1.0], "roles": ["prefill"], "batch_points_per_octave": 1},
        "exclude": others + [row.id for row in catalog.rows("platforms") if row.id != SERVER],
    })  # fmt: skip
    return prepare(resolve(study, catalog))[0]


def hits(data: ModelData, label: str, tier_name: str = "nvme_tlc") -> set[Candidate]:
    """Return what loads hits from a tier of one configuration, whichever others it holds for."""
    return {
        dataclasses.replace(c.candidate, configurations=(), tpot_s=0.0, step_s=0.0)
        for c in data.columns
        if c.pool and c.pool.config.id == f"{SERVER}/{label}" and c.candidate.tier == tier_name
    }


def bytes_per_s(found: set[Candidate]) -> float:
    """Highest rate of loading, for the whole of a node of eight accelerators."""
    return max(c.requests_per_s * c.load_bytes / c.charge for c in found) * 8


def test_half_of_the_drives_slow_their_own_nodes_alone() -> None:
    """Drives of 0.1 GB/s: eight load hits at 0.8 GB/s though four are for sale too, and four at 0.4.

    Were the slowest configuration of a platform taken for all, the eight would load at 0.4.
    """
    small, full = prepared("small", 0.1), prepared("full", 0.1)
    assert bytes_per_s(hits(small, EIGHT)) == pytest.approx(0.8e9)
    assert bytes_per_s(hits(full, EIGHT)) == pytest.approx(0.8e9)
    assert bytes_per_s(hits(full, FOUR)) == pytest.approx(0.4e9)
    assert hits(small, EIGHT) == hits(full, EIGHT) and not hits(small, FOUR)


def test_a_candidate_stands_once_for_all_configurations_that_are_as_fast() -> None:
    """Host memory outpaces the links: one candidate for the standard fit and the larger one, a column in each."""
    data = prepared("small")
    own = [c for c in data.columns if c.candidate.tier == "ddr"]
    figures = [dataclasses.replace(c.candidate, configurations=(), tpot_s=0.0, step_s=0.0) for c in own]
    assert len({c.candidate for c in own}) == len(set(figures)) < len(own)
    for c in own:
        assert c.pool is not None and c.pool.config.id in c.candidate.configurations


def test_own_tiers_are_paired_with_the_named_configurations_alone() -> None:
    """A candidate for one of two configurations with the tier stands in the pool of that one."""
    data = prepared("full", 0.1)
    candidates = [c.candidate for c in data.columns if c.candidate.tier == "nvme_tlc"]
    first = dataclasses.replace(candidates[0], configurations=candidates[0].configurations[:1])
    made = model_data(data.scenario, configurations(data.scenario), [first])
    assert [c.pool.config.id for c in made.columns if c.pool] == list(first.configurations)


@pytest.mark.parametrize("menu", ["small", "full"])
def test_every_hit_column_of_an_own_tier_is_as_fast_as_its_pool(menu: str) -> None:
    """Requests/s times bytes never exceed a replica's share of the pool's own tier or its links."""
    data = prepared(menu, 0.1)
    own = [(c.candidate, c.pool) for c in data.columns if c.candidate.cache == HIT and c.pool]
    assert own
    for c, pool in own:
        stock = pool.config.tier(c.tier)
        assert stock is not None
        share = c.charge / pool.config.platform.accelerators
        speed = min(c.count * stock.link_bytes_per_s, share * stock.read_bytes_per_s)
        assert c.requests_per_s * c.load_bytes <= speed * (1 + 1e-9)
