"""The search against brute force: random tiny instances, every whole-number build, an independent writer.

What it proves: the rows that `solver.model` writes, the matrices Pyomo makes of them, the branch and bound and
the Dinkelbach steps together give the same optimum as trying every build with rows written by hand. A row that
is missing, doubled or has a wrong coefficient on either side changes the optimum of some instance.
"""

from __future__ import annotations

import pytest
from independent import brute_force
from tiny import tiny

from solver.highs import INFEASIBLE, OPTIMAL, Clock
from solver.model.objectives import OBJECTIVES
from solver.optimise import optimise

EACH = 60
WHOLE = 8
OBJECTIVE_KINDS = [("tokens", "provisioned"), ("tokens_per_mw", "provisioned"), ("tokens_per_used_mw", "provisioned"),
                   ("tokens_per_used_mw", "drawn"), ("tco", "provisioned")]  # fmt: skip
CASES = [(name, power, seed, False) for name, power in OBJECTIVE_KINDS for seed in range(EACH)]
CASES += [(name, power, seed, True) for name, power in OBJECTIVE_KINDS for seed in range(WHOLE)]


def test_every_objective_is_tried() -> None:
    for name in OBJECTIVES:
        assert sum(case[0] == name for case in CASES) >= 25, f"write {name} in tests/independent.py and add it here"
    assert len(CASES) >= 200


@pytest.mark.parametrize(("objective", "power", "seed", "whole"), CASES)
def test_the_search_finds_what_brute_force_finds(objective: str, power: str, seed: int, whole: bool) -> None:
    data = tiny(seed, objective, power=power, whole=whole)
    best = brute_force(data)
    solved = optimise(data, Clock(60.0, threads=1))
    if best.value is None:
        assert solved.found.status == INFEASIBLE
        return
    assert solved.found.status == OPTIMAL
    assert solved.value * solved.objective.per_unit(data.scenario) == pytest.approx(best.value, rel=1e-6)
