"`python -m tests.house`: write anew what is recorded, to be looked at as a difference."

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from house.parts import HERE, PARTS, Parts  # noqa: E402

with TemporaryDirectory() as folder:
    house = Parts(Path(folder))
    for part in PARTS:
        (HERE / f"{part}.txt").write_text(house.told(part), encoding="utf-8")
