"""Predictions as queries see them: features as what they are, whatever their files made of them."""

from collections.abc import Mapping
from datetime import date

from .duck import identifier, literal, parquet
from .feature_schema import LATEST, FeatureSchemaReads
from .features import stored_types
from .schema import EMPTY
from .values import kind_sql

__all__ = ["RowsOfDays", "ShownReads"]

_TYPES = {"number": "DOUBLE", "boolean": "BOOLEAN", "text": "VARCHAR", "time": "DOUBLE"}
"What a feature is shown as that no row of some days has."


class ShownReads(FeatureSchemaReads):
    "Features of rows, whatever model they are of."

    def predictions_shown(
        self, rows: str, stored: Mapping[str, str], always: bool = False
    ) -> str | None:
        """Predictions (SQL) with features that are stored as something else as what they are, and
        what was read again in its place; None where nothing of the kind is known.

        `stored` is feature -> DuckDB's name of its type in these rows. `always`: features that the
        rows lack stand among them, missing.
        """
        again = self._column("SELECT DISTINCT feature FROM read_again ORDER BY 1")
        fields = {f: f"p.features.{identifier(f)}" for f in stored}
        plain, kinds = dict(fields), self._kinds_over_models()
        for feature, kind in kinds.items():
            if feature not in fields:
                continue
            value, physical = fields[feature], stored[feature]
            if physical == "varchar" or kind == "text":
                value = kind_sql(value, kind) if self._mixed(feature, physical, kind) else value
            elif kind == "boolean" and physical != "boolean":
                value = f"{value}::BOOLEAN"
            if feature in again:
                value = f"coalesce({value}, {kind_sql(f'a.r{again.index(feature)}', kind)})"
            fields[feature] = value
        if always:
            absent = {f: f"NULL::{_TYPES[k]}" for f, k in kinds.items() if f not in stored}
            fields |= absent
        if fields == plain:
            return None
        packed = ", ".join(f"{identifier(f)} := {value}" for f, value in fields.items())
        shown = f"SELECT p.* REPLACE (struct_pack({packed}) AS features) FROM {rows} p"
        if not again:
            return shown
        raw = (f"max(raw) FILTER (feature = {literal(f)}) AS r{i}" for i, f in enumerate(again))
        return f"""{shown} LEFT JOIN (
            SELECT model, prediction_id, {", ".join(raw)} FROM read_again GROUP BY ALL) a
            ON a.model = p.model AND a.prediction_id = p.prediction_id"""

    def _kinds_over_models(self):
        "Feature -> its kind; a text where models differ."
        kinds = self._rows(
            f"""
            SELECT feature, list(DISTINCT kind) FROM ({LATEST.format(where="")}) GROUP BY feature"""
        )
        return {f: known[0] if len(known) == 1 else "text" for f, known in kinds}

    def _mixed(self, feature, physical, kind):
        "Whether a feature that is shown as a text was ever anything else, or is to be."
        if kind != "text" or physical != "varchar":
            return True
        return feature in self._column(
            "SELECT feature FROM features GROUP BY feature HAVING count(DISTINCT kind) > 1"
        )


class RowsOfDays(ShownReads):
    "The log's rows of some days, of all models."

    def rows_of_days(self, first: date | None, last: date | None) -> dict[str, str]:
        """Kind of row -> SQL of the rows of days from first to last (None: however far), as the
        published view shows them. It names the files of these days alone, and of outcomes those
        whose day is not known yet."""
        period = {"event_date__ge": first, "event_date__le": last}
        paths = {kind: [f[0] for f in self.files(kind, **period)] for kind in EMPTY}
        paths["outcomes"] += [f[0] for f in self.files("outcomes", event_date__null=True)]
        rows = {kind: self._rows_as_logged(kind, of) for kind, of in paths.items()}
        logged = f"({rows['predictions']})"
        stored = stored_types(self.con, logged)
        told = self.predictions_shown(logged, stored, always=True)
        return rows | {"predictions": told or rows["predictions"]}

    def _rows_as_logged(self, kind, paths):
        if not paths:
            return EMPTY[kind]
        read = parquet(self.root.resolve() / path for path in paths)
        return f"SELECT * FROM {read} UNION ALL BY NAME {EMPTY[kind]}"
