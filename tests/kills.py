"""Kill commands at random moments, some of them again while they are given again; then compare with
a calm run: nothing is lost, nothing is there twice, nothing is half done.

    python tests/kills.py KILLS [SEED] [NAME,NAME...]

The kills are spread over the commands of `stops.py` and the logger by the seed; each falls at a
random moment of the time that its command takes. A kill that came too late is not counted. It
prints a line for each command, a JSON object, and at last their sums; the exit code is 1 where a
state differed.
"""

import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from conftest import Bench
from stops import COMMANDS, counted, differing, forked, give, load, logged, logger_trials, state

MOST = 4
"Kills in a row, at most."
AGAIN = 0.3
"The share of kills after which the command that is given again is killed as well."


def shares(kills, seed, names):
    "How many kills each command gets, drawn at random."
    dice = random.Random(f"kills {seed}")
    return Counter(dice.choice(names) for _ in range(kills))


def wrong_of(calm, found):
    "Rows that are gone, rows and messages that are there twice, and whether anything else differs."
    if "no state" in found:
        return {"lost": 0, "double": 0, "half": 1}
    rows, before = (Counter(row[0] for row in one["rows"]) for one in (found, calm))
    sent, told = (Counter(one["cases that were sent"]) for one in (found, calm))
    lost, double = before - rows, (rows - before) + (sent - told)
    return {
        "lost": lost.total(),
        "double": double.total(),
        "half": int(not lost and not double and found != calm),
    }


def killed(command, base, folder, took, dice):
    """One trial: kills until one is the last, then the command in peace. The kills that met it at
    work, when they came, and the state in the end."""
    shutil.copytree(base.root, folder, symlinks=True)
    bench, met, moments = Bench(folder), 0, []

    def ending():
        give(bench, command.arguments)
        return state(bench)

    while True:
        moments.append(dice.uniform(0, took))
        code, _ = forked(lambda: give(bench, command.arguments), moments[-1])
        met += code == -signal.SIGKILL
        if code != -signal.SIGKILL or len(moments) == MOST or dice.random() >= AGAIN:
            break
    ended, found = forked(ending)
    shutil.rmtree(folder)
    return met, moments, found if ended == 0 else {"no state": ended}


def kills_of(name, wanted, seed):
    "So many kills of one command, and what they broke."
    if name == "logger":
        told = logger_trials(1, wanted)
        wrong = len(told["differences"])
        return {"kills": told["kills"], "lost": wrong, "double": 0, "half": 0} | {
            "differences": told["differences"]
        }
    command, dice = COMMANDS[name], random.Random(f"{name} {seed}")
    root = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        base, trial = Bench(root / "base"), root / "trial"
        base.root.mkdir()
        if command.settings:
            (base.root / "aiops.toml").write_text(command.settings)
        assert forked(lambda: command.before(base))[0] == 0
        ends, took = calm_ends(command, base, trial)
        told = Counter(kills=0, lost=0, double=0, half=0)
        differences, tries = {}, 0
        while told["kills"] < wanted and tries < 6 * wanted + 10:
            tries += 1
            met, moments, found = killed(command, base, trial, took, dice)
            told["kills"] += met
            if wrong := differing(ends, found):
                told.update(wrong_of(ends[0], found))
                differences[" ".join(f"{at:.3f}" for at in moments)] = wrong
        return dict(told) | {"seconds": round(took, 3), "differences": differences}
    finally:
        shutil.rmtree(root, ignore_errors=True)


def calm_ends(command, base, trial):
    "The states that a calm run may end in, and the seconds that it takes."
    bench, ends, took = Bench(trial), [], 0.0
    shutil.copytree(base.root, trial, symlinks=True)
    for _ in range(1 + MOST if command.again else 1):
        began = time.monotonic()
        assert forked(lambda: give(bench, command.arguments))[0] == 0
        took = took or time.monotonic() - began
        code, found = forked(lambda: state(bench))
        assert code == 0
        ends.append(found)
    shutil.rmtree(trial)
    if command.before is logged:
        _, delivered = forked(lambda: counted(base.data / "spool"))
        assert len(delivered) > 50 and ends[0]["rows"] == delivered
    return ends, took


def main(kills, seed="0", names=""):
    load()
    names = names.split(",") if names else sorted([*COMMANDS, "logger"])
    sums = Counter(kills=0, lost=0, double=0, half=0)
    for name, wanted in sorted(shares(int(kills), seed, names).items()):
        told = kills_of(name, wanted, seed)
        sums.update({key: told[key] for key in sums})
        print(json.dumps({"name": name} | told), flush=True)
    print(json.dumps({"seed": seed} | sums), flush=True)
    return int(bool(sums["lost"] or sums["double"] or sums["half"]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
