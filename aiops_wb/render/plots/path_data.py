"""The data of an SVG path in whole tenths of a point, in as few letters as they need."""

import numpy as np
from matplotlib.path import Path

__all__ = ["Box", "written"]

Box = tuple[float, float, float, float]  # left, top, right, bottom; tenths of a point


_LETTERS = {Path.MOVETO: "m", Path.LINETO: "l", Path.CURVE3: "q", Path.CURVE4: "c"}
_POINTS = {Path.MOVETO: 1, Path.LINETO: 1, Path.CURVE3: 2, Path.CURVE4: 3, Path.CLOSEPOLY: 1}


def written(path: Path) -> tuple[str, Box | None]:
    "The data of a path in whole tenths, and where it lies; nothing of a path without a point."
    places = np.rint(path.vertices).astype(int)
    codes = path.codes
    if codes is None:
        codes = np.array([Path.MOVETO] + [Path.LINETO] * (len(places) - 1), dtype=np.uint8)
    told = codes != Path.STOP
    places, codes = places[told], codes[told]
    drawn = places[codes != Path.CLOSEPOLY]
    if not len(drawn):
        return "", None
    box = (*drawn.min(axis=0).tolist(), *drawn.max(axis=0).tolist())
    return _data(places.tolist(), codes.tolist()), box


def _data(places, codes):
    "Commands with their numbers: straight lines by one of them, one after the other in one go."
    steps: list[tuple[str, list[int]]] = []
    x, y, start, i = 0, 0, (0, 0), 0
    while i < len(codes):
        code = codes[i]
        points = places[i : i + _POINTS[code]]
        i += len(points)
        if code == Path.CLOSEPOLY:
            steps.append(("z", []))
            x, y = start
            continue
        if code == Path.LINETO:
            _line(steps, points[0][0] - x, points[0][1] - y)
        else:
            first = code == Path.MOVETO and not steps
            numbers = [n - (0 if first else at) for p in points for n, at in zip(p, (x, y))]
            steps.append(("M" if first else _LETTERS[code], numbers))
        x, y = points[-1]
        start = (x, y) if code == Path.MOVETO else start
    return _joined(steps)


def _line(steps, across, up):
    "A straight line on: longer where it goes on as the one before; nothing where it stays."
    letter, numbers = steps[-1]
    if not across and not up:
        if letter in "Mm":  # a dot, if nothing follows
            steps.append(("h", [0]))
        return
    if numbers == [0] and letter == "h":
        steps.pop()
        letter, numbers = steps[-1]
    if across and up:
        steps.append(("l", [across, up]))
        return
    new, by = ("h", across) if across else ("v", up)
    if letter == new and (numbers[0] > 0) == (by > 0):
        numbers[0] += by
    else:
        steps.append((new, [by]))


def _joined(steps):
    "Commands in as few letters as they need."
    text, before = [], ""
    for letter, numbers in steps:
        again = letter == before and letter != "z"
        for place, number in enumerate(numbers):
            if place == 0 and not again:
                text.append(f"{letter}{number}")
            else:
                text.append(f"{number}" if number < 0 else f" {number}")
        if not numbers:
            text.append(letter)
        before = "" if letter in "Mm" else letter
    return "".join(text)
