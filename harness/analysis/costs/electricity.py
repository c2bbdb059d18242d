"""How much CO2 a kilowatt hour makes, by country: a table that comes along, with its year and its source."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from harness.errors import PlanError, unknown

WORLD = "WORLD"
"""The region unless told."""
_SOURCE = "Our World in Data and Ember, Yearly Electricity Data (CC BY 4.0)"
"""Where the factors were published."""


class Electricity(NamedTuple):
    """How much CO2 the electricity of one place makes."""

    code: str
    """ISO 3166-1 alpha-3 code, `WORLD`, or `own` for a factor of one's own."""
    country: str
    """Name of the country."""
    g_per_kwh: float
    """Grams of CO2 equivalent per kilowatt hour that is generated, over the life of the power stations."""
    year: int | None
    """Year of the figure; None for one of one's own."""

    def grams(self, watt_hours: float) -> float:
        """Grams of CO2 equivalent of some energy.

        >>> electricity_of("FRA").grams(1000.0)
        56.0
        """
        return self.g_per_kwh * watt_hours / 1000.0

    @property
    def label(self) -> str:
        """Place, factor, year and source, for people."""
        if self.year is None:
            return f"{self.g_per_kwh:g} g of CO2 per kWh, as it was given"
        return f"{self.g_per_kwh:g} g of CO2 per kWh ({self.country} {self.year}; {_SOURCE})"


@cache
def regions() -> Mapping[str, Electricity]:
    """Code -> electricity, of the world and of every country in the table."""
    text = (resources.files("harness.analysis.costs") / "electricity.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        row["code"]: Electricity(row["code"], row["country"], float(row["g_per_kwh"]), int(row["year"])) for row in rows
    }


def electricity_of(region: str | None = None, g_per_kwh: float | None = None) -> Electricity:
    """The electricity of a country, or with a factor of one's own.

    Args:
        region: three letters, such as `DEU`, or the country's name; None for the world.
        g_per_kwh: grams of CO2 per kilowatt hour, from 0 on; None takes those of the region.

    Raises:
        PlanError: there is no such region.

    >>> electricity_of("germany").code, electricity_of(g_per_kwh=20.0).code
    ('DEU', 'own')
    """
    if g_per_kwh is not None:
        return Electricity("own", "", g_per_kwh, None)
    wanted = (region or WORLD).casefold()
    for one in regions().values():
        if wanted in (one.code.casefold(), one.country.casefold()):
            return one
    raise PlanError(unknown("region", region or "", [one.code for one in regions().values()]))
