"""tierwatt: which parts to buy so that a site serves the most tokens per second per megawatt.

    import solver
    catalog = solver.load_catalog("catalogs")
    study = solver.load_study("studies/reference.toml")
    design = solver.solve(study, catalog)

The public names are imported when they are first used, so that importing the package and asking the command
for help cost next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from solver.audit import audit as audit
    from solver.builds import Build as Build
    from solver.builds import load_build as load_build
    from solver.catalog import Catalog as Catalog
    from solver.catalog import load_catalog as load_catalog
    from solver.design import Design as Design
    from solver.errors import AuditError as AuditError
    from solver.errors import InputError as InputError
    from solver.errors import Problem as Problem
    from solver.errors import TierwattError as TierwattError
    from solver.explain import explain as explain
    from solver.explaining.pareto import pareto as pareto
    from solver.performance import Prediction as Prediction
    from solver.performance import predict as predict
    from solver.quote import QuoteAnswer as QuoteAnswer
    from solver.quote import check_quote as check_quote
    from solver.report import render as render
    from solver.resident import Resident as Resident
    from solver.solve import solve as solve
    from solver.study import Study as Study
    from solver.study import load_study as load_study

_HOMES = {
    "AuditError": "errors",
    "Build": "builds",
    "Catalog": "catalog",
    "Design": "design",
    "InputError": "errors",
    "Prediction": "performance",
    "Problem": "errors",
    "QuoteAnswer": "quote",
    "Study": "study",
    "Resident": "resident",
    "TierwattError": "errors",
    "audit": "audit",
    "check_quote": "quote",
    "explain": "explain",
    "load_build": "builds",
    "load_catalog": "catalog",
    "load_study": "study",
    "pareto": "explaining.pareto",
    "predict": "performance",
    "render": "report",
    "solve": "solve",
}
"""Public name -> module that defines it."""

__all__ = sorted(["__version__", *_HOMES])


class _Package(ModuleType):
    """The package, whose public names win over submodules of the same name.

    The import system binds a submodule to its package under its own name; for `solve` and `audit` that would
    hide the functions as soon as anything imported the modules. ``from solver.solve import ...`` is not touched.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
