"""The header of a result says how sure it is."""

from __future__ import annotations

from designs import reference_like

from solver.whatif.standing import standing


def test_a_design_that_is_proved() -> None:
    design = reference_like()
    facts = {fact["id"]: fact for fact in standing(design.replace(status="optimal"))}
    assert facts["status"]["value"] == "optimal" and facts["status"]["tone"] == "good"
    assert facts["gap"]["tone"] == "good" and facts["gap"]["value"].endswith("%")
    assert facts["audit"]["value"] == "1,234"
    assert "changed" not in facts


def test_one_that_is_not() -> None:
    design = reference_like()
    facts = {fact["id"]: fact for fact in standing(design.replace(status="feasible"), ["a 1 -> 2", "b 2 -> 3"])}
    assert facts["gap"]["tone"] == "warn"
    assert facts["changed"] == {"id": "changed", "value": "2", "tone": "warn", "items": ["a 1 -> 2", "b 2 -> 3"]}


def test_a_failed_check_is_bad() -> None:
    design = reference_like()
    facts = {f["id"]: f for f in standing(design.replace(audit={"ok": False, "checks": 10, "violations": [{}]}))}
    assert facts["broken"]["tone"] == "bad" and "audit" not in facts


def test_estimates_above_half_warn() -> None:
    design = reference_like()
    kpis = dict(design.kpis)
    for dollars, watts, tone in ((0.2, 0.3, "calm"), (0.2, 0.6, "warn")):
        kpis |= {"estimated_capex_share": {"value": dollars}, "estimated_power_share": {"value": watts}}
        facts = {f["id"]: f for f in standing(design.replace(kpis=kpis))}
        assert (facts["estimates"]["value"], facts["estimates"]["tone"]) == (f"{dollars:.0%} / {watts:.0%}", tone)


def test_without_a_build_there_is_only_a_status() -> None:
    design = reference_like().replace(status="infeasible")
    assert [fact["id"] for fact in standing(design)] == ["status"]
