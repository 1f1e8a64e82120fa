"""Where settings come from, and what is refused."""

import json
from pathlib import Path

import pytest
from recorded import hold, loaded_anew

from aiops_wb import config
from aiops_wb.config import PROFILES, Settings, SettingsError, load_settings, sources


@pytest.fixture
def house(tmp_path, monkeypatch):
    "An empty house in whose folder nbs/reports we stand, with a data folder elsewhere."
    below = tmp_path / "house" / "nbs" / "reports"
    below.mkdir(parents=True)
    (tmp_path / "store").mkdir()
    monkeypatch.chdir(below)
    return tmp_path / "house"


def source(name, **chosen):
    (found,) = [s for s in sources(**chosen) if s.name == name]
    return found.value, found.source


def test_the_file_is_found_upwards_and_its_folder_holds_what_is_relative(house):
    file = house / "aiops.toml"
    file.write_text('reports = "pages"\ncase_file = "out/cases.jsonl"\njobs = 5')
    settings = Settings()
    assert settings.jobs == 5 and settings.reports == house / "pages"
    assert settings.case_file == house / "out" / "cases.jsonl"
    assert settings.data == house / "data", "what the file does not say lies beside it too"
    assert source("jobs") == (5, f"file {file}")
    assert source("data") == (house / "data", "default")
    assert "data" in settings.model_dump() and "engine" not in settings.model_fields_set


def test_the_nearest_file_wins_and_paths_of_the_working_directory_stay_short(house, monkeypatch):
    (house / "aiops.toml").write_text("jobs = 5")
    Path("aiops.toml").write_text('jobs = 6\nreports = "pages"')
    settings = Settings()
    assert settings.jobs == 6
    assert (settings.data, settings.reports) == (Path("data"), Path("pages"))
    assert load_settings(data=Path("other")).data == Path("other")


def test_the_data_folder_has_the_file_when_none_lies_upwards(house, tmp_path, monkeypatch):
    store = tmp_path / "store"
    (store / "aiops.toml").write_text('jobs = 7\nreports = "../pages"')
    assert Settings().jobs == 2
    for settings in (Settings(data=store), load_settings(data=store)):
        assert settings.jobs == 7 and settings.reports == store / "../pages"
    monkeypatch.chdir("/")
    monkeypatch.setenv("AIOPS_DATA", str(store))
    assert Settings().jobs == 7
    assert source("jobs") == (7, f"file {store / 'aiops.toml'}")
    assert source("data") == (store, "variable AIOPS_DATA")
    monkeypatch.chdir(house)
    (house / "aiops.toml").write_text("jobs = 5")
    assert Settings().jobs == 5, "upwards comes first"


@pytest.mark.evidence
def test_without_a_file_folders_are_relative_to_the_working_directory(house):
    settings = Settings()
    assert (settings.data, settings.reports) == (Path("data"), Path("reports"))
    assert {s.source for s in sources()} == {"default"}


def test_a_file_can_be_named(house, tmp_path):
    (house / "aiops.toml").write_text("jobs = 5")
    other = tmp_path / "other.toml"
    other.write_text('engine = "kernel"')
    settings = load_settings(config=other)
    assert settings.jobs == 2 and settings.engine == "kernel" and settings.data == tmp_path / "data"
    assert source("engine", config=other) == ("kernel", f"file {other}")
    with pytest.raises(SettingsError, match="gone.toml does not exist"):
        load_settings(config=house / "gone.toml")


def test_arguments_win_over_variables_over_the_file(house, monkeypatch):
    (house / "aiops.toml").write_text('timezone = "Asia/Tokyo"\njobs = 3\nreport_timeout = 9')
    monkeypatch.setenv("AIOPS_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("aiops_jobs", "4")
    assert source("timezone", timezone="UTC") == ("UTC", "argument")
    assert source("timezone") == ("Europe/Berlin", "variable AIOPS_TIMEZONE")
    assert source("jobs", timezone=None) == (4, "variable aiops_jobs")
    assert source("report_timeout")[0] == 9
    assert source("snapshots_kept") == (3, "default")
    assert [s.name for s in sources()] == list(Settings.model_fields)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("narow_width", "narow_width is no setting: did you mean narrow_width"),
        ("webhook", "webhook is no setting"),
        ("xyz", "xyz is no setting: 'aiops-wb config' lists them"),
    ],
)
def test_a_misspelt_key_is_named_and_its_value_is_not_printed(house, key, says):
    (house / "aiops.toml").write_text(f'{key} = "SECRET"')
    with pytest.raises(SettingsError, match=says) as stop:
        Settings()
    assert str(house / "aiops.toml") in str(stop.value) and "SECRET" not in str(stop.value)
    (house / "aiops.toml").unlink()
    with pytest.raises(SettingsError, match=says) as stop:
        load_settings(**{key: "SECRET"})
    assert "SECRET" not in str(stop.value)


def test_a_misspelt_variable_is_refused_like_a_misspelt_key(house, monkeypatch):
    monkeypatch.setenv("AIOPS_NAROW_WIDTH", "SECRET")
    monkeypatch.setenv("AIOPS_XYZ", "SECRET")
    said = (
        "AIOPS_NAROW_WIDTH is no setting: did you mean AIOPS_NARROW_WIDTH[?]; AIOPS_XYZ is no set"
    )
    for load in (Settings, load_settings, sources):
        with pytest.raises(SettingsError, match=said) as stop:
            load()
        assert "SECRET" not in str(stop.value)


def test_what_cannot_be_used_is_said_with_its_name(house, monkeypatch):
    with pytest.raises(SettingsError, match="timezone: 'Mars/Olympus' is not a time zone name"):
        load_settings(timezone="Mars/Olympus")
    with pytest.raises(SettingsError, match=r"coverage: Input should be .* \(given: 1.2\)"):
        load_settings(coverage=1.2)
    (house / "aiops.toml").write_text("narrow_width = ")
    with pytest.raises(SettingsError, match="aiops.toml cannot be read"):
        load_settings()
    (house / "aiops.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="aiops.toml cannot be read"):
        load_settings()
    (house / "aiops.toml").unlink()
    monkeypatch.setenv("AIOPS_RISK_CUTS", "0.1,0.2")
    with pytest.raises(SettingsError, match="AIOPS_RISK_CUTS cannot be read: write a list"):
        load_settings()


def test_the_secret_is_masked(house, monkeypatch):
    monkeypatch.setenv("AIOPS_WEBHOOK_URL", "https://h/SECRET")
    value, origin = source("webhook_url")
    assert "SECRET" not in f"{value}" and origin == "variable AIOPS_WEBHOOK_URL"


def test_a_profile_is_a_table_of_defaults_over_which_all_else_wins(house, monkeypatch):
    assert Settings().profile is None and source("snapshots_kept") == (3, "default")
    (house / "aiops.toml").write_text('profile = "production"\nwebhook_retries = 2')
    assert source("snapshots_kept") == (7, "profile production")
    assert source("webhook_retries") == (2, f"file {house / 'aiops.toml'}")
    assert source("jobs") == (2, "default")
    monkeypatch.setenv("AIOPS_PROFILE", "development")
    assert source("profile") == ("development", "variable AIOPS_PROFILE")
    assert source("retrain_cooldown_days") == (0, "profile development")
    assert source("webhook_retries")[0] == 2
    monkeypatch.setenv("AIOPS_RETRAIN_COOLDOWN_DAYS", "3")
    assert source("retrain_cooldown_days") == (3, "variable AIOPS_RETRAIN_COOLDOWN_DAYS")
    assert source("snapshots_kept", profile="staging") == (3, "default")
    assert source("retrain_cooldown_days", profile="staging")[0] == 3, "the variable"
    monkeypatch.delenv("AIOPS_RETRAIN_COOLDOWN_DAYS")
    assert source("retrain_cooldown_days", profile="staging") == (1, "profile staging")
    assert source("snapshots_kept", profile="production") == (7, "profile production")
    assert source("jobs", profile="development", jobs=3) == (3, "argument")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_can_be_used_and_changes_no_figure_and_no_promise(house, profile):
    settings = load_settings(profile=profile)
    changed = {k for k, v in settings if v != getattr(Settings(), k)} - {"profile"}
    assert changed == set(PROFILES[profile])
    assert settings.certainty == Settings().certainty
    assert not settings.retrain_enabled
    assert not {n for n in changed if n.startswith(("drift", "calibration", "complete", "label"))}
    hardest, ours = load_settings(profile="production"), settings
    for name in ("cooldown_days", "min_labelled", "min_positives"):
        assert getattr(ours, f"retrain_{name}") <= getattr(hardest, f"retrain_{name}")


MALFORMED = [
    ("jobs = ", "jobs"),
    ("jobs 3", "jobs"),
    ("engine = inline", "engine"),
    ("risk_cuts = [0.2, 0.4", "risk_cuts"),
    ("timezone = 'UTC", "timezone"),
    ("jobs = 2\njobs = 3", "jobs"),
    ("jobs = 3\x00", "jobs"),
    ('data = "a\\u0000b"', "data"),
    ('jobs = "three"', "jobs"),
    ('jobs = "3"', "jobs"),
    ("jobs = true", "jobs"),
    ("jobs = 3.5", "jobs"),
    ("jobs = 0", "jobs"),
    ("jobs = 10000000000000000000000", "jobs"),
    ("snapshots_kept = 99999999999", "snapshots_kept"),
    ("quarantine_days = 99999999999999", "quarantine_days"),
    ("jobs = 2026-03-01", "jobs"),
    ("report_timeout = 07:32:00", "report_timeout"),
    ("data = 1979-05-27", "data"),
    ("jobs = [2]", "jobs"),
    ("[jobs]\nreports = 2", "jobs"),
    ("[[jobs]]\na = 1", "jobs"),
    ("case_file = {a = 1}", "case_file"),
    ("job = 3", "job"),
    ("JOBS = 3", "JOBS"),
    ("'jobs ' = 3", "'jobs '"),
    ("'' = 3", "''"),
    ("[webhook]\nurl = 'x'", "webhook.url"),
    ("retrain.enabled = true", "retrain.enabled"),
    ("narrow_width = nan", "narrow_width"),
    ("case_hours = nan", "case_hours"),
    ("webhook_timeout = inf", "webhook_timeout"),
    ('retrain_enabled = "yes"', "retrain_enabled"),
    ("retrain_enabled = 1", "retrain_enabled"),
    ("retrain_cooldown_days = -1", "retrain_cooldown_days"),
    ("retrain_min_positives = 0", "retrain_min_positives"),
    ("retrain_minutes = 0", "retrain_minutes"),
    ("retrain_memory = -1", "retrain_memory"),
    ("risk_cuts = [0.2, 0.4, 0.6]", "risk_cuts.3"),
    ("risk_cuts = [0.2, 0.4, 0.6, 0.8, 0.9]", "risk_cuts"),
    ("risk_cuts = [0.8, 0.6, 0.4, 0.2]", "risk_cuts"),
    ("risk_cuts = [0.2, 0.4, 1.6, 0.8]", "risk_cuts.2"),
    ('risk_cuts = [0.2, "x", 0.6, 0.8]', "risk_cuts.1"),
    ("risk_cuts = 0.5", "risk_cuts"),
    ("reference_days = [30]", "reference_days.1"),
    ("reference_days = [60, 30]", "reference_days[0]"),
    ("recent_days = 31", "recent_days"),
    ('timezone = "Mars"', "timezone"),
    ("timezone = 1", "timezone"),
    ('profile = "prod"', "profile"),
    ("profile = true", "profile"),
    ('profile = ["production"]', "profile"),
    ('label_delay_days = "soon"', "label_delay_days"),
    ("coverage = 0.5", "coverage"),
    ('automation = "always"', "automation"),
    ('null_words = ["7"]', "null_words"),
    ("null_words = [1]", "null_words.0"),
    ("webhook_url = 5", "webhook_url"),
    ("drift_level = 1.0", "drift_level"),
]


@pytest.mark.parametrize(("text", "path"), MALFORMED, ids=[repr(t) for t, _ in MALFORMED])
def test_a_malformed_file_is_refused_in_a_sentence_with_the_path_of_the_key(house, text, path):
    file = house / "aiops.toml"
    file.write_text(text)
    for load in (load_settings, sources):
        said = _refused(load)
        assert path in said.replace(str(file), "") and "\n" not in said and len(said) < 400
        if path not in ("reference_days[0]", "recent_days"):  # two settings that do not agree
            assert str(file) in said


def _refused(load):
    with pytest.raises(SettingsError) as stop:
        load()
    return str(stop.value)


def test_a_variable_is_text_whatever_the_setting_is(house, monkeypatch):
    for name, value in (("JOBS", "3"), ("RETRAIN_ENABLED", "true"), ("CASE_HOURS", "12")):
        monkeypatch.setenv(f"AIOPS_{name}", value)
    settings = Settings()
    assert (settings.jobs, settings.retrain_enabled, settings.case_hours) == (3, True, 12)


def test_what_can_be_set_is_what_it_was():
    anew = loaded_anew(Path(config.__file__))
    schema = anew.Settings.model_json_schema()
    hold(__file__, "settings", json.dumps(schema, indent=1, sort_keys=True, default=str))
    profiles = [f"{name} {of}" for name, of in anew.PROFILES.items()]
    hold(__file__, "profiles", "\n".join(profiles))
