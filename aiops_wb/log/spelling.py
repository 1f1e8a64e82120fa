"""One id in several spellings: blanks around it, or a whole number written as a float."""

__all__ = ["spellings"]

# above 2 ** 53 a float may stand for another number
_WHOLE = r"""CASE
    WHEN abs(try_cast(prediction_id AS DOUBLE)) >= 9007199254740992 THEN NULL
    WHEN regexp_matches(prediction_id, '^\s*-?\d+(\.0+)?\s*$')
        THEN regexp_extract(prediction_id, '-?\d+')
    WHEN regexp_matches(prediction_id, '^\s*-?\d(\.\d+)?[eE]\+?\d+\s*$')
        AND try_cast(prediction_id AS DOUBLE) = trunc(try_cast(prediction_id AS DOUBLE))
        THEN try_cast(prediction_id AS DOUBLE)::BIGINT::VARCHAR
    END"""


def spellings(source: str) -> str:
    """Other spellings of the ids in `source` (SQL with a column prediction_id), as a query with the
    columns told and prediction_id. `0042` and `42` are two ids, and so are `a` and `A`."""
    return rf"""
        SELECT DISTINCT told, prediction_id
        FROM (SELECT prediction_id AS told, unnest([
                         regexp_replace(prediction_id, '^\s+|\s+$', '', 'g'), whole, whole || '.0'
                     ]) AS prediction_id
              FROM (SELECT DISTINCT prediction_id, {_WHOLE} AS whole FROM ({source})))
        WHERE prediction_id <> told"""
