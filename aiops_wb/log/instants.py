"""Days and times as people write them."""

from datetime import date, datetime

__all__ = ["as_date", "as_instant", "days_from"]


def as_date(text: str) -> date:
    "A day; ValueError when the text is none."
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day such as 2013-04-01") from None


def as_instant(text: str) -> datetime:
    "A time with its offset; ValueError when the text is none."
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise ValueError(f"{text!r} is not a time with an offset such as 2013-04-01T06:00:00+00:00")
    if not date.min < when.date() < date.max:  # in another zone it would be beyond the calendar
        raise ValueError(f"{text!r} is no time of any log: the first and the last day are left out")
    return when


def days_from(day: date, days: int) -> date:
    "A day so many days later, earlier where they are below 0; none is beyond the calendar."
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))
