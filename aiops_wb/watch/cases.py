"""From decisions to somebody's desk."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import pandas as pd

from ..config import Settings
from ..log.catalog import StoreError
from ..log.store import Store
from ..stats.automation import level_at
from ..stats.decisions import Event, assign, deduplicate, ticket_text
from ..stats.points import Grid

__all__ = [
    "SENT",
    "case_id",
    "Opened",
    "open_cases",
    "Sink",
    "JsonLines",
    "Webhook",
    "sinks",
    "message",
    "drift_messages",
    "deliver",
]


def case_id(kind: str, prediction_id: str) -> str:
    "The id of the case that a prediction opens."
    return ("T-" if kind == "ticket" else "A-") + hashlib.sha256(
        f"{kind} {prediction_id}".encode()
    ).hexdigest()[:12]


@dataclass(frozen=True)
class Opened:
    "How many decisions of high risk were found, and what became of them."

    opened: int = 0
    joined: int = 0
    late: int = 0

    def __str__(self) -> str:
        late = f", {self.late:,} too old to be sent" if self.late else ""
        return f"{self.opened:,} cases opened, {self.joined:,} further events joined them{late}"


def _words(store, model, version, rows):
    "The reasons of each row in words; none where the version is not registered here or cannot be loaded."
    if version not in set(store.versions(model).version):
        return [[] for _ in range(len(rows))]
    try:
        from aiops_wb.models.explain import alert_reasons, in_words

        return [[in_words(r)] for _, r in alert_reasons(store, model, version, rows).iterrows()]
    except (ModuleNotFoundError, StoreError):
        return [[] for _ in range(len(rows))]


def _described(store, model, rows, settings):
    "Rows of the log with interval, words and assignee."
    stood, sites, name = (
        store.calibrations(rows.calibration_id.dropna().unique()),
        store.sites(),
        store.timezone,
    )
    reasons = pd.concat(
        [
            pd.Series(_words(store, model, v, part), index=part.index, dtype=object)
            for v, part in rows.groupby("version")
        ]
    )
    found = []
    for row, words in zip(rows.itertuples(), reasons[rows.index]):
        p, stands = float(Grid.parse(row.grid).inverse(row.points)), stood.get(row.calibration_id)
        level = _text(row.risk_level) or (
            level_at(row.points, settings.risk_cuts) if row.grid == "logit" else "HIGH"
        )
        lower, upper = stands.interval(row.points) if stands else (float("nan"), float("nan"))
        why = f"risk {level}, as the scoring service decided"
        if stands:
            again = stands.at(row.predicted_at).decide(row.points, settings.risk_cuts)
            why = again.reason if again.route == row.route else why
        who = assign(sites.get((row.tenant, row.site_id)))
        at = row.predicted_at.astimezone(ZoneInfo(name))
        title, text = ticket_text(
            kind=row.route,
            model=model,
            entity_id=_text(row.entity_id),
            site_id=_text(row.site_id),
            at=f"{at:%Y-%m-%d %H:%M} ({name})",
            probability=p,
            interval=(lower, upper),
            decision_reason=why,
            reasons=words,
            share=row.grid == "logit",
        )
        found.append(
            dict(
                risk_level=level,
                automated=row.route == "ticket",
                probability=p,
                lower=None if isnan(lower) else lower,
                upper=None if isnan(upper) else upper,
                assignee=who.name,
                role=who.role,
                workflow=settings.ticket_workflow
                if row.route == "ticket"
                else settings.alert_workflow,
                title=title,
                text=text,
                reason=why,
            )
        )
    return rows.drop(columns=["risk_level", "automated"]).join(
        pd.DataFrame(found, index=rows.index)
    )


def _text(value):
    return None if pd.isna(value) or not str(value).strip() else str(value)


def _new_rows(store, since):
    "Decisions of high risk in batches from `since` on, by model."
    touched = {}
    for _, day, _, model, *_ in store.files("predictions", batch_id__ge=since):
        touched.setdefault(model, set()).add(day)
    for model, days in sorted(touched.items()):
        found = [
            store.rows(
                model, d, d, where=f"route IN ('ticket', 'alert') AND batch_id >= {int(since)}"
            )
            for d in sorted(days)
        ]
        rows = (
            pd.concat([f for f in found if len(f)], ignore_index=True)
            if any(len(f) for f in found)
            else pd.DataFrame()
        )
        if len(rows):
            yield model, rows


def open_cases(store: Store, now: datetime, settings: Settings) -> Opened:
    "Turn new decisions of high risk into cases, assigned and in words; idempotent."
    window, oldest = (
        timedelta(hours=settings.case_hours),
        pd.Timestamp(now) - timedelta(hours=settings.case_max_age_hours),
    )
    parts, through = [], store.known_batch()
    for model, rows in _new_rows(store, store.cases_from()):
        for (tenant, late), group in rows.groupby(["tenant", rows.predicted_at < oldest]):
            fresh = (
                "late" if late else "opened"
            )  # what is too old to be sent must not swallow what is not
            known = store.open_since(group.predicted_at.min() - window, fresh)
            events = [
                Event(r.prediction_id, r.route, _text(r.entity_id), r.predicted_at)
                for r in group.itertuples()
            ]
            openers = deduplicate(
                events,
                {
                    (kind, entity): cases
                    for (t, m, kind, entity), cases in known.items()
                    if (t, m) == (tenant, model)
                },
                window,
            )
            opener = group.prediction_id.map(openers)
            state = pd.Series(fresh, index=group.index).where(
                opener == group.prediction_id, "joined"
            )
            parts.append(
                _described(store, model, group, settings).assign(
                    case_id=[case_id(k, o) for k, o in zip(group.route, opener)],
                    state=state,
                    kind=group.route,
                    opened_at=now,
                )
            )
    columns = [c for c, *_ in store.con.execute("DESCRIBE cases").fetchall()]
    cases = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    if store.cases_from() <= through:
        store.add_cases(now, cases, through)
    n = cases.state.value_counts()
    return Opened(*(int(n.get(s, 0)) for s in ("opened", "joined", "late")))


class Sink(Protocol):
    "Where cases go: a name, and `send`, which raises when the case was not taken."

    name: str

    def send(self, case: dict) -> None: ...


class JsonLines:
    "Appends each case to a file, one JSON object a line, on disk when `send` returns."

    name = "file"

    def __init__(self, path: Path):
        self.path = Path(path)

    def send(self, case: dict) -> None:
        "Append one case."
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = (
            self.path.exists()
            and self.path.stat().st_size
            and not self.path.read_bytes().endswith(b"\n")
        )  # by a full disk, say
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps(case, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())


class Webhook:
    "POSTs each case as JSON; `timeout` in seconds for each of 1 + `retries` attempts, `pause` seconds before the second and twice as long before each further one."

    name = "webhook"

    def __init__(
        self,
        url: str,
        timeout: float = 5.0,
        retries: int = 3,
        pause: float = 0.5,
        failures: int = 3,
    ):
        try:
            import pybreaker
            import urllib3
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error.name} is not installed: a webhook needs pip install 'aiops_wb[webhook]'."
            ) from None
        try:
            address = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError:
            address = urllib3.util.parse_url("")
        if address.scheme not in ("http", "https") or not address.host:
            raise StoreError("webhook_url is not an address that begins with http:// or https://.")
        patience = urllib3.Retry(
            total=retries,
            backoff_factor=pause,
            status_forcelist=(429, 500, 502, 503, 504),
            allowed_methods=None,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        self.url, self.pool = (
            url,
            urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=patience),
        )
        self.breaker = pybreaker.CircuitBreaker(fail_max=failures, reset_timeout=3600)

    def send(self, case: dict) -> None:
        "POST one case; raises with a sentence that names the server's answer, never its address."
        import pybreaker

        try:
            self.breaker.call(self._post, case)
        except pybreaker.CircuitBreakerError as error:
            if error.__context__ is None or isinstance(error.__context__, KeyError):
                raise StoreError("not tried: the webhook failed several times in a row") from None
            raise StoreError(_failure(error.__context__)) from None
        except Exception as error:
            raise StoreError(_failure(error)) from None

    def _post(self, case):
        answer = self.pool.request(
            "POST",
            self.url,
            json=case,
            headers={"Idempotency-Key": case["case_id"]},
            redirect=False,
            preload_content=False,
        )  # the body is nobody's business, and may never end
        answer.close()
        if not 200 <= answer.status < 300:
            raise StoreError(f"the webhook answered {answer.status}")


def _failure(error):
    "What went wrong without the address, which may hold a secret."
    if isinstance(error, StoreError):
        return str(error)
    reason = getattr(error, "reason", None)
    return f"the webhook could not be reached: {type(reason or error).__name__}"


def sinks(settings: Settings) -> list[Sink]:
    "The sinks that the settings name; the workbench's own table is always there."
    found = [JsonLines(settings.case_file)] if settings.case_file else []
    if settings.webhook_url:
        found.append(
            Webhook(
                settings.webhook_url.get_secret_value(),
                settings.webhook_timeout,
                settings.webhook_retries,
            )
        )
    return found


SENT = (
    "case_id",
    "kind",
    "workflow",
    "assignee",
    "role",
    "title",
    "text",
    "tenant",
    "model",
    "version",
    "entity_id",
    "site_id",
    "predicted_at",
    "risk_level",
    "probability",
    "lower",
    "upper",
    "automated",
    "reason",
    "prediction_id",
    "opened_at",
)


def message(case) -> dict:
    "What a sink gets of a row of cases: plain JSON values."
    plain = lambda v: (
        v.isoformat()
        if isinstance(v, datetime)
        else None
        if pd.isna(v)
        else v.item()
        if hasattr(v, "item")
        else v
    )
    return {c: plain(case[c]) for c in SENT}


def drift_messages(events: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    "Opened alarms about drift in the shape of cases, for the same sinks: their id, severity and words."
    if events.empty:
        return pd.DataFrame()
    nothing = {c: None for c in SENT if c not in events}
    return (
        events.assign(**nothing)
        .assign(
            lower=None,
            upper=None,
            case_id=events.event_id,
            kind="drift",
            workflow=settings.drift_workflow,
            role="model owner",
            risk_level=events.severity.str.upper(),
            automated=False,
            reason=events.kind,
            predicted_at=None,
            opened_at=events.recorded_at,
        )[list(SENT)]
        .astype(object)
    )


def deliver(
    waiting: dict[str, pd.DataFrame],
    to: Sequence[Sink],
    now: datetime,
    on_done: Callable[[str, str], None] = lambda sink, state: None,
) -> pd.DataFrame:
    "Hand the waiting cases of each sink over; returns the attempts as rows for the store. A sink that refuses does not stop the others."
    attempts = []
    for sink in to:
        for _, case in waiting.get(sink.name, pd.DataFrame()).iterrows():
            state, detail = "delivered", None
            try:
                sink.send(message(case))
            except (StoreError, OSError) as error:
                state, detail = "failed", str(error)
            attempts.append(
                {
                    "case_id": case.case_id,
                    "sink": sink.name,
                    "state": state,
                    "detail": detail,
                    "attempted_at": now,
                }
            )
            on_done(sink.name, state)
    return pd.DataFrame(attempts, columns=["case_id", "sink", "state", "detail", "attempted_at"])
