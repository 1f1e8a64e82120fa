"""One place for every setting.

One frozen, typed object holds what can be chosen. It is read once, from a file `aiops.toml` and
from variables that begin with `AIOPS_`, and is handed on as an argument. Nothing else in the
package reads a file of settings or the environment. A `profile` is a small table of other defaults,
over which all of these win.

The file is looked for upwards from the working directory and then in the data folder, so that a
notebook in a folder below, cron in `/` and the command line use the same one. A misspelt key is an
error: a threshold that is silently not read is worse than none.
"""

import json
import os
import platform
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from math import isnan
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import pydantic_settings
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

__all__ = [
    "GOALS",
    "NO_FILE",
    "NULL_WORDS",
    "PRIVATE",
    "PROFILES",
    "Address",
    "Days",
    "ChangeSettings",
    "EventSettings",
    "McpSettings",
    "MessageSettings",
    "Rule",
    "Setting",
    "Settings",
    "SettingsError",
    "Share",
    "load_settings",
    "packages",
    "settings_file",
    "sources",
]

FILE = "aiops.toml"
PREFIX = "AIOPS_"
PATHS = (
    *("data", "reports", "spool", "case_file", "audit_anchor", "backup_folder"),
    "reports_folder",
)
FOLDERS = {"data": Path("data"), "reports": Path("reports")}
NO_FILE = "no file"
"As `config`: the settings are whole, and no file is looked for."

PRIVATE = {
    "data",
    "reports",
    "spool",
    "webhook_url",
    "case_file",
    "audit_anchor",
    "audit_anchor_command",
    "messages",
    "events_to",
    "pages_url",
    "heartbeat_url",
    "backup_folder",
    "reports_folder",
    "spark_url",
    "spark_data",
}
"Settings that are places or secrets: they go into no report and no manifest."

_OF_PROGRAMS = ("n/a", "#n/a", "nan", "-nan", "nat", "<na>", "null", "\\n")
_OF_SHEETS = ("#value!", "#ref!", "#div/0!")
NULL_WORDS = (*_OF_PROGRAMS, *_OF_SHEETS, "na", "none", "nil", "-", "--", ".", "?")
"Words for a missing value of a number, a boolean or a time, unless others are set."

Share = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1, le=36500)]
Count = Annotated[int, Field(ge=1, le=10**12)]
Megabytes = Annotated[int, Field(ge=0, le=10**9)]
Function = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")]


def _as_number(given: Any) -> Any:
    "A number of a variable, which is text; anything else as it is."
    try:
        return float(given) if isinstance(given, str) else given
    except ValueError:
        return given


Coverage = Annotated[Literal[0.9, 0.95, 0.99], BeforeValidator(_as_number)]
Rule = Literal["days", "days-t", "rows", "control", "venn-abers", "labels", "width", "off"]


PROFILES: Mapping[str, Mapping[str, Any]] = {
    # tries out: one thing at a time, nothing is kept for long, reports may be stepped through, and
    # a challenger follows the other
    "development": {
        "jobs": 1,
        "report_timeout": 3600,
        "snapshots_kept": 1,
        "quarantine_days": 7,
        "webhook_retries": 0,
        "retrain_cooldown_days": 0,
    },
    # rehearses production on what may be little data: a day between two champions
    "staging": {"retrain_cooldown_days": 1},
    # what people rely on: a week of snapshots to go back to, more patience with a receiver, and
    # more to learn from before a model is replaced
    "production": {
        "snapshots_kept": 7,
        "quarantine_days": 90,
        "webhook_retries": 5,
        "retrain_min_labelled": 1000,
        "retrain_min_positives": 100,
    },
}
"""What is other than the default in each profile. None touches what a figure is or promises, so
that a rehearsal shows the figures of production, and none switches retraining on."""


class SettingsError(ValueError):
    "A setting that cannot be used; the message names it."


class _Looking(BaseSettings):
    "Settings of what is looked at, and whose labels come."

    # this share of the events below the threshold goes to review by chance (.02, say; 0: none), so
    # that what is missed can be estimated where only what was called gets a label
    explore: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    # whose labels ever come: of all events, or of those alone that somebody was called for; auto:
    # what the complete days of the log show
    labels_of: Literal["auto", "all", "called"] = "auto"
    # whether two arms may decide a model's events side by side (`aiops-wb ab start`); where it is
    # switched off again the next morning ends what runs
    ab_tests: bool = False
    # a week is held against at most so many weeks before it ('aiops-wb anomalies'); 24 complete
    # ones are needed
    anomaly_weeks: Annotated[int, Field(ge=24, le=520)] = 52
    # whose hours are looked at: of each site, of each entity (the thousand with most events), of
    # all events together
    anomaly_levels: Annotated[tuple[Literal["site", "entity", "all"], ...], Field(min_length=1)] = (
        "site",
        "all",
    )


GOALS = ("tune_cost_missed", "tune_max_fdr", "tune_max_fpr", "tune_alerts_per_day")
"Settings of which one names what a threshold is tuned for."


class ChangeSettings(BaseSettings):
    "Settings of changes: who may make one of a threshold, what does so by itself, and their trail."

    # a file outside the data folder that keeps length and head of the audit trail, line by line:
    # better on another disk, or one that may only be appended to
    audit_anchor: Path | None = None
    # a command, word by word, that gets such a line on its standard input instead or as well:
    # ["logger", "-t", "aiops-wb"]; no shell reads it
    audit_anchor_command: tuple[str, ...] = ()
    # seconds in which that command has to end
    audit_anchor_seconds: Annotated[float, Field(gt=0, le=600)] = 10
    # who proposed a threshold may not approve it, and nobody sets one alone; people are told apart
    # by the names of their accounts: a habit that is kept, not a lock
    threshold_four_eyes: bool = False

    # whether a better threshold is looked for each week: propose leaves it to a person, apply does
    # not
    tune: Literal["off", "propose", "apply"] = "off"
    # what for, one of these four: the least cost, a missed positive worth so many false alerts
    tune_cost_missed: Annotated[float, Field(gt=0, le=1e6)] | None = None
    # at most this share of alerts is false (FDR)
    tune_max_fdr: Share | None = None
    # at most this share of negatives is alerts (FPR)
    tune_max_fpr: Share | None = None
    # no more than a tenth of the days have more alerts
    tune_alerts_per_day: Annotated[float, Field(gt=0, le=1e9)] | None = None
    tune_days: Days = 90  # days that a look rests on, those whose labels are in
    tune_min_days: Days = 28  # of these at least; muted days of the calendar count for none
    tune_min_labelled: Count = 1000  # labelled events of these days, at least
    tune_max_step: Annotated[int, Field(ge=50, le=32000)] = 500  # points of one change
    # a threshold is left alone for so long after it, or the version, was changed
    tune_cooldown_days: Annotated[int, Field(ge=0, le=36500)] = 28
    # the chance that any look of a version names a threshold that is no better
    tune_false_changes: Share = 0.05
    tune_rollback_days: Days = 14  # an alarm that opens so soon after a change speaks against it

    @field_validator("audit_anchor_command")
    @classmethod
    def _has_words(cls, command):
        if any("\0" in word for word in command) or (command and not command[0].strip()):
            raise ValueError("words without a zero byte are needed, the first names the command")
        return command

    @model_validator(mode="after")
    def _one_goal(self):
        named = [name for name in GOALS if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} are two goals: a threshold is tuned for one")
        if self.tune != "off" and not named:
            raise ValueError(f"tune = '{self.tune}' needs a goal, one of {', '.join(GOALS)}")
        return self


class _Folders(BaseSettings):
    "Settings of where things lie and who may read them."

    # where services hand in what they log; without it the folder spool of the data folder
    spool: Path | None = None
    # members of this group may read data folder, reports and case file (2750, files 0640), which
    # are open to their owner alone without it (0700, 0600); only what is made new is given to it
    group: Annotated[str, Field(min_length=1)] | None = None

    def spool_of(self, data: str | Path) -> Path:
        "The spool of a data folder."
        return self.spool or Path(data) / "spool"


class _Nights(BaseSettings):
    "Settings of a morning that runs by itself."

    # what fails and may do well a little later (a lock, memory, a process that was killed) is tried
    # so many times more, after 2, 8, 32 and at most 60 seconds
    morning_retries: Annotated[int, Field(ge=0, le=10)] = 2
    # MB of memory that one report may hold; 0: half of the machine's
    report_memory: Megabytes = 0
    # a function that gives an executor (PEP 3148), "module:function": reports are made by it, those
    # of a model and day together, on machines that have data and reports under the same paths;
    # without it by processes of this machine
    report_executor: Function | None = None
    # reports of days that are older than so many days are packed, each day's into a reports.zip of
    # its folder; 0: never
    archive_reports_days: Annotated[int, Field(ge=0, le=36500)] = 0
    # day files of days that are older than so many days are made few after each morning, as by
    # 'aiops-wb compact'; for a week what is merged lies there twice; 0: never
    compact_after_days: Annotated[int, Field(ge=0, le=36500)] = 0
    # notebooks of your own that run in the night beside those of the package, each that has a cell
    # tagged 'parameters'; without it those that a checkout has in nbs/reports
    reports_folder: Path | None = None
    # where 'aiops-wb backup' puts backups, for 'doctor' to look how old the newest is
    backup_folder: Path | None = None


class McpSettings(BaseSettings):
    "Settings of a server for programs that ask and propose (`aiops-wb mcp`)."

    # how the program is called that proposes: proposals are by it, "for" whose account it runs in
    mcp_client: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")] = "mcp"
    # whether it is told who and what an event is about (entities, alike events, texts among values
    # of features) and who proposed what: what it is told may leave the house
    mcp_names: bool = False
    mcp_seconds: Annotated[float, Field(gt=0, le=600)] = 30  # in which one question is answered


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII | re.IGNORECASE)
_WITH_HOSTS = re.compile(r"(mailto|json|form|xml|http)s?")


class Address(SecretStr):
    """Where something is sent to, with the secrets that stand in it. It shows its scheme, and its
    host where a host stands there: in addresses of chats that is the place of a token."""

    def _display(self) -> str:
        scheme, found, _ = self.get_secret_value().partition("://")
        if not (found and _SCHEME.fullmatch(scheme)):
            return "an address"
        scheme, host = scheme.lower(), None
        with suppress(ValueError):
            parts = urlsplit(self.get_secret_value())
            if _WITH_HOSTS.fullmatch(scheme) and "@" not in parts.path:
                host = parts.hostname
        return f"{scheme}://{host or '...'}"


class MessageSettings(BaseSettings):
    "Settings of who is told by mail or chat how a morning went, and of its sign of life."

    # addresses of apprise that are told in a few lines what changed or failed in a morning:
    # ["mailto://user:password@mail.example.org?to=ops@example.org"]; where nothing did, nothing is
    # sent; with models=a,b among its options, an address hears of these alone
    messages: tuple[Address, ...] = ()
    # what is told: changed (alarms that opened or closed, thresholds, versions ...), failed
    message_on: tuple[Literal["changed", "failed"], ...] = ("changed", "failed")
    message_timeout: Annotated[float, Field(gt=0, le=600)] = 30  # seconds for all of them together
    # where the folder of reports is served, for the link in a message
    pages_url: str | None = None
    # is asked for (GET) after each good morning, and not after another: whoever watches it hears of
    # a morning that failed, hung or never began by its silence
    heartbeat_url: Address | None = None
    heartbeat_timeout: Annotated[float, Field(gt=0, le=600)] = (
        10  # seconds, with what is tried again
    )

    @field_validator("messages")
    @classmethod
    def _of_apprise(cls, addresses):
        told = (one.get_secret_value().partition("://") for one in addresses)
        if not all(_SCHEME.fullmatch(scheme) and rest.strip() for scheme, _, rest in told):
            raise ValueError("addresses such as 'mailto://...' or 'slack://...' are needed")
        return tuple(dict.fromkeys(addresses))

    @field_validator("pages_url", "heartbeat_url")
    @classmethod
    def _of_web(cls, address):
        secret = isinstance(address, SecretStr)
        url = address.get_secret_value() if secret else address
        if url is not None and not re.match(r"https?://[^\s/]", url):
            raise ValueError("an address that begins with http:// or https:// is needed")
        return address


_PLACE = re.compile(r"(file:|(rediss?|kafka|https?)://)[^\0]+", re.IGNORECASE)
_OF_FILE = "file:"


class EventSettings(BaseSettings):
    "Settings of where other systems hear of what happens here, as CloudEvents."

    # cases, alarms and every row of the audit trail go to these places as they happen:
    # ["file:events.jsonl", "redis://host:6379/0?stream=aiops", "kafka://host:9092?topic=aiops",
    # "https://host/path"]; one that is new hears of what happens from then on
    events_to: tuple[Address, ...] = ()
    # what the workbench calls itself in them, a URI; without it a name that the log was given
    events_source: Annotated[str, Field(pattern=r"^[!-~]+$", max_length=500)] | None = None
    # seconds in which what waits is handed on to all of them together; the rest goes the next time
    events_timeout: Annotated[float, Field(gt=0, le=3600)] = 60

    @field_validator("events_to")
    @classmethod
    def _are_places(cls, addresses):
        if not all(_PLACE.fullmatch(one.get_secret_value()) for one in addresses):
            raise ValueError(
                "places such as 'file:events.jsonl', 'redis://host:6379/0?stream=events', "
                "'kafka://host:9092?topic=events' or 'https://host/path' are needed"
            )
        return tuple(dict.fromkeys(addresses))


class _Engines(BaseSettings):
    "Settings of what counts rows, where it is asked to."

    # what counts rows anew (backfill --recount) and registers files of a job: duckdb, in this
    # process; spark, any server of Spark Connect that sees the folder of the log
    count_engine: Literal["duckdb", "spark"] = "duckdb"
    # its address, such as sc://host:15002
    spark_url: Address | None = None
    # what the data folder is to that server, where it is not the same path: file:///mnt/log, or a
    # store with a copy of the day files: s3://bucket/log
    spark_data: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("spark_url")
    @classmethod
    def _of_spark(cls, address):
        if address is not None and not re.match(r"sc://[^\s/:]", address.get_secret_value()):
            raise ValueError("an address such as 'sc://host:15002' is needed")
        return address


class _Telling(MessageSettings, EventSettings, McpSettings):
    "Settings of whom the workbench talks to."


class Settings(ChangeSettings, _Telling, _Looking, _Folders, _Nights, _Engines):
    """Settings of one workbench, from keyword arguments, then AIOPS_* variables, then aiops.toml,
    then the profile, then these defaults.

    `config` names the file; without it the file is looked for upwards from the working directory,
    then in the data folder. Relative paths in the file belong to the file's folder.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    # a table of other defaults, for the place where this workbench runs
    profile: Literal["development", "staging", "production"] | None = None

    # the log, the catalog, the spool, the models
    data: Path = FOLDERS["data"]
    # pages made by the daily run
    reports: Path = FOLDERS["reports"]
    # a day is a calendar day of this zone; fixed when a log is created
    timezone: str = "UTC"

    automation: Rule = "days"  # the rule for tickets
    false_ticket_share: Share = 0.10  # at most this share of tickets may be false
    false_ticket_confidence: Share = 0.90  # of that promise
    ticket_days: Days = 60  # days that the rule for tickets rests on
    # the labels of a day count as complete after so many days, at least; auto: as soon as the log
    # has shown it
    label_delay_days: int | Literal["auto"] = "auto"
    # the share of a day's labels that may still come when it counts as complete; 1: nothing has to
    # be shown, label_delay_days is taken at its word
    complete_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    coverage: Coverage = 0.9  # of prediction intervals and sets
    # the width rule (automation "width"): an interval narrower than this may act without a person
    narrow_width: Share = 0.20
    # where the risk levels LOW, MEDIUM, HIGH and CRITICAL begin, as scores: all of them move with
    # the threshold in force, at which HIGH begins where the dial of a model is on
    risk_cuts: tuple[Share, Share, Share, Share] = (0.2, 0.4, 0.6, 0.8)
    calibration_days: Days = 28  # days that sets and intervals rest on
    calibration_max_age_days: Days = 30  # an older calibration automates nothing

    # one case for each entity in this window
    case_hours: Annotated[float, Field(gt=0, le=8760)] = 24
    # cases about older predictions are recorded, not sent
    case_max_age_hours: Annotated[float, Field(gt=0, le=87600)] = 48
    ticket_workflow: str = "open-investigation"  # what the receiver of a ticket is asked to start
    alert_workflow: str = "review-alert"  # the same for an alert
    drift_workflow: str = "review-drift"  # the same for an alarm about drift
    case_file: Path | None = None  # JSON lines, one for each case
    webhook_url: SecretStr | None = None  # receives each case as a POST of JSON
    webhook_timeout: Annotated[float, Field(gt=0, le=3600)] = 5  # seconds
    webhook_retries: Annotated[int, Field(ge=0, le=100)] = 3  # of one case, after the first attempt

    quarantine_days: Days = 30  # what could not be loaded or read is kept so long, as text
    # limits of a file that is taken in: rows, columns, characters of a line and of a value
    file_rows: Count = 20_000_000
    file_columns: Count = 5_000
    line_length: Count = 5_000_000
    value_length: Count = 1_000_000
    # words, in any case, for a missing number, boolean or time, as an empty cell is one, in files
    # that are read from then on; of a text only those that programs write are missing, whatever is
    # set here: NA may be Namibia, and the scorer has to know them too
    null_words: tuple[str, ...] = NULL_WORDS
    # MB for reading one file or the queries of a morning, shared by its reports; 0: half of all
    memory_limit: Megabytes = 0

    recent_days: Days = 7  # drift: the recent window
    reference_days: tuple[Days, Days] = (30, 60)  # drift: days before, nearest and farthest
    drift_level: Share = 0.05  # at most this chance of any false drift alarm in a year
    # a change of a share (of events below a cut, missing, positive ...) and a rise of the mean
    # squared error up to this are tolerated
    drift_tolerance: Share = 0.005
    # the same for the log-odds of the label, in logits
    calibration_tolerance: Annotated[float, Field(gt=0, le=2)] = 0.1

    # may models be retrained? 'aiops-wb retrain --flag' says so of one model, and wins; 'retrain
    # --stop-all' stops every one
    retrain_enabled: bool = False
    # a champion is left alone for so long after it was activated
    retrain_cooldown_days: Annotated[int, Field(ge=0, le=36500)] = 7
    retrain_min_labelled: Count = 100  # labelled events of complete days to train on, at least
    retrain_min_positives: Count = 30  # positive ones among them, at least
    # what follows when a challenger in shadow has shown to be better
    retrain_policy: Literal["propose", "promote"] = "propose"
    # the chance in a year of promoting a version that is no better, and how many challengers a year
    # share it: no more are trained
    retrain_false_promotions: Share = 0.05
    retrain_challengers: Count = 12
    # what a missed positive costs, in false calls: costs are compared then, without it log loss
    retrain_miss_cost: Annotated[float, Field(gt=0, le=1e6)] | None = None
    # an event of a tenant or a site may cost so much more, in the unit of the loss
    retrain_segment_margin: Annotated[float, Field(ge=0, le=10)] = 0.02
    retrain_min_pr_auc: Annotated[float, Field(ge=0, lt=1)] = 0.0  # of a challenger in shadow
    # its precision where it finds 80 % of the positives
    retrain_min_precision: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # shares of events that may be decided otherwise, and of common calls that may have another
    # first reason
    retrain_max_flips: Annotated[float, Field(gt=0, le=1)] = 0.2
    retrain_max_reasons: Annotated[float, Field(gt=0, le=1)] = 0.5
    # what follows when evidence is for the champion before; automatic: where it may be retrained
    retrain_rollback: Literal["propose", "automatic"] = "automatic"
    # a training that takes longer, or more MB of memory, is ended; 0 MB: half of the machine's
    retrain_minutes: Annotated[int, Field(ge=1, le=10080)] = 60
    retrain_memory: Megabytes = 0

    engine: Literal["inline", "kernel"] = "inline"  # how report notebooks run
    jobs: Annotated[int, Field(ge=1, le=1024)] = 2  # report notebooks at once
    report_timeout: Annotated[int, Field(ge=1, le=604800)] = 120  # seconds for one report
    snapshots_kept: Annotated[int, Field(ge=1, le=10000)] = 3  # published copies of the catalog

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name):
        if name != "UTC" and name not in available_timezones():  # which walks a folder of files
            raise ValueError(f"{name!r} is not a time zone name such as 'Europe/Berlin' or 'UTC'")
        return name

    @field_validator("label_delay_days", mode="plain")
    @classmethod
    def _days_or_auto(cls, value):
        if value == "auto" or (isinstance(value, int) and value is not True and value >= 1):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) >= 1:
            return int(value)  # of a variable
        raise ValueError("a number of days, from 1 on, or 'auto' is allowed")

    @field_validator("null_words")
    @classmethod
    def _mean_nothing_else(cls, words):
        words = tuple(dict.fromkeys(word.strip().lower() for word in words))
        telling = next((word for word in words if not word or _says_something(word)), None)
        if telling is not None:
            raise ValueError(f"{telling!r} is a value or empty, and no word for a missing one")
        return words

    @field_validator("risk_cuts")
    @classmethod
    def _ascending(cls, cuts):
        if list(cuts) != sorted(cuts):
            raise ValueError("the cuts must ascend")
        return cuts

    @field_validator(*PATHS)
    @classmethod
    def _possible_path(cls, path):
        if path is not None and "\0" in str(path):
            raise ValueError("a path has no zero byte")
        return path

    @model_validator(mode="after")
    def _ordered(self):
        if not self.recent_days <= self.reference_days[0] < self.reference_days[1]:
            raise ValueError(
                "recent_days <= reference_days[0] < reference_days[1] must hold, "
                "or the windows overlap"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        "The time zone object."
        return ZoneInfo(self.timezone)

    @property
    def label_floor(self) -> int:
        "Days that a day's labels are waited for at least."
        return 0 if self.label_delay_days == "auto" else self.label_delay_days

    @property
    def certainty(self) -> dict:
        "How predictions become certain: the arguments of `automation.certainty`."
        return {
            "method": self.automation,
            "target": self.false_ticket_share,
            "confidence": self.false_ticket_confidence,
            "coverage": self.coverage,
            "narrow": self.narrow_width,
            "floor": self.risk_cuts[2],
            "calibration_days": self.calibration_days,
            "ticket_days": self.ticket_days,
            "time_to_live": timedelta(days=self.calibration_max_age_days),
        }

    @classmethod
    def settings_customise_sources(
        cls, settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        "Arguments win over the environment, the environment over the file, that over the profile."
        _refuse_misspelt_variables()
        config = init_settings.init_kwargs.pop("config", None)
        chosen = _read_variables(env_settings) | init_settings.init_kwargs
        file = _find_file(config, chosen.get("data"))
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, file.values),
            InitSettingsSource(settings_cls, _of_profile((file.values | chosen).get("profile"))),
            InitSettingsSource(settings_cls, file.folders),
        )


def _of_profile(name) -> dict[str, Any]:
    "What a profile says of settings; nothing where there is none of that name."
    return dict(PROFILES.get(name, {})) if isinstance(name, str) else {}


def _says_something(word) -> bool:
    "Whether a word is a number or a boolean."
    try:
        return word in ("true", "false") or not isnan(float(word))
    except ValueError:
        return False


class _File(NamedTuple):
    "What a file of settings says, and the folders of the workbench where it says nothing of them."

    path: Path | None
    values: dict[str, Any]
    folders: dict[str, Path]


def _find_file(config, data) -> _File:
    "The file that was named, else the first one upwards from here, else that of the data folder."
    if config == NO_FILE:
        return _File(None, {}, {})
    if config is not None:
        return _read_file(Path(config), Path(config).parent)
    here = _working_directory()
    for folder in (here, *here.parents) if here else ():
        if _is_there(folder / FILE):
            # in the working directory itself, relative paths stay as short as they were written
            return _read_file(folder / FILE, Path() if folder == here else folder)
    folder = Path(data or FOLDERS["data"])
    if _is_there(folder / FILE):
        return _read_file(folder / FILE, folder)._replace(folders={})
    return _File(None, {}, {})


def _is_there(path) -> bool:
    "Whether there is a file; SettingsError where that cannot be seen."
    try:
        return path.is_file()
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be looked for ({error.strerror}): name a file with --config."
        ) from None


def _working_directory() -> Path | None:
    "Where this process stands; None when that folder has been removed."
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _read_file(path, folder) -> _File:
    "A file's settings; its relative paths and the folders it does not name belong to its folder."
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: name a file of settings.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} cannot be read{_key_at(path, error)}: {error}") from None
    except (ValueError, OSError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    misspelt = [_path_of(key, values[key]) for key in values if key not in Settings.model_fields]
    if misspelt:
        said = (f"{name}{_advice(name.replace('.', '_'))}" for name in misspelt)
        raise SettingsError(f"{path}: {'; '.join(said)}")
    wrong = filter(None, (_other_kind(key, value, path) for key, value in values.items()))
    if said := "; ".join(wrong):
        raise SettingsError(said)
    for key in PATHS:
        if isinstance(values.get(key), str):
            values[key] = folder / values[key]
    if isinstance(places := values.get("events_to"), list):
        values["events_to"] = [_in_folder(folder, one) for one in places]
    return _File(path, values, {name: folder / given for name, given in FOLDERS.items()})


def _in_folder(folder, place):
    "A file that a place names, below the folder of the settings; another place as it is."
    if not isinstance(place, str) or not place.lower().startswith(_OF_FILE):
        return place
    path = place[len(_OF_FILE) :]
    return place if path.startswith("/") or not path else f"{_OF_FILE}{folder / path}"


_KEY = re.compile(r"\s*([A-Za-z_.]+)\s*(=|$|\s)")


def _key_at(path, error) -> str:
    "At which setting a file stops being TOML, in words; empty where its line names none."
    lines = path.read_text(encoding="utf-8").rstrip().splitlines() or [""]
    place = re.search(r"at line (\d+)", str(error))
    key = _KEY.match(lines[min(int(place[1]), len(lines)) - 1] if place else lines[-1])
    return f" at {key[1]}" if key and key[1] in Settings.model_fields else ""


def _path_of(key, value) -> str:
    "A key that is no setting, with the one below it where both together were meant."
    below = value if isinstance(value, dict) else {}
    inner = next((k for k in below if f"{key}_{k}" in Settings.model_fields), None)
    if inner:
        return f"{key}.{inner}"
    return key if key and key == key.strip() else repr(key)


def _other_kind(key, value, path) -> str:
    """What is wrong with a value of a file that is of another kind than the setting; empty where
    nothing is. Of a variable everything is text; a file says which of its values are."""
    usual = Settings.model_fields[key].default
    told = {key: (value, usual)}
    if isinstance(usual, tuple) and isinstance(value, list):
        of = usual[0] if usual else ""
        told = {f"{key}.{i}": (item, of) for i, item in enumerate(value)}
    needed = {name: _needed(*pair) for name, pair in told.items()}
    return next((f"{name} (file {path}): {said}" for name, said in needed.items() if said), "")


def _needed(value, usual) -> str:
    "What a value should be that is a text or a boolean in place of a number, or no boolean."
    if isinstance(usual, bool):
        return "" if isinstance(value, bool) else "true or false is needed, without quotes"
    if isinstance(usual, (int, float)) and isinstance(value, (str, bool)):
        return "a number is needed, without quotes"
    return ""


def _advice(name, prefix="") -> str:
    "What to say of a name that is no setting; never what was given for it."
    near = get_close_matches(name.lower(), Settings.model_fields, 1)
    meant = prefix + (near[0].upper() if prefix else near[0]) if near else None
    return " is no setting: " + (
        f"did you mean {meant}?" if meant else "'aiops-wb config' lists them."
    )


def _refuse_misspelt_variables():
    "Refuse AIOPS_ variables that name no setting, as keys of the file are refused."
    names = [n for n in os.environ if n.upper().startswith(PREFIX)]
    wrong = [n for n in names if n[len(PREFIX) :].lower() not in Settings.model_fields]
    if wrong:
        raise SettingsError("; ".join(n + _advice(n[len(PREFIX) :], PREFIX) for n in sorted(wrong)))


def _read_variables(env_settings) -> dict[str, Any]:
    "The settings that variables give; SettingsError names one that must be written as JSON."
    try:
        return env_settings()
    except pydantic_settings.SettingsError as error:
        lists = {f: list(i.default) for f, i in Settings.model_fields.items() if _is_list(i)}
        name = next((f for f in lists if f'"{f}"' in str(error)), "risk_cuts")
        raise SettingsError(
            f"{PREFIX}{name.upper()} cannot be read: write a list such as "
            f"{json.dumps(lists[name][:4] or _LIKE.get(name, ['command', 'word']))}."
        ) from None


_LIKE = {
    "messages": ["mailto://user:password@mail.example.org"],
    "events_to": ["redis://host:6379/0?stream=events"],
}


def _is_list(field) -> bool:
    return isinstance(field.default, tuple)


def _given(problem) -> str:
    "What was given when it is a number: a text may be a secret that got into the wrong line."
    hidden = PRIVATE & set(problem["loc"]) or isinstance(problem["input"], (dict, list, tuple))
    try:
        return "" if hidden else f" (given: {float(problem['input']):g})"
    except (TypeError, ValueError):
        return ""


def _problem(problem, origins) -> str:
    "What is wrong with a setting, and where it was given unless that was an argument."
    name = ".".join(map(str, problem["loc"])) or "settings"
    if problem["type"] == "extra_forbidden":
        return name + _advice(name)
    source = _source(str((problem["loc"] or ("",))[0]), *origins)
    place = f" ({source})" if source.startswith(("file ", "variable ")) else ""
    return f"{name}{place}: {problem['msg'].removeprefix('Value error, ')}{_given(problem)}"


def load_settings(*, config: Path | None = None, **chosen: Any) -> Settings:
    """Settings with some chosen by the caller (None = not chosen), from the file `config` or the
    one that is found; SettingsError names what is wrong."""
    arguments = {k: v for k, v in chosen.items() if v is not None}
    try:
        return Settings(**arguments, **({} if config is None else {"config": config}))
    except ValidationError as error:
        origins = _origins(config, arguments)
        raise SettingsError("; ".join(_problem(e, origins) for e in error.errors())) from None


class _Origins(NamedTuple):
    "Who said something of settings: arguments, variables (setting -> variable), a file."

    arguments: set[str]
    variables: Mapping[str, str]
    file: _File
    profile: str | None


def _origins(config, arguments) -> _Origins:
    "Where settings come from; the folder of the log may hold their file."
    variables = {n[len(PREFIX) :].lower(): n for n in os.environ if n.upper().startswith(PREFIX)}
    data = arguments.get("data") or os.environ.get(variables.get("data", ""))
    file = _find_file(config, data)
    told = os.environ.get(variables.get("profile", "")) or file.values.get("profile")
    return _Origins(set(arguments), variables, file, arguments.get("profile") or told)


class Setting(NamedTuple):
    "A setting, its value, and where the value comes from."

    name: str
    value: Any
    source: str


def sources(*, config: Path | None = None, **chosen) -> list[Setting]:
    """Each setting that `load_settings` gives, and its source: argument, variable, file, profile or
    default."""
    settings = load_settings(config=config, **chosen)
    origins = _origins(config, {k: v for k, v in chosen.items() if v is not None})
    return [
        Setting(name, getattr(settings, name), _source(name, *origins))
        for name in Settings.model_fields
    ]


def settings_file(config: Path | None = None, data: Path | None = None) -> Path | None:
    "The file that settings are read from, None where there is none."
    return _find_file(config, data).path


def _source(
    name: str,
    arguments: set[str],
    variables: Mapping[str, str],
    file: _File,
    profile: str | None,
) -> str:
    "Where a setting comes from."
    if name in arguments:
        return "argument"
    if name in variables:
        return f"variable {variables[name]}"
    if name in file.values:
        return f"file {file.path}"
    return f"profile {profile}" if name in _of_profile(profile) else "default"


def packages() -> dict[str, str]:
    "Versions of Python and of the packages that figures depend on, as far as they are installed."
    versions = {"python": platform.python_version()}
    for name in (
        "aiops_wb",
        "duckdb",
        "numpy",
        "pandas",
        "scipy",
        "xgboost-cpu",
        "xgboost",
        "papermill",
        "matplotlib",
    ):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
