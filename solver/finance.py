"""Money over time: what a dollar of each class of asset costs a year."""

from __future__ import annotations

from dataclasses import dataclass

from solver.physics.cost import annuity


@dataclass(frozen=True)
class Finance:
    """How capital becomes a yearly cost.

    Attributes
    ----------
    wacc_frac : float
        Cost of capital a year.
    it_life_years, memory_life_years, network_life_years, rack_life_years : float
        Lives of the asset classes; memory bought apart and network live as long as servers unless given.
    maintenance_frac : float
        Of the outlay, a year.
    rent_usd_per_w_year : float
        Building, per provisioned IT watt: rent, or the annuity of an own one.
    residual_frac : float
        Of the price of IT, at the end of its life.
    load_factor : float
        Mean load over the promised one, over a year.
    """

    wacc_frac: float
    it_life_years: float
    rack_life_years: float
    maintenance_frac: float
    rent_usd_per_w_year: float
    memory_life_years: float | None = None
    network_life_years: float | None = None
    residual_frac: float = 0.0
    load_factor: float = 1.0

    def yearly(self, kind: str) -> float:
        """Yearly cost of a dollar of an asset class (kind of a line in the bill): annuity and maintenance."""
        if kind == "rack":
            return float(annuity(self.wacc_frac, self.rack_life_years)) + self.maintenance_frac
        lives = {"memory": self.memory_life_years, "network": self.network_life_years}
        years = lives.get(kind) or self.it_life_years
        return float(annuity(self.wacc_frac, years, self.residual_frac)) + self.maintenance_frac
