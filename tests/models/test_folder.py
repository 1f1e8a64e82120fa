"""A version as a folder: what mlflow reads, what comes back, and what is refused."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import MODEL, Bench, events

from aiops_wb import __version__
from aiops_wb.log.errors import StoreError
from aiops_wb.log.values import typed
from aiops_wb.models import folder as folders
from aiops_wb.models.folder import export_version, import_version, read_folder
from aiops_wb.models.pyfunc import Exported
from aiops_wb.models.registry import load, register
from aiops_wb.models.training import train
from aiops_wb.stats.points import Grid
from bench.peers import environment, run

NOW = datetime(2026, 3, 20, tzinfo=UTC)
KINDS = {"x": "number", "kind": "text", "flag": "boolean", "when": "time", "odd [0], <b>": "number"}


def logged(n, seed=0):
    "Features as a log has them, of every kind, with gaps."
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.integers(0, 10**6, n), unit="s")
    return pd.DataFrame(
        {
            "x": np.where(rng.random(n) > 0.1, rng.normal(size=n), np.nan),
            "kind": rng.choice(["a", "b", "12", "Ä|🦉"], n),
            "flag": rng.random(n) > 0.5,
            "when": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "odd [0], <b>": rng.normal(size=n),
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A registered version, a folder that it was exported to, rows and their scores."
    bench = Bench(tmp_path_factory.mktemp("folder"))
    frame = events(20, 60)
    known = logged(len(frame)).assign(when=lambda f: typed(f.when, "time")[0])
    known["odd [0], <b>"] += frame.label
    rows = known.add_prefix("feature:").assign(
        event_date=pd.to_datetime(frame.day), label=frame.label * 1.0
    )
    with bench.store() as store:
        register(store, *train(rows, MODEL, "v1", rounds=15, kinds=KINDS), NOW, "ana")
        store.set_threshold(NOW, "ana", MODEL, "v1", 700, "fewer")
        export_version(store, MODEL, "v1", bench.root / "out", NOW)
        asked = logged(80, seed=3)
        asked.loc[3, "kind"], asked.loc[4, "kind"] = None, "never seen"
        asked["flag"] = asked.flag.astype(object).where(np.arange(80) != 5, None)
        bench.asked, bench.scores = asked, load(store, MODEL, "v1").score(asked)
    assert len(np.unique(bench.scores)) > 40
    return bench


@pytest.fixture
def folder(made, tmp_path):
    return made.copy_to(tmp_path / "copy").root / "out"


def test_mlflow_finds_what_it_reads(folder, made):
    told = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    function, booster = told["flavors"]["python_function"], told["flavors"]["xgboost"]
    code = f"aiops_wb_{__version__.replace('.', '_')}"
    assert function["loader_module"] == f"{code}.models.pyfunc" and function["code"] == "code"
    assert (folder / "code" / code / "models" / "pyfunc.py").exists()
    assert booster["model_class"] == "xgboost.core.Booster" and booster["data"] == "model.ubj"
    assert booster["xgb_version"].startswith("3.")
    score = {"dtype": "float64", "shape": [-1]}  # a number a row, of however many rows
    assert json.loads(told["signature"]["outputs"]) == [{"type": "tensor", "tensor-spec": score}]
    columns = json.loads(told["signature"]["inputs"])
    assert {c["name"]: c["type"] for c in columns} == {
        "x": "double",
        "kind": "string",
        "flag": "boolean",
        "when": "string",
        "odd [0], <b>": "double",
    }
    assert told["metadata"]["in_force"]["threshold"] == 700
    assert (folder / "model.ubj").read_bytes() == (
        made.data / "models" / MODEL / "v1" / "model.ubj"
    ).read_bytes()
    needs = (folder / "requirements.txt").read_text().split()
    assert needs[0] == "mlflow" and any(n.startswith("xgboost-cpu==3.") for n in needs)
    for name, key in (("python_env.yaml", "python"), ("conda.yaml", "dependencies")):
        assert yaml.safe_load((folder / name).read_text())[key]
    assert yaml.safe_load((folder / "conda.yaml").read_text())["dependencies"][-1]["pip"] == needs
    assert "700 points" in (folder / "README.md").read_text(encoding="utf-8")


ALONE = """import importlib, json, sys
import pandas as pd
sys.path.insert(0, sys.argv[1] + "/code")
module = importlib.import_module(sys.argv[2])
scores = module._load_pyfunc(sys.argv[1]).predict(pd.read_pickle(sys.argv[3]))
print(json.dumps([scores.tolist(), "aiops_wb" in sys.modules]))"""


def test_it_scores_without_the_workbench_as_the_workbench_does(folder, made):
    made.asked.to_pickle(folder.parent / "rows.pkl")
    told = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))
    module = told["flavors"]["python_function"]["loader_module"]
    words = [folder, module, folder.parent / "rows.pkl"]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *map(str, words)], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    scores, workbench = json.loads(done.stdout)
    assert scores == made.scores.tolist() and not workbench
    assert Exported(folder).predict(made.asked).tolist() == scores
    with pytest.raises(StoreError, match="'x' is missing"):
        Exported(folder).predict(made.asked.drop(columns="x"))


@pytest.mark.slow
def test_mlflow_loads_it(folder, made, tmp_path):
    python = environment("mlflow", tmp_path)
    assert python, "no environment"
    made.asked.to_pickle(tmp_path / "rows.pkl")
    told = run(python, "mlflow_score", folder, tmp_path / "rows.pkl")
    assert told["scores"] == made.scores.tolist() and not told["workbench"]
    assert [name for name, _ in told["columns"]] == list(KINDS) and told["trees"] == 15


def decided(store, model, version):
    "What the calibration in force decides with."
    stands = store.calibration(model, version)[1].to_json()
    return stands | dict.fromkeys(("created_at", "model", "version"))


def test_it_comes_back_whole(bench, made, folder):
    with bench.store() as other, made.store() as store:
        found = import_version(other, NOW, "ben", "elsewhere", "w", folder)
        assert found.in_force["threshold"] == 700 and other.threshold("elsewhere", "w") == 405
        there, here = other.require_whole("elsewhere", "w"), store.version(MODEL, "v1")
        assert there.card["imported"] == {"folder": "out", "named": f"{MODEL} v1"}
        assert {k: v for k, v in there.card.items() if k != "imported"} == here.card
        assert other.held_out_counts("elsewhere", "w") == store.held_out_counts(MODEL, "v1")
        kept = other.reference_list("elsewhere", "w")
        assert kept.equals(store.reference_list(MODEL, "v1")) and len(kept)
        assert decided(other, "elsewhere", "w") == decided(store, MODEL, "v1")
        assert np.array_equal(load(other, "elsewhere", "w").score(made.asked), made.scores)
        assert other.feature_kinds("elsewhere") == KINDS
        why = other.audit("elsewhere/w").set_index("what").why
        assert why["registered"] == f"imported from out, which {MODEL} v1 was exported to"
        other.promote(NOW, "ben", "elsewhere", "w", "it is whole")
        rows = other.audit_head()
        import_version(other, NOW, "ben", "elsewhere", "w", folder)  # the same, once more
        assert other.audit_head() == rows
        with pytest.raises(StoreError, match="already has a version 'v1', which is not this one"):
            import_version(store, NOW, "ben", MODEL, "v1", folder)


def changed(folder, name, text):
    (folder / name).write_bytes((folder / name).read_bytes() + text)


def told_otherwise(folder, **parts):
    told = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    (folder / "version.json").write_text(json.dumps(told | parts))


def another_card(folder, **parts):
    told = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    told_otherwise(folder, card=told["card"] | parts)


SPOILT = {
    "a changed model": (lambda f: changed(f, "model.ubj", b" "), "model.ubj is not the file"),
    "changed counts": (lambda f: changed(f, "held_out.csv", b"\n"), "held_out.csv is not"),
    "no reference": (lambda f: (f / "reference.csv").unlink(), "reference.csv cannot be read"),
    "no card": (lambda f: (f / "version.json").unlink(), "version.json cannot be read"),
    "half a card": (lambda f: (f / "version.json").write_text('{"format": 1,'), "is not as"),
    "a list": (lambda f: (f / "version.json").write_text("[]"), "is not as"),
    "later": (lambda f: told_otherwise(f, format=2), "was exported in format 2"),
    "no hashes": (lambda f: told_otherwise(f, sha256={}), "is not as"),
    "no grid": (lambda f: told_otherwise(f, grid="cubic"), "is not as"),
    "another model's card": (lambda f: another_card(f, sha256="0"), "card is of another"),
    "other days": (lambda f: another_card(f, held_out_rows=3), "of other held-out days"),
    "fewer features": (lambda f: another_card(f, features=["x"]), "takes 5 features"),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_folder_that_is_not_whole_is_refused(spoil, folder):
    act, says = SPOILT[spoil]
    act(folder)
    with pytest.raises(StoreError, match=says) as refused:
        read_folder(folder)
    assert "\n" not in str(refused.value)


def test_what_is_no_folder_is_refused(tmp_path, folder):
    with pytest.raises(StoreError, match="cannot be read"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="cannot be read"):
        read_folder(folder / "MLmodel")


def test_what_is_not_whole_or_has_no_file_is_not_exported(made, tmp_path, monkeypatch):
    bench = made.copy_to(tmp_path / "copy")
    with bench.store() as store:
        with pytest.raises(StoreError, match="is there already"):
            export_version(store, MODEL, "v1", bench.root / "out", NOW)
        assert sorted(p.name for p in bench.root.iterdir()) == ["data", "out"]
        store.add_version(NOW, "ana", MODEL, "bare", Grid(), "", {}, 405)
        with pytest.raises(StoreError, match="without a model file"):
            export_version(store, MODEL, "bare", bench.root / "bare", NOW)
        (bench.root / "new").mkdir()
        monkeypatch.setattr(folders, "descriptions", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            export_version(store, MODEL, "v1", bench.root / "new", NOW)
        assert not any((bench.root / "new").iterdir()), "there is all of it or nothing"
        monkeypatch.undo()
        export_version(store, MODEL, "v1", bench.root / "new", NOW + timedelta(1))
        assert read_folder(bench.root / "new").version.version == "v1"
        assert not (bench.root / "new.writing").exists()
        (bench.data / store.version(MODEL, "v1").path).write_bytes(b"another")
        with pytest.raises(StoreError, match="is not whole"):
            export_version(store, MODEL, "v1", bench.root / "newer", NOW)
    assert not (bench.root / "newer").exists()
