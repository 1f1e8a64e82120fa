"""Many days at once."""

from datetime import timedelta

from ..log.catalog import StoreError
from .arguments import AsOf, FirstDay, LastDay, Models, Reports
from .call import Call, alone, command
from .daily import run_days

app = alone()


@command(app)
def backfill(
    call: Call,
    start: FirstDay,
    end: LastDay,
    models: Models = None,
    as_of: AsOf = None,
    reports: Reports = "last",
):
    if end < start:
        raise StoreError(f"--to {end} lies before --from {start}.")
    days = [start + timedelta(i) for i in range((end - start).days + 1)]
    return run_days(call, days, models, as_of, reports)
