"""One place for every setting."""

import platform
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

__all__ = ["Share", "Days", "Settings", "SettingsError", "load_settings", "packages"]


Share = Annotated[float, Field(gt=0, lt=1)]
Days = Annotated[int, Field(ge=1)]


class Settings(BaseSettings):
    "Settings of one workbench, from keyword arguments, then AIOPS_* variables, then aiops.toml, then these defaults."

    model_config = SettingsConfigDict(
        env_prefix="AIOPS_", toml_file="aiops.toml", extra="forbid", frozen=True
    )

    data: Path = Path("data")  # the log, the catalog, the spool, the models
    reports: Path = Path("reports")  # pages made by the daily run
    timezone: str = "UTC"  # a day is a calendar day of this zone; fixed when a log is created

    automation: Literal[
        "days", "days-t", "rows", "control", "venn-abers", "labels", "width", "off"
    ] = "days"  # the rule for tickets
    false_ticket_share: Share = 0.10  # at most this share of tickets may be false
    false_ticket_confidence: Share = 0.90  # of that promise
    ticket_days: Days = 60  # days that the rule for tickets rests on
    label_delay_days: Days = 7  # the labels of a day count as complete after so many days
    coverage: Literal[0.9, 0.95, 0.99] = 0.9  # of prediction intervals and sets
    narrow_width: Share = (
        0.20  # reference rule ("width"): an interval below it may act without a person
    )
    risk_cuts: tuple[Share, Share, Share, Share] = (0.2, 0.4, 0.6, 0.8)
    calibration_days: Days = 28  # days that sets and intervals rest on
    calibration_max_age_days: Days = 30

    case_hours: Annotated[float, Field(gt=0, le=8760)] = (
        24  # one case for each entity in this window
    )
    case_max_age_hours: Annotated[float, Field(gt=0, le=87600)] = (
        48  # cases about older predictions are recorded, not sent
    )
    ticket_workflow: str = "open-investigation"
    alert_workflow: str = "review-alert"
    drift_workflow: str = "review-drift"
    case_file: Path | None = None  # JSON lines, one for each case
    webhook_url: SecretStr | None = None  # receives each case as a POST of JSON
    webhook_timeout: Annotated[float, Field(gt=0)] = 5  # seconds
    webhook_retries: Annotated[int, Field(ge=0)] = 3

    recent_days: Days = 7  # drift: the recent window
    reference_days: tuple[Days, Days] = (30, 60)  # drift: days before, nearest and farthest
    drift_level: Share = 0.05  # at most this chance of any false drift alarm in a year
    drift_tolerance: Share = 0.005  # a change of a share (of events below a cut, missing, positive ...) and a rise of the mean squared error up to this are tolerated
    calibration_tolerance: Annotated[float, Field(gt=0, le=2)] = (
        0.1  # the same for the log-odds of the label, in logits
    )

    retrain_enabled: bool = False
    retrain_cooldown_days: Days = 7
    retrain_min_labelled: Annotated[int, Field(ge=1)] = 100

    engine: Literal["inline", "kernel"] = "inline"  # how report notebooks run
    jobs: Annotated[int, Field(ge=1)] = 2  # report notebooks at once
    report_timeout: Annotated[int, Field(ge=1)] = 120  # seconds for one report
    snapshots_kept: Annotated[int, Field(ge=1)] = 3

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name):
        if name not in available_timezones():
            raise ValueError(f"{name!r} is not a time zone name such as 'Europe/Berlin' or 'UTC'")
        return name

    @model_validator(mode="after")
    def _ordered(self):
        if list(self.risk_cuts) != sorted(self.risk_cuts):
            raise ValueError("risk_cuts must ascend")
        if not self.recent_days <= self.reference_days[0] < self.reference_days[1]:
            raise ValueError(
                "recent_days <= reference_days[0] < reference_days[1] must hold, or the windows overlap"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        "The time zone object."
        return ZoneInfo(self.timezone)

    @property
    def certainty(self) -> dict:
        "How predictions become certain: the arguments of `automation.certainty`."
        return {
            "policy": self.automation,
            "target": self.false_ticket_share,
            "confidence": self.false_ticket_confidence,
            "coverage": self.coverage,
            "narrow": self.narrow_width,
            "floor": self.risk_cuts[2],
            "calibration_days": self.calibration_days,
            "ticket_days": self.ticket_days,
            "label_delay_days": self.label_delay_days,
            "time_to_live": timedelta(days=self.calibration_max_age_days),
        }

    @classmethod
    def settings_customise_sources(
        cls, settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        "Arguments win over the environment, the environment over the file."
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


class SettingsError(ValueError):
    "A setting that cannot be used; the message names it."


def _given(problem):
    "What was given, unless it is or may hold the secret."
    hidden = "webhook_url" in problem["loc"] or isinstance(problem["input"], (dict, list))
    return "" if hidden else f"(given: {problem['input']!r})"


def load_settings(**chosen) -> Settings:
    "Settings with some chosen by the caller (None = not chosen); SettingsError names what is wrong."
    try:
        return Settings(**{k: v for k, v in chosen.items() if v is not None})
    except ValidationError as error:
        parts = [
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg'].removeprefix('Value error, ')} "
            f"{_given(e)}"
            for e in error.errors()
        ]
        raise SettingsError("; ".join(parts)) from None
    except (ValueError, OSError) as error:
        raise SettingsError(f"aiops.toml cannot be read: {error}") from None


def packages() -> dict[str, str]:
    "Versions of Python and of the packages that figures depend on, as far as they are installed."
    found = {"python": platform.python_version()}
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
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
