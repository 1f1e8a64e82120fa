"""Holidays: a country's, with a company's own over them."""

from collections.abc import Mapping
from datetime import date

from ...watch.holidays import library

__all__ = ["holiday_calendar"]


def holiday_calendar(
    first: date, last: date, *, country: str = "VN", own: Mapping[date, str] | None = None
) -> dict[date, str]:
    """Holidays of the days first..last, both included: the country's, with a tenant's own table
    over them (an empty name removes a day).
    """
    own = own or {}
    wrong = [day for day in own if type(day) is not date]
    if wrong:
        raise ValueError(
            f"own holiday {wrong[0]!r} is not allowed: use a datetime.date for each day."
        )
    named = sorted({**_public(country, first, last), **own}.items())
    return {day: name for day, name in named if name and first <= day <= last}


def _public(country, first, last):
    "The country's holidays in the years of some days."
    years = range(first.year, last.year + 1)
    try:
        return library().country_holidays(country, years=years, language="en_US")
    except NotImplementedError:
        raise ValueError(
            f"country {country!r} has no holiday calendar: use a two-letter ISO code such as 'VN' "
            "or 'DE'."
        ) from None
