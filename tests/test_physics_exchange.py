"""What ranks send each other, inside a scale-up domain and between domains, counted by hand and beside published runs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from operating_points import DENSE, MOE, PART, PLAIN, ROOFLINE_ONLY, points, shipped

from solver.errors import InputError
from solver.evaluation import Layout, evaluate, layout
from solver.parts import Accelerator, Model, Platform
from solver.performance import ROLE_DECODE, ROLE_PREFILL, Calibration, predict
from solver.physics.exchange import Exchange, collectives_s, crossings_s, exchange_s
from solver.points import widest_ports

VALUE_BYTES = 2.0 * 10 * 1000
"""Activations of a token of the test models: 16 bits, 10 layers, 1,000 wide."""

TWO_OF_EIGHT = dataclasses.replace(MOE, experts_per_token=2)
LINK, PORT = 4e11, 5e10


def at(*models: Model, **columns: Any) -> Layout:
    """Return points of the plain part, whose domain holds 8, as ranks."""
    return layout(points(*models, **{"role": ROLE_DECODE, **columns}))


def exchange(where: Layout, tokens: float, *, forwarded: bool = False) -> Exchange:
    """Return the exchange of some tokens at all of every peak."""
    return exchange_s(where.model, where.rank, tokens, PLAIN, forwarded=forwarded)


def test_inside_a_domain_nothing_goes_through_ports() -> None:
    """Tp 8 fills the domain: two reductions a layer of 2 x 7/8 of the activations."""
    found = exchange(at(tp=8), 100.0)
    assert found.links_s[0] == pytest.approx(2 * 2 * 7 / 8 * VALUE_BYTES * 100 / LINK)
    assert found.ports_s[0] == 0.0
    assert crossings_s(at(tp=8).model, at(tp=8).rank, dataclasses.replace(PLAIN, port_reduction_s=1.0))[0] == 0.0


def test_a_reduction_over_two_domains_is_hierarchical() -> None:
    """Tp 16 in two domains of 8: 2 x 7/8 over links, and an eighth of the activations there and back over each port."""
    found = exchange(at(tp=16), 100.0)
    assert found.links_s[0] == pytest.approx(2 * 2 * 7 / 8 * VALUE_BYTES * 100 / LINK)
    assert found.ports_s[0] == pytest.approx(2 * (2 * 1 / 2 / 8) * VALUE_BYTES * 100 / PORT)


def test_uneven_domains_hold_equal_parts() -> None:
    """Tp 12 takes two domains of 6: 2 x 5/6 over links, a sixth of the activations over each port."""
    found = exchange(at(tp=12), 100.0)
    assert found.links_s[0] == pytest.approx(2 * 2 * 5 / 6 * VALUE_BYTES * 100 / LINK)
    assert found.ports_s[0] == pytest.approx(2 * (2 * 1 / 2 / 6) * VALUE_BYTES * 100 / PORT)


@pytest.mark.parametrize(("forwarded", "beyond", "near"), [(False, 1.0, 2 * 7 / 16), (True, 0.75, 2 * 15 / 16)])
def test_experts_beyond_the_domain_are_reached_over_ports(forwarded: bool, beyond: float, near: float) -> None:
    """Two experts of sixteen ranks: one lies beyond on average, and three tokens of four have one there or two.

    A token goes out in 16 bits and its part of the sum comes back in 16 bits.
    """
    found = exchange(at(TWO_OF_EIGHT, dp=16, ep=16, batch=16), 100.0, forwarded=forwarded)
    assert found.ports_s[0] == pytest.approx(2 * beyond * VALUE_BYTES * 100 / PORT)
    assert found.links_s[0] == pytest.approx(2 * near * VALUE_BYTES * 100 / LINK)


def test_narrow_experts_are_sent_narrow_tokens() -> None:
    """Below 16 bits a token goes out in 8 bits: 3 bytes there and back where it was 4."""
    wide, narrow = (exchange(at(TWO_OF_EIGHT, dp=16, ep=16, weight_precision=p), 1.0).ports_s[0] for p in (0, 1))
    assert narrow == pytest.approx(0.75 * wide)


def test_crossings_wait_for_the_network() -> None:
    """Twenty exchanges: one step for two domains, two for four; a dispatch reaches all domains at once.

    Neither the engine nor the generation has a part in it.
    """
    k = dataclasses.replace(PLAIN, port_reduction_s=60e-6, port_latency_s=8e-6)
    dense, moe = at(tp=[8, 16, 32]), at(MOE, tp=[1, 1, 16], dp=[8, 32, 2], ep=[8, 32, 32], batch=64)
    assert crossings_s(dense.model, dense.rank, k) == pytest.approx([0.0, 20 * 60e-6, 20 * 120e-6])
    assert crossings_s(moe.model, moe.rank, k) == pytest.approx([0.0, 20 * 8e-6, 20 * 68e-6])
    grid = points(role=ROLE_DECODE, tp=16)
    plain, held, slow = (
        evaluate(grid, dataclasses.replace(ROOFLINE_ONLY, times=dataclasses.replace(times, overhead=factor))).tpot_s[0]
        for times, factor in ((PLAIN, 1.0), (k, 1.0), (k, 3.0))
    )
    assert held - plain == pytest.approx(20 * 60e-6) and slow == held


def test_every_pass_of_a_prefill_crosses() -> None:
    """Two passes of 500 tokens: forty exchanges."""
    k = dataclasses.replace(PLAIN, port_reduction_s=60e-6)
    grid = points(role=ROLE_PREFILL, tp=16, chunk=500)
    plain, found = (
        evaluate(grid, dataclasses.replace(ROOFLINE_ONLY, times=times)).prefill_s[0] for times in (PLAIN, k)
    )
    assert found - plain == pytest.approx(40 * 60e-6)


def test_a_part_without_a_port_spans_no_domains() -> None:
    alone = exchange(at(tp=[8, 16], port_bytes_per_s=0.0), 1.0).ports_s
    assert alone[0] == 0.0 and np.isinf(alone[1])


def test_wide_expert_parallelism_over_nine_servers_is_near_what_was_published() -> None:
    """72 H100 with 256 requests each after 2,000-token prompts: 22,282 output tokens/s a server (lmsys.org, 2025-05-05).

    That run hid its exchange behind the other half of the batch, which is not modelled: the prediction may be lower
    by the 27 to 35% that the authors give for it, and is not higher.
    """
    found = predict(shipped(), model="deepseek-v3", accelerator="h100_sxm", count=72, precision="fp8",
                    kv_precision="bf16", dp=72, ep=72, batch=256 * 72, isl=2000, osl=100, role="decode")  # fmt: skip
    assert 1 / 1.35 < found.output_tokens_per_s / 9 / 22_282 < 1.0 and found.fits


DEEP_EP = {16: (118e-6, 195e-6), 32: (155e-6, 273e-6), 64: (173e-6, 314e-6), 128: (192e-6, 369e-6)}
"""Ranks -> seconds of a dispatch and of a combination: 128 tokens a rank, H800 in servers of eight, ports of 400 Gbit/s
(github.com/deepseek-ai/DeepEP, docs/legacy.md, low-latency kernels)."""


def test_dispatch_and_combination_take_what_is_published() -> None:
    """Within 25% at each number of ranks, with coefficients that none of these runs was fitted to."""
    model = next(m for m in shipped().all(Model) if m.id == "deepseek-v3")
    part = next(a for a in shipped().all(Accelerator) if a.id == "h100_sxm")
    k = Calibration.from_catalog(shipped()).times
    ranks = np.array(list(DEEP_EP))
    where = layout(points(model, accelerators=(part,), role=ROLE_DECODE, weight_precision=1, dp=ranks, ep=ranks,
                          batch=128 * ranks, port_bytes_per_s=5e10))  # fmt: skip
    moved = exchange_s(where.model, where.rank, 128.0, k, forwarded=False)
    waits = collectives_s(where.model, where.rank, k) + crossings_s(where.model, where.rank, k)
    found = (moved.links_s + moved.ports_s + waits) / where.model.layers
    assert found == pytest.approx([sum(pair) for pair in DEEP_EP.values()], rel=0.25)


def test_reductions_over_two_servers_take_what_is_published() -> None:
    """An all-reduce of 64 kB to 1 MB over 2 x 8 H200 took 63 to 83 us, within a quarter; 16 MB took 208 to 304 us.

    The latter is bytes for the most part, which rails share: as one flow of 16 MB a port would take 0.8 ms.
    """
    k = Calibration.from_catalog(shipped()).times
    part = next(a for a in shipped().all(Accelerator) if a.id == "h200_sxm")
    where = layout(points(DENSE, accelerators=(part,), role=ROLE_DECODE, tp=16))

    def seconds(size_bytes: float) -> float:
        moved = exchange_s(where.model, where.rank, size_bytes / 2000.0, k, forwarded=False)
        waits = collectives_s(where.model, where.rank, k) + crossings_s(where.model, where.rank, k)
        return float(((moved.links_s + moved.ports_s + waits) / 20.0)[0])

    for size, measured_s in ((65_536, 70e-6), (262_144, 64e-6), (1_048_576, 77e-6)):
        assert seconds(size) == pytest.approx(measured_s, rel=0.25)
    assert 150e-6 < seconds(16_777_216) < 304e-6


def wide_grid(**fixed: Any) -> Any:
    """Return random replicas of up to 256 ranks of the test models."""
    rng = np.random.default_rng(7)
    rows = 4000
    columns = {
        "model": rng.integers(0, 3, rows), "tp": 2 ** rng.integers(0, 6, rows), "dp": 2 ** rng.integers(0, 4, rows),
        "ep": 2 ** rng.integers(0, 7, rows), "batch": 2.0 ** rng.integers(0, 12, rows), "role": rng.integers(0, 3, rows),
        "isl_new": rng.integers(1, 30_000, rows), "port_bytes_per_s": rng.uniform(2e9, 1e11, rows),
        "weight_precision": rng.integers(0, 3, rows),
    }  # fmt: skip
    return points(DENSE, MOE, TWO_OF_EIGHT, **{**columns, **fixed})


@pytest.mark.parametrize("change", ["port", "domain", "port_frac", "port_latency_s", "port_reduction_s"])
def test_a_better_network_is_never_slower(change: str) -> None:
    """Faster ports, twice the domain, shorter waits: no time grows, and some fall."""
    shipped_fit = Calibration.from_catalog(shipped())
    grid, fit = wide_grid(), shipped_fit
    if change == "port":
        better = dataclasses.replace(grid, port_bytes_per_s=1.5 * grid.port_bytes_per_s)
    elif change == "domain":
        better = dataclasses.replace(grid, accelerators=(dataclasses.replace(PART, scaleup_domain=16),))
    else:
        factor = 1.1 if change == "port_frac" else 0.5
        times = dataclasses.replace(fit.times, **{change: factor * getattr(fit.times, change)})
        better, fit = grid, dataclasses.replace(fit, times=times)
    before, after = evaluate(grid, shipped_fit), evaluate(better, fit)
    for name in ("prefill_s", "tpot_s", "first_token_s"):
        old, new = (np.nan_to_num(getattr(found, name)) for found in (before, after))
        assert (new <= old * (1 + 1e-9)).all(), name
        assert (new < old * (1 - 1e-6)).any(), name


def test_a_replica_beyond_its_domain_is_never_faster_than_in_one() -> None:
    """The same replicas with all ranks in one domain."""
    fit = Calibration.from_catalog(shipped())
    grid = wide_grid(port_bytes_per_s=5e10)
    whole = dataclasses.replace(grid, accelerators=(dataclasses.replace(PART, scaleup_domain=1024),))
    cut, joined = evaluate(grid, fit), evaluate(whole, fit)
    decodes = np.isfinite(cut.tpot_s)
    assert (cut.tpot_s[decodes] >= joined.tpot_s[decodes] * (1 - 1e-9)).all()
    assert (cut.prefill_s >= joined.prefill_s * (1 - 1e-9)).all()


def test_ports_are_those_of_the_platform_that_gives_most() -> None:
    """Eight ports of 400 Gbit/s for eight accelerators: 50 GB/s each; a part in no platform has none."""
    parts = shipped().all(Accelerator)
    rates = dict(zip((p.id for p in parts), widest_ports(shipped().all(Platform), parts), strict=True))
    assert rates["h100_sxm"] == pytest.approx(5e10) and rates["gb300"] == pytest.approx(1e11)
    assert min(rates.values()) == 0.0


def test_one_prediction_spans_servers() -> None:
    """Sixteen H100 in two servers are slower than a port of ten times the rate would make them; no port, no answer."""
    usual = {"model": "deepseek-v3", "accelerator": "h100_sxm", "count": 16, "precision": "fp8", "dp": 16, "ep": 16,
             "batch": 1024, "isl": 1000, "osl": 1000, "role": "decode"}  # fmt: skip
    plain, own, fast = (
        predict(shipped(), **usual, **more) for more in ({}, {"port_gbit_s": 400.0}, {"port_gbit_s": 4e3})
    )
    assert plain.tpot_s == own.tpot_s > fast.tpot_s and plain.evidence == "extrapolated"
    bare = next(p.id for p, rate in zip(shipped().all(Accelerator), widest_ports(
        shipped().all(Platform), shipped().all(Accelerator)), strict=True) if rate == 0.0)  # fmt: skip
    with pytest.raises(InputError, match="port_gbit_s"):
        predict(shipped(), **{**usual, "accelerator": bare, "count": 1024, "dp": 1024})
    with pytest.raises(InputError, match="port_gbit_s"):
        predict(shipped(), **usual, port_gbit_s=0.0)
