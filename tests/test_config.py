"""Where settings come from, and what is refused."""

from pathlib import Path

import pytest

from aiops_wb.config import Settings, SettingsError, load_settings, sources


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
