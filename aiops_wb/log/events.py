"""Single predictions with what is known of their outcome."""

from datetime import date, datetime, timedelta

import pandas as pd

from .base import Connected
from .duck import identifier, parquet, statements
from .feature_schema import FeatureSchemaReads
from .features import stored_types
from .outcome_columns import OutcomeColumnReads
from .schema import EMPTY
from .values import typed

__all__ = ["EventReads", "of_kind"]


class EventReads(FeatureSchemaReads, OutcomeColumnReads):
    "The log's rows."

    def rows(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
        where: str = "true",
        columns: str = "*",
        labels: bool = True,
        since: int | None = None,
    ) -> pd.DataFrame:
        """Predictions of a model with the label known as of a time (NaN when none), features as
        what they are in columns named `feature:...`. What is known to be an outcome is none,
        whenever it was logged.

        `where` and `columns` are SQL over the prediction columns and `label`; without `labels` no
        outcome is read, and with `since` none but rows of batches from that one on.
        """
        known = self.known(as_of)
        period = {"event_date__ge": start, "event_date__le": end, "batch_id__in": known}
        new = {"batch_id__ge": since}
        files = self.files("predictions", model=model, version=version, **period, **new)
        if not files:
            return pd.DataFrame()
        logged = f"({self._predictions(files, known)})"
        if since is not None:
            logged = f"(SELECT * FROM {logged} WHERE batch_id >= {since:d})"
        kinds = self.feature_kinds(model, as_of) if "*" in columns or "features" in columns else {}
        told = _side_by_side(self.con, logged, kinds) if columns == "*" else None
        rows = self.frame(
            f"""
            WITH outcomes AS ({self._outcomes(period) if labels else EMPTY["outcomes"]}),
                 labels AS ({statements("reductions.sql")["labels"]}),
                 joined AS (
                     SELECT p.*, l.label::DOUBLE AS label
                     FROM {logged} p
                     LEFT JOIN labels l ON p.prediction_id = l.prediction_id)
            SELECT {told or columns} FROM joined WHERE {where}
            ORDER BY predicted_at, prediction_id"""
        )
        if not told and "features" not in rows:
            return rows
        again = self.read_again(model, start, end, known) if "prediction_id" in rows else None
        spread = _spread(rows, kinds, again)
        return self._without_outcomes(model, spread)

    def _without_outcomes(self, model, rows):
        "Rows without features that are known to be outcomes."
        logged = {c.removeprefix(_FEATURE): c for c in rows.columns if c.startswith(_FEATURE)}
        kept = self.features_of(model, logged)
        return rows.drop(columns=[c for name, c in logged.items() if name not in kept])

    def labelled_rows(
        self, model: str, start: date, end: date, as_of: datetime | None = None
    ) -> pd.DataFrame:
        "`rows` of which the label is known."
        return self.rows(model, start, end, as_of=as_of, where="label IS NOT NULL")

    def _predictions(self, files, known):
        "Known rows of files as SQL, with the columns that files of older versions do not have."
        rows = self.known_rows((file[0] for file in files), known)
        return f"SELECT * FROM {rows} UNION ALL BY NAME {EMPTY['predictions']}"

    def _outcomes(self, period):
        "All outcome rows of some days known by then, and of those whose day is not known, as SQL."
        known = period["batch_id__in"]
        dated = self.files("outcomes", **period)
        pending = self.files("outcomes", event_date__null=True, batch_id__in=known)
        return _rows_of("outcomes", [self.root / file[0] for file in dated + pending], known)

    def ticket_outcomes(
        self, model: str, version: str, start: date, end: date, as_of: datetime | None = None
    ) -> dict[date, tuple[int, int, int]]:
        """For each day with tickets: tickets, labelled ones, false ones.

        Reads the rows of the days, because a route need not be a function of the points.
        """
        known = self.known(as_of)
        period = {"event_date__ge": start, "event_date__le": end, "batch_id__in": known}
        files = self.files("predictions", model=model, version=version, **period)
        if not files:
            return {}
        rows = self._rows(
            f"""
            WITH tickets AS MATERIALIZED (
                     SELECT event_date, prediction_id
                     FROM {self.known_rows((file[0] for file in files), known)}
                     WHERE route = 'ticket'),
                 outcomes AS (
                     SELECT prediction_id, label, observed_at, batch_id
                     FROM ({self._outcomes(period)})
                     SEMI JOIN tickets USING (prediction_id)),
                 labels AS ({statements("reductions.sql")["labels"]})
            SELECT event_date, count(*), count(label), count(*) FILTER (label = 0)
            FROM tickets LEFT JOIN labels USING (prediction_id)
            GROUP BY event_date
            ORDER BY event_date"""
        )
        return {day: tuple(counted) for day, *counted in rows}

    def decided_counts(
        self,
        model: str,
        start: date,
        end: date,
        as_of: datetime | None = None,
        drawn: str = "false",
    ) -> pd.DataFrame:
        """How events were decided, counted: event_date, version, points, route, explored (went to
        review by chance), drawn (would have been, by the SQL of `drawn`), calibration_id, n,
        n_labelled, n_positive; a route that is missing is '', as is one that was given to a past
        when it was brought in: nobody was called then. Reads the rows of the days."""
        known = self.known(as_of)
        period = {"event_date__ge": start, "event_date__le": end, "batch_id__in": known}
        files = self.files("predictions", model=model, **period)
        if not files:
            return pd.DataFrame()
        logged = self._predictions(files, known)
        return self.frame(
            f"""
            WITH outcomes AS ({self._outcomes(period)}),
                 labels AS ({statements("reductions.sql")["labels"]})
            SELECT event_date, version, points,
                   CASE WHEN decided_by = 'workbench' AND batch_id IN (
                       SELECT batch_id FROM batches WHERE known_at IS NOT NULL)
                       THEN '' ELSE coalesce(route, '') END AS route,
                   coalesce(propensity < 1 AND route = 'alert', false) AS explored,
                   {drawn} AS drawn,
                   coalesce(calibration_id, '') AS calibration_id, count(*)::BIGINT AS n,
                   count(label)::BIGINT AS n_labelled,
                   coalesce(sum(label), 0)::BIGINT AS n_positive
            FROM (SELECT p.*, l.label
                  FROM ({logged}) p
                  LEFT JOIN labels l ON p.prediction_id = l.prediction_id)
            GROUP BY ALL
            ORDER BY ALL"""
        )

    def logged_thresholds(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> list[tuple[date, int | None]]:
        "Days with the threshold (points) of their last prediction that carries one, in order."
        known = self.known(as_of)
        files = self.files("predictions", model=model, version=version, batch_id__in=known)
        if not files:
            return []
        return self._rows(
            f"""
            SELECT event_date, arg_max(threshold, (predicted_at, prediction_id))
            FROM {self.known_rows((file[0] for file in files), known)}
            GROUP BY event_date ORDER BY event_date"""
        )

    def operator_answers(
        self, model: str, now: datetime, as_of: datetime | None = None
    ) -> dict[str, pd.DataFrame]:
        """Answers to the questions an operator lives by (`sql/operator.sql`), by their names, asked
        of a published log at a time."""
        known = self.known(as_of)
        # the rows are those that were known: no batch of theirs is to be left out
        values = {"model": model, "now": now, "batch": self.known_batch()}
        questions, last, answers = statements("operator.sql"), now.date() + timedelta(1), {}
        for name, days in LOOKS_BACK.items():
            first = now.date() - timedelta(days + 1)  # whole days, in any zone
            with self._narrowed(model, first, last, known) as recent:
                answers[name] = recent.frame(questions[name], values)
        return answers

    def _narrowed(self, model, start, end, known):
        """A connection of its own whose published views show one model and the days from start to
        end, as known with some batches: a question about recent days opens no older file."""
        period = {"event_date__ge": start, "event_date__le": end, "batch_id__in": known}
        pending = self.files("outcomes", event_date__null=True, batch_id__in=known)
        con = self.cursor()
        for kind, files in (
            ("predictions", self.files("predictions", model=model, **period)),
            ("outcomes", self.files("outcomes", **period) + pending),
        ):
            rows = _rows_of(kind, [self.root / file[0] for file in files], known)
            con.execute(f"CREATE TEMP VIEW {kind} AS {rows}")
        for sql in statements("views.sql").values():
            con.execute(sql.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
        return Connected(con, self.root)


LOOKS_BACK = {"automation_rate": 1, "width_distribution": 7, "false_positives_by_width": 30}
"Days that each question of `sql/operator.sql` looks back: files of other days are not opened."


def _rows_of(kind, paths, known):
    """Rows of files as known with some batches, as SQL: a file of outcomes of a history holds those
    of many nights, and one that was merged those of many batches."""
    if not paths:
        return EMPTY[kind]
    return f"SELECT * FROM {parquet(paths)} WHERE {known.sql()} UNION ALL BY NAME {EMPTY[kind]}"


_PLAIN = {"double", "float", "boolean", "varchar", "tinyint", "smallint", "integer", "bigint"}
_THERE, _FEATURE = "(features)", "feature:"


def _side_by_side(con, logged, kinds):
    """All columns of predictions, features as columns of their own, as SQL: as dicts they take
    twenty times the memory. None where a feature is of no known kind, or not of a plain type."""
    stored = stored_types(con, logged)
    if not stored or not kinds.keys() >= stored.keys() or not set(stored.values()) <= _PLAIN:
        return None
    each = (f"features.{identifier(f)} AS {identifier(_FEATURE + f)}" for f in stored)
    there = f"features IS NOT NULL AS {identifier(_THERE)}"
    return ", ".join(["* EXCLUDE (features)", there, *each])


def _spread(rows, kinds, again):
    "A frame with features as columns of their own, each of its kind."
    rows, features = _apart(rows)
    for feature, part in again.groupby("feature") if again is not None else ():
        if feature in features:
            raw = dict(zip(part.prediction_id, part.raw))
            standing_in = rows.prediction_id.map(raw)
            column = features[feature].astype(object)
            features[feature] = column.where(standing_in.isna(), standing_in)
    columns = {f: of_kind(features[f], kinds.get(f)) for f in features}
    return pd.concat([rows, pd.DataFrame(columns).add_prefix(_FEATURE)], axis=1)


def _apart(rows):
    "Rows without features, and their features; none where no row has any."
    if "features" in rows:
        logged = [f if isinstance(f, dict) else {} for f in rows.pop("features")]
        return rows, pd.json_normalize(logged).set_index(rows.index)
    named = [c for c in rows if c.startswith(_FEATURE)]
    features = rows[named if rows[_THERE].any() else []]
    features = features.rename(columns=lambda c: c.removeprefix(_FEATURE))
    return rows.drop(columns=[_THERE, *named]), features


def of_kind(column: pd.Series, kind: str | None) -> pd.Series:
    "A feature as what it is; as it stands where nobody knows that."
    if kind is None:
        return column
    values = typed(column, kind)[0]
    if kind == "boolean":
        whole = not values.isna().any()
        return values.astype(bool) if whole else values.astype(object).where(values.notna(), None)
    return values
