"""A client that somebody else's generator makes of the OpenAPI document, in an environment of its
own: it lists, simulates and proposes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MODEL
from serving import ID, app_of, copy, secrets

from aiops_wb.api.server import serving

GENERATOR = "openapi-python-client==0.29.1"
USE = """
import sys
from generated import AuthenticatedClient
from generated.api.acts import acts_act
from generated.api.thresholds import (
    thresholds_change, thresholds_every, thresholds_one, thresholds_simulate)
from generated.models import ToChange, ToSimulate

address, token, model, id = sys.argv[1:]
client = AuthenticatedClient(address, token, raise_on_unexpected_status=True)
(row,) = thresholds_every.sync(client=client).items
told = thresholds_simulate.sync(client=client, body=ToSimulate(model=model, threshold=0.5))
seen = thresholds_one.sync_detailed(id, client=client)
body = ToChange(why="by a generated client", threshold=0.5)
handed = thresholds_change.sync(id, client=client, body=body, if_match=seen.headers["etag"])
state = acts_act.sync(handed.id, client=client).state
print(row.id, row.points, told.recommendation, state, sep="|")
refused = thresholds_change.sync(id, client=client, body=body, if_match=seen.headers["etag"])
print(refused.status, refused.detail, sep="|")
"""


def run(*words, **how):
    done = subprocess.run(words, capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    "A folder with the client, and the Python that has what it needs."
    folder, uv = tmp_path_factory.mktemp("generated"), Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv makes the environment: 'make setup' installs it")
    python = folder / "env" / "bin" / "python"
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "env")
    install = [uv, "pip", "install", "--quiet", "--python", python, GENERATOR]
    if subprocess.run(install, capture_output=True).returncode:
        pytest.skip("the generator could not be fetched")
    bench = copy(folder / "bench")
    (folder / "openapi.json").write_text(json.dumps(app_of(bench).openapi()))
    path = {"PATH": f"{python.parent}:/usr/bin:/bin"}
    words = ["generate", "--path", "openapi.json", "--output-path", "generated", "--meta", "none"]
    said = run(python.with_name("openapi-python-client"), *words, cwd=folder, env=path)
    assert "Warning" not in said and "Error" not in said, said
    return folder, python, bench


@pytest.mark.slow
def test_a_generated_client_lists_simulates_and_proposes(generated):
    folder, python, bench = generated
    token = secrets(bench)["propose"]
    with serving(app_of(bench)) as address:
        words = [python, "-c", USE, address, token, MODEL, ID]
        first, second = run(*words, cwd=folder).splitlines()
    row, points, recommendation, state = first.split("|")
    assert (row, state) == (ID, "waiting") and int(points) > -16_000
    assert recommendation.endswith(".")
    assert second.split("|")[0] == "412" and "look at it again" in second
