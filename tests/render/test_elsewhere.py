"""Reports by an executor of others: a pool, a cluster, one that fails, one that never ends."""

import importlib
import multiprocessing
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import pytest
from test_engine import job

from aiops_wb.config import NO_FILE, Settings, SettingsError, load_settings
from aiops_wb.render import elsewhere
from aiops_wb.render.elsewhere import run_by, run_elsewhere
from aiops_wb.render.engine import run_jobs
from aiops_wb.render.jobs import ReportResult

FINE, WRONG = "print(6 * 7)", "raise ValueError('no such thing')"


def pool():
    "An executor that a setting can name: processes of their own, that share nothing but files."
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def by_model(folder, **sources):
    "A job for each, each in the folder of a model of its own."
    made = {name: job(folder, source) for name, source in sources.items()}
    return [
        replace(one, name=name, target=folder / "out" / name / "performance.html")
        for name, one in made.items()
    ]


@pytest.mark.slow
def test_a_pool_of_processes_makes_the_pages_that_this_process_makes(tmp_path):
    jobs = by_model(tmp_path, a=FINE, b=WRONG, c=FINE)
    here = run_jobs(jobs, timeout=100)
    pages = [one.target.read_text() for one in jobs]
    for one in jobs:
        one.target.unlink()
    told = []
    there = run_by(f"{__name__}:pool", jobs, timeout=100, on_done=told.append)
    assert [one.state for one in there] == [one.state for one in here] == ["ok", "failed", "ok"]
    assert "no such thing" in there[1].error and not there[1].passing
    assert [one.target.read_text() for one in jobs] == pages
    assert sorted(one.name for one in told) == ["a", "b", "c"]


@pytest.mark.slow
def test_a_cluster_of_dask_makes_reports(tmp_path):
    distributed = importlib.import_module("distributed")
    jobs = by_model(tmp_path, a=FINE, b=WRONG)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as two,
        distributed.Client(two) as client,
    ):
        made = run_elsewhere(client.get_executor(), jobs, timeout=100)
    assert [one.state for one in made] == ["ok", "failed"]
    assert jobs[0].target.exists() and "no such thing" in jobs[1].target.read_text()


class Answers(Executor):
    "Gives what `answer` makes of the jobs it is handed."

    def __init__(self, answer):
        self.answer, self.handed = answer, []

    def submit(self, work, version, jobs, *limits):
        self.handed.append([one.name for one in jobs])
        future = Future()
        try:
            found = self.answer(jobs)
        except Exception as problem:
            future.set_exception(problem)
        else:
            if found is not None:
                future.set_result(found)
        return future


def made(jobs):
    for one in jobs:
        one.target.parent.mkdir(parents=True, exist_ok=True)
        one.target.write_text("made")
    return [ReportResult(one.name, "ok") for one in reversed(jobs)]


def test_those_of_a_folder_are_handed_over_together_and_results_keep_their_order(tmp_path):
    one, two, three = by_model(tmp_path, a=FINE, b=FINE, c=FINE)
    two = replace(two, target=one.target.with_name("drift.html"))
    executor, told = Answers(made), []
    results = run_elsewhere(executor, [one, two, three], on_done=told.append)
    assert executor.handed == [["a", "b"], ["c"]]
    assert [result.name for result in results] == ["a", "b", "c"]
    assert [result.name for result in told] == ["a", "b", "c"]


def test_one_that_fails_costs_its_own_reports_and_may_be_tried_again(tmp_path):
    def mixed(jobs):
        if jobs[0].name == "b":
            raise ConnectionError("the worker is gone")
        return made(jobs)

    jobs = by_model(tmp_path, a=FINE, b=FINE, c=FINE)
    results = run_elsewhere(Answers(mixed), jobs)
    assert [(one.state, one.passing) for one in results] == [
        ("ok", False),
        ("failed", True),
        ("ok", False),
    ]
    assert "ConnectionError: the worker is gone" in results[1].error
    assert "the worker is gone" in jobs[1].target.read_text()


def test_one_that_never_ends_is_not_waited_for(tmp_path):
    jobs = by_model(tmp_path, a=FINE, b=FINE)
    hangs = Answers(lambda jobs: None if jobs[0].name == "b" else made(jobs))
    results = run_elsewhere(hangs, jobs, timeout=0.01, patience=0.05)
    assert [one.state for one in results] == ["ok", "failed"]
    assert "was not waited for" in results[1].error and results[1].passing


def test_a_page_that_is_not_here_is_no_report(tmp_path):
    elsewhere_made = Answers(lambda jobs: [ReportResult(one.name, "ok") for one in jobs])
    (result,) = run_elsewhere(elsewhere_made, by_model(tmp_path, a=FINE))
    assert result.state == "failed" and "was made elsewhere and is not here" in result.error
    assert not result.passing
    wrong = Answers(lambda jobs: [ReportResult(one.name, "failed", "no memory") for one in jobs])
    (result,) = run_elsewhere(wrong, by_model(tmp_path, a=FINE))
    assert result.error == "no memory"


def test_one_that_takes_nothing_says_why(tmp_path):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    (result,) = run_elsewhere(executor, by_model(tmp_path, a=FINE))
    assert "cannot schedule new futures after shutdown" in result.error and result.passing
    assert run_elsewhere(executor, []) == []


def test_another_version_makes_no_reports(tmp_path, monkeypatch):
    with ThreadPoolExecutor(1) as executor:
        monkeypatch.setattr(elsewhere, "packages", lambda: {"aiops_wb": next(versions)})
        versions = iter(["0.3.0", "0.2.0"])
        (result,) = run_elsewhere(executor, by_model(tmp_path, a=FINE))
    assert "aiops_wb 0.2.0 is installed there, the run is of 0.3.0" in result.error


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module:executor", "ModuleNotFoundError: No module named 'no_such_module'"),
        (f"{__name__}:nobody", "AttributeError"),
        ("builtins:dict", "TypeError: a concurrent.futures.Executor is needed, not a dict"),
        (f"{__name__}:refuses", "OSError: no scheduler at tcp://host:8786"),
    ],
)
def test_a_name_that_gives_no_executor_fails_the_reports_not_the_morning(tmp_path, name, why):
    told, jobs = [], by_model(tmp_path, a=FINE, b=FINE)
    results = run_by(name, jobs, on_done=told.append)
    assert told == results and {one.state for one in results} == {"failed"}
    assert f"report_executor = '{name}' gives no executor: {why}" in results[0].error
    assert all(one.passing for one in results) and jobs[0].target.exists()
    assert run_by(name, []) == []


def refuses():
    raise OSError("no scheduler at tcp://host:8786")


@pytest.mark.parametrize("name", ["pool", "a:b:c", "a b:c", "os.path"])
def test_a_setting_names_a_module_and_a_function(name):
    with pytest.raises(SettingsError, match="report_executor"):
        load_settings(report_executor=name, config=NO_FILE)


def test_the_setting_is_what_a_morning_uses(tmp_path, monkeypatch):
    from aiops_wb import daily

    monkeypatch.setattr(sys.modules[__name__], "chosen", lambda: Answers(made), raising=False)
    settings = Settings(report_executor=f"{__name__}:chosen", config=NO_FILE)
    monkeypatch.setattr(Answers, "__exit__", lambda *_: None)
    results = daily._run_with_limits(by_model(tmp_path, a=FINE), settings, lambda _: None)
    assert [one.state for one in results] == ["ok"]
