"""A country's holidays, from a library that knows them without a network, and those of the years to
come."""

import importlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from ..log.errors import StoreError
from ..log.holidays import Declared
from ..log.store import Store

__all__ = [
    "AHEAD",
    "country_of",
    "declared",
    "extend_holidays",
    "holidays_of",
    "last_needed",
    "library",
]

AHEAD = 60
"Days ahead of which holidays are to be known."


def library():
    "The library of holidays; ModuleNotFoundError says what to install."
    try:
        return importlib.import_module("holidays")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the holidays of countries are not installed: pip install 'aiops_wb[calendar]'."
        ) from None


def country_of(code: str) -> str:
    "A country as the library has it; StoreError with the nearest ones where it has none such."
    names = {codes[1]: codes[0] for codes in library().registry.COUNTRIES.values()}
    if code.upper() in names:
        return code.upper()
    told = {word.lower(): iso for iso, name in names.items() for word in (iso, name)}
    near = get_close_matches(code.lower(), told, n=3, cutoff=0.5)
    nearest = ", ".join(f"{iso} ({names[iso]})" for iso in dict.fromkeys(told[n] for n in near))
    raise StoreError(
        f"no holidays are known of a country {code!r}: "
        + (f"the nearest are {nearest}." if nearest else "give its two letters, such as VN or DE.")
    )


def _region_of(country, region):
    "A region as the library has it; StoreError with the nearest ones where it has none such."
    made = library().country_holidays(country)
    named = made.get_subdivision_aliases()
    told = {word.lower(): code for code, others in named.items() for word in (code, *others)}
    if region.lower() in told:
        return told[region.lower()]
    if not told:
        raise StoreError(
            f"{country} has no regions with holidays of their own: leave the region out."
        )
    near = get_close_matches(region.lower(), told, n=3, cutoff=0.4) or list(told)[:8]
    nearest = ", ".join(
        f"{code} ({', '.join(named[code])})" if named[code] else code
        for code in dict.fromkeys(told[n] for n in near)
    )
    raise StoreError(f"{country} has no region {region!r}: the nearest are {nearest}.")


def declared(country: str, region: str | None, tenant: str | None) -> Declared:
    "Whose holidays are meant; StoreError for a country or a region that is not known."
    country = country_of(country)
    return Declared(country, region and _region_of(country, region), tenant)


def holidays_of(whose: Declared, years: Iterable[int]) -> dict[date, str]:
    "Days that are holidays in some years, each with its name, in English where there is one."
    found = library().country_holidays(
        whose.country, subdiv=whose.region, years=list(years), language="en_US"
    )
    return dict(sorted(found.items()))


def last_needed(today: date) -> date:
    "The last day of which holidays are to be known: the end of the year that lies so far ahead."
    return date((today + timedelta(AHEAD)).year, 12, 31)


def extend_holidays(store: Store, now: datetime, who: str) -> list[str]:
    """Enter the holidays of the years to come, of each country that the calendar holds, once fewer
    than 60 days ahead are known. Sentences about what was entered, or could not be."""
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    needed, told = last_needed(today), []
    for whose, (key, until) in store.declared_holidays().items():
        if until >= today + timedelta(AHEAD):
            continue
        try:
            days = holidays_of(whose, range(until.year + 1, needed.year + 1))
        except ModuleNotFoundError as error:
            told.append(f"holidays of {whose} are known to {until} only: {error}")
            continue
        why = f"fewer than {AHEAD} days ahead were known"
        _, new = store.enter_holidays(now, who, whose, days, needed, why)
        told.append(f"{key}: {len(new)} holidays of {whose} entered, known to {needed}")
    return told
