"""Nothing half added: what is registered or written in the model is documented, has a unit and is solved by hand.

The lists are read from built models, the source and the registries, so that an addition without its documentation
or its hand-solved case fails here by name. That each number of the catalogs has a source is checked in
`test_catalog_data.py`.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyomo.environ as pyo
import pytest
import test_brute_force
from records import (
    appliance,
    candidate,
    configuration,
    housing,
    memory_device,
    model_data,
    platform,
    rack,
    retention,
    scenario,
    tier,
    workload,
)

from solver.kpis import KPIS
from solver.model.build import build_model
from solver.model.data import ModelData, Pool
from solver.model.objectives import OBJECTIVES
from solver.model.polish import add_polish
from solver.optimise import add_objective
from solver.resources import RESOURCES
from solver.shares import SHARES
from solver.study import BuildSpec

TESTS = Path(__file__).parent
SOURCES = [*(TESTS.parent / "solver" / "model").glob("*.py"), TESTS.parent / "solver" / "optimise.py"]
KINDS = {"Constraint": "Constraint", "Var": "Var", "Expression": "Expression", "Objective": "Objective",
         "Set": "Set", "RangeSet": "Set", "Block": "Block"}  # fmt: skip
UNITS = {"1", "1/s", "TB", "TB/s", "0 or 1", "model units"}
"""Model units of a resource are those of its `unit` and `scale`."""
ONLY_WHOLE = {"run_whole_replicas"}
"""Rows that brute force meets in instances of whole replicas only; see `test_completeness_gaps.py`."""


# --- a model with every part ----------------------------------------------------------------------------------


def everything(mode: str) -> ModelData:
    """Return an instance that needs every part: tiers in nodes and in storage, both kinds of rack, every limit."""
    node, store = platform("node", accelerators=2), platform("store", accelerators=0)
    node = dataclasses.replace(node, order_multiple=2, order_minimum=2)
    owned = dataclasses.replace(platform("owned", accelerators=2), confidence_price="press")
    plain = Pool(configuration(node), 1.0)
    with_memory = Pool(configuration(node, "ddr", tiers=[tier("ddr")], bought=[("ddr_device", 4)]), 1.0)
    storage = Pool(configuration(store, "drives", tiers=[tier("flash", pooled=True, endurance_bytes_per_s=1e9)]), 1.0)
    attached = Pool(configuration(node, "attached", tiers=[tier("cxl")], attached="box"), 1.0)
    columns = [
        (candidate(role="mixed"), None),
        (candidate(role="prefill"), None),
        (candidate(role="decode", spill_bytes=1e9, spill_read_bytes_per_s=1e9), with_memory),
        (candidate(role="prefill", hit_from="ddr", load_bytes=1e9), with_memory),
        (candidate(role="prefill", hit_from="pooled_flash", load_bytes=1e9), None),
        (candidate(role="prefill", hit_from="cxl", load_bytes=1e9), attached),
        (candidate(role="mixed", at=owned), None),
    ]
    changes: dict[str, Any] = {r.limit_path: 1.0 for r in RESOURCES.values() if r.limit_path}
    changes |= {
        "demand.mode": mode, "demand.floor_frac": 0.5, "objective.name": "tokens_per_used_mw",
        "supply.platform.node": 3, "supply.memory.ddr_device": 8, "build.whole_replicas": True,
        "build.max_platforms": 1, "build.n_plus_one": True, "build.max_share_per_vendor": 0.5, "build.max_candidates_per_class_role": 1,
        "build.min_platform_mw_frac": 0.5, "build.max_device_kinds": 1, "fleet": [{"platform": "owned", "quantity": 1}],
    }  # fmt: skip
    houses = [housing(plain, within=rack(), fit=2, own=False), housing(with_memory), housing(storage)]
    houses += [housing(attached), housing(appliance()), housing(Pool(configuration(owned), 1.0))]
    changes |= {share.path: 0.5 for share in SHARES.values()}
    curve = retention((0.3, 1e4), (0.2, 2e4))
    of = scenario(changes, [workload(reuse=0.8)], devices=[memory_device("ddr_device", order_multiple=8)])
    return model_data(of, columns, houses, {"chat": curve})


@dataclass(frozen=True)
class Part:
    """A component of a built model: `kind` as in `KINDS`, `polish` where it only counts kinds."""

    kind: str
    name: str
    polish: bool
    component: Any


def parts_of(model: pyo.ConcreteModel) -> dict[str, tuple[str, Any]]:
    """Return the active components of a model by name, with their kind."""
    found = {}
    for component in model.component_objects(active=True):
        assert component.local_name not in found, f"two parts are called {component.local_name}"
        found[component.local_name] = (KINDS[component.ctype.__name__], component)
    return found


def build() -> tuple[list[pyo.ConcreteModel], dict[str, Part]]:
    """Return models of stated demand and of a mix, with objective and polish, and all their parts."""
    models, parts = [], {}
    for mode in ("fixed", "mix"):
        data = everything(mode)
        model = build_model(data)
        add_objective(model, data, OBJECTIVES["tokens_per_used_mw"])
        search = set(parts_of(model))
        pools, columns = [p.id for p in data.pools], [c.index for c in data.columns]
        add_polish(model, data, dict.fromkeys(pools, 9.0), dict.fromkeys(columns, 9.0), dict.fromkeys(columns, 0.1))
        for name, (kind, component) in parts_of(model).items():
            parts[name] = Part(kind, name, name not in search, component)
        models.append(model)
    return models, parts


MODELS, PARTS = build()
"""Components know their model by a weak reference, so the models are kept."""


def written() -> set[tuple[str, str]]:
    """Return the kind and name of every component that the source assigns: ``block.name = pyo.Kind(...)``."""
    found = set()
    for path in SOURCES:
        for line in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(line, ast.Assign) and isinstance(line.value, ast.Call):
                made, place = line.value.func, line.targets[0]
                if isinstance(made, ast.Attribute) and made.attr in KINDS and isinstance(place, ast.Attribute):
                    found.add((KINDS[made.attr], place.attr))
    return found


def names(*kinds: str) -> list[str]:
    """Return the names of the parts of some kinds."""
    return sorted(part.name for part in PARTS.values() if part.kind in kinds)


def test_the_built_models_have_every_part_of_the_source() -> None:
    """A part behind an option that `everything` leaves off would escape all the checks below."""
    assert {(part.kind, part.name) for part in PARTS.values()} == written()
    assert len(names("Constraint")) > 25 and len(names("Var")) > 12


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_is_documented_and_there(name: str) -> None:
    """Without a `doc` the model's printout says nothing; an empty part was not switched on and proves nothing."""
    component = PARTS[name].component
    assert component.doc and component.doc.strip(), f"{name} has no doc"
    assert len(component) > 0, f"{name} is empty: let `everything` use it"


@pytest.mark.parametrize("name", names("Var", "Expression"))
def test_every_quantity_states_its_unit(name: str) -> None:
    """A number without a unit is read as GB by one and as TB by the next; binaries say [0 or 1] and only they."""
    component = PARTS[name].component
    ending = re.search(r"\[([^\[\]]+)\]$", component.doc.strip())
    assert ending and ending[1] in UNITS, f"{name}: {component.doc!r} ends in no unit of {sorted(UNITS)}"
    binary = component.ctype is pyo.Var and all(v.is_binary() for v in component.values())
    assert (ending[1] == "0 or 1") == binary


@pytest.mark.parametrize("name", names("Constraint"))
def test_every_row_states_its_formula_and_what_its_dual_is_worth(name: str) -> None:
    """A row whose meaning stands nowhere cannot be checked against the code, nor its marginal value be read."""
    doc = PARTS[name].component.doc
    assert any(re.search(r"<=|>=|=", text) for text in re.findall(r"``([^`]+)``", doc)), f"{name}: no formula in ``"
    says = "only counts" if PARTS[name].polish else "dual"
    assert says in doc, f"{name}: {says!r} is not in {doc!r}"


# --- what is registered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_every_resource_says_what_it_is(resource: Any) -> None:
    assert resource.id and resource.name and resource.unit and resource.scale > 0
    assert resource.id == next(key for key, value in RESOURCES.items() if value is resource)


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_every_share_is_a_key_figure_and_a_key_of_the_study(share: Any) -> None:
    assert share.id == next(key for key, value in SHARES.items() if value is share) and share.id in KPIS
    assert share.name and share.unit and share.scale > 0 and share.option in BuildSpec.model_fields


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_every_objective_says_what_it_is(objective: Any) -> None:
    assert objective.id and objective.name and objective.unit and objective.sense in (1, -1)


@pytest.mark.parametrize("kpi", KPIS.values(), ids=KPIS)
def test_every_key_figure_says_what_it_is(kpi: Any) -> None:
    """The basis is printed beside the number; two figures with one title could not be told apart."""
    assert kpi.id and kpi.name and kpi.unit and kpi.basis
    assert kpi.compute.__doc__ and kpi.compute.__doc__.strip().endswith(".")
    assert sum(other.name == kpi.name for other in KPIS.values()) == 1


# --- what is proven ---------------------------------------------------------------------------------------------


def words_of(path: Path) -> Iterator[str]:
    """Yield the strings of a file that are one word: what a test passes on, not what it tells."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"\w+", node.value):
            yield node.value


@cache
def words(pattern: str) -> set[str]:
    return {word for path in TESTS.glob(pattern) if path.name != Path(__file__).name for word in words_of(path)}


@pytest.mark.parametrize("name", names("Constraint"))
def test_every_row_is_taken_out_by_a_hand_solved_test(name: str) -> None:
    """A row that no test of tests/test_model_*.py takes out by name could be dropped unnoticed."""
    assert name in words("test_model_*.py"), f"solve a case of {name} by hand, with and without the row"


def test_brute_force_needs_every_row_of_the_search() -> None:
    """A row missing in the list would not be shown to matter in any random instance."""
    search = {part.name for part in PARTS.values() if part.kind == "Constraint" and not part.polish}
    assert set(test_brute_force.ROWS["tokens"]) == search - ONLY_WHOLE


@pytest.mark.parametrize("name", [*RESOURCES, *OBJECTIVES, *KPIS])
def test_every_registered_id_is_tested_by_name(name: str) -> None:
    """A resource, objective or key figure that no test names was never compared with a number known beforehand."""
    assert name in words("test_*.py"), f"no test names {name}"
