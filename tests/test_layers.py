"""Imports point one way, and a newcomer can rely on it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOLVER = ROOT / "solver"

RANKS = [
    {"units", "boundaries", "errors", "words"},
    {"schema"}, {"tables"}, {"draft"}, {"parts"}, {"catalog"}, {"quoting"}, {"quotes"},
    {"workload", "study", "settings", "builds"},
    {"physics"}, {"points"}, {"estimators"}, {"evaluation"}, {"performance"}, {"fitting"}, {"calibrate"},
    {"servable", "delivery", "finance"}, {"purchasable", "resolver"}, {"classes"}, {"scenario"}, {"populations"}, {"configurations"}, {"candidate"}, {"menu", "pruning"}, {"enumeration"}, {"candidates"},
    {"model.data"}, {"resources"}, {"model"}, {"highs", "shortlist"}, {"compression", "sifting"}, {"relaxation"}, {"choosing", "restriction"},
    {"search"}, {"optimise"}, {"widths"}, {"settling"}, {"reducing", "repricing"}, {"fewest"}, {"polishing"}, {"thinning"},
    {"design"}, {"nearby"}, {"whole", "bands"}, {"embed", "kpis", "holdings"}, {"bill", "servings", "slacks"}, {"assemble"},
    {"auditing"}, {"audit"}, {"baselines"}, {"own_build"}, {"clashing"}, {"solve", "quick"}, {"resident", "market", "quoted"}, {"pricing"}, {"quote"},
    {"explaining"}, {"explain"}, {"versus", "formulas", "answers"}, {"fronts", "listing", "progress", "report", "brief", "sheets"}, {"charts"}, {"export"}, {"whatif"}, {"ui"}, {"commands"}, {"cli"}, {"__main__"}, {"__init__"},
]  # fmt: skip
"""A module imports from its own rank or from one above. Modules of a package share its rank."""
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}
HEAVY = {"streamlit", "plotly", "matplotlib"}


def module_of(path: Path) -> str:
    """Return the dotted name of a file inside solver."""
    return ".".join(path.relative_to(SOLVER).with_suffix("").parts)


def rank_of(module: str) -> int:
    """Return the rank of a module, by its own name or its package's."""
    return RANK[module] if module in RANK else RANK[module.split(".")[0]]


def imports_of(path: Path) -> set[str]:
    """Return the absolute names a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
    return found


FILES = sorted(path for path in SOLVER.rglob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_up(path: Path) -> None:
    here = rank_of(module_of(path))
    for name in imports_of(path):
        if name.startswith("solver."):
            target = name.removeprefix("solver.")
            assert rank_of(target) <= here, f"{module_of(path)} imports {target} from below"


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_core_needs_no_charts_or_pages(path: Path) -> None:
    """Charts may draw with what the extra `report` installs, when they draw; pages are nothing without theirs."""
    allowed = {"charts": {"plotly"}, "ui": HEAVY}.get(module_of(path).split(".")[0], set())
    assert not {name.split(".")[0] for name in imports_of(path)} & (HEAVY - allowed)


def test_audit_knows_neither_model_nor_candidates() -> None:
    """What checks a design may not share code with what made it."""
    forbidden = {
        "candidates", "candidate", "menu", "pruning", "enumeration", "configurations", "populations", "resources", "model", "highs",
        "compression", "sifting", "relaxation", "choosing", "restriction", "search", "quick", "shortlist", "optimise", "settling", "reducing", "fewest", "polishing", "thinning", "assemble",
        "holdings", "bill", "servings", "slacks", "bands", "kpis", "scenario", "resolver", "classes", "servable", "purchasable",
    }  # fmt: skip
    files = [SOLVER / "audit.py", *(SOLVER / "auditing").rglob("*.py")]
    for path in files:
        for name in imports_of(path):
            assert name.split(".")[1:2] == [] or name.split(".")[1] not in forbidden, f"{path.name} imports {name}"


def test_no_catalog_id_in_the_code() -> None:
    """A part, model or class is data: no string in the code may name one."""
    from solver.catalog import load_catalog

    catalog = load_catalog()
    tables = ("accelerators", "platforms", "memory", "models", "workloads", "racks", "network")
    ids = {row.id for table in tables for row in catalog.rows(table)}
    for path in SOLVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in ids, f"{path.name}:{node.lineno} names {node.value}"
