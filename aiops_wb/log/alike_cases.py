"""What is like a case, and where it went: earlier cases of the same entity or site, deliveries."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pandas as pd

from .base import Connected, conditions

__all__ = ["ALIKE_DAYS", "MOST_ALIKE", "AlikeReads"]

ALIKE_DAYS = 28
"Days before a case in which cases like it are looked for."
MOST_ALIKE = 5

# Of one model and tenant. Five rows before each are looked at in either order, which bounds the
# cost: of the five newest at a site at most as many are of the entity as were found of it alone.
_ALIKE = f"""
WITH openers AS (
    SELECT case_id, prediction_id, predicted_at, event_date, entity_id, site_id, first_reason,
           array_agg(struct_pack(id := case_id, opener := prediction_id, at := predicted_at))
               OVER of_entity AS of_entity,
           array_agg(struct_pack(id := case_id, opener := prediction_id, at := predicted_at))
               OVER of_site AS of_site
    FROM cases{{where}} AND state <> 'joined'
    WINDOW of_entity AS (
               PARTITION BY tenant, model, entity_id ORDER BY predicted_at, case_id
               ROWS BETWEEN {MOST_ALIKE} PRECEDING AND 1 PRECEDING),
           of_site AS (
               PARTITION BY tenant, model, site_id, first_reason ORDER BY predicted_at, case_id
               ROWS BETWEEN {MOST_ALIKE} PRECEDING AND 1 PRECEDING)),
asked AS (SELECT * FROM openers WHERE event_date >= $first{{these}}),
near AS (
    SELECT case_id, predicted_at, unnest(of_entity) AS other, 0 AS far
    FROM asked WHERE entity_id IS NOT NULL
    UNION ALL
    SELECT case_id, predicted_at, unnest(of_site), 1
    FROM asked WHERE site_id IS NOT NULL AND first_reason IS NOT NULL)
SELECT case_id, other.id AS alike_id, other.opener AS opener, other.at AS alike_at, min(far) AS far
FROM near
WHERE other.at >= predicted_at - INTERVAL {ALIKE_DAYS} DAY
GROUP BY case_id, other
QUALIFY row_number() OVER (
    PARTITION BY case_id ORDER BY min(far), other.at DESC, other.id) <= {MOST_ALIKE}
ORDER BY case_id, far, alike_at DESC, alike_id"""

_SENT = """
SELECT case_id, sink, arg_max(state, attempted_at), max(attempted_at),
       arg_max(detail, attempted_at)
FROM deliveries{where} AND case_id IN (SELECT unnest($ids))
GROUP BY case_id, sink ORDER BY case_id, sink"""


class AlikeReads(Connected):
    "Cases beside cases."

    def alike_cases(
        self,
        first: date,
        model: str | None = None,
        as_of: datetime | None = None,
        ids: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """For cases of events since a day (those of some ids, where these are named) at most five
        earlier ones of the 28 days before each: the newest of the same entity, then of the same
        site with the same leading reason. Columns case_id, alike_id, opener (the prediction that
        opened it), alike_at, far (0: of the entity, 1: of the site)."""
        since = first - timedelta(ALIKE_DAYS + 1)  # a day more: clocks are put forward
        where, values = conditions(event_date__ge=since, model=model, opened_at__le=as_of)
        these = "" if ids is None else " AND case_id IN (SELECT unnest($ids))"
        asked = values | {"first": first} | ({} if ids is None else {"ids": list(ids)})
        return self.frame(_ALIKE.format(where=where, these=these), asked)

    def last_sent(
        self, ids: Sequence[str], as_of: datetime | None = None
    ) -> list[tuple[str, str, str, datetime, str | None]]:
        """What became of handing some cases to each sink, the last time: case, sink, state
        (delivered, failed or expired), when, and what the sink said."""
        where, values = conditions(attempted_at__le=as_of)
        sql = _SENT.format(where=where or " WHERE true")
        return self._rows(sql, values | {"ids": list(ids)})
