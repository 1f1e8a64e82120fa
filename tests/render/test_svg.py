"""Drawings as SVG: all is where it was, little is written, and no names meet in a page."""

import io
import re

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path
from read_pages import SVG, drawings, elements

from aiops_wb.render.drawing import alone_in
from aiops_wb.render.plots.chart import BLUE, GREY, STYLE, panels
from aiops_wb.render.plots.path_data import written
from aiops_wb.render.plots.sheet import Sheet
from aiops_wb.render.plots.svg import PALETTE

STEPS = re.compile(r"([Mmlhvzcq])([^Mmlhvzcq]*)")
NUMBER = re.compile(r"-?\d+")


def places(data):
    "Where a path of straight lines goes, read as a browser does; a list for each of its parts."
    parts, at = [], np.zeros(2, int)
    for letter, told in STEPS.findall(data):
        numbers = [int(n) for n in NUMBER.findall(told)]
        if letter in "Mm":
            at = np.array(numbers) + (at if letter == "m" else 0)
            parts.append([tuple(at)])
        elif letter == "z":
            at = np.array(parts[-1][0])
            parts[-1].append(tuple(at))
        for k in range(0, len(numbers) if letter in "lhv" else 0, 2 if letter == "l" else 1):
            step = {"l": numbers[k : k + 2], "h": [numbers[k], 0], "v": [0, numbers[k]]}[letter]
            at = at + step
            parts[-1].append(tuple(at))
    return parts


def corners(vertices):
    "Where a line turns: places on the way straight on along an axis are none."
    kept = []
    for place in map(tuple, vertices):
        if kept and kept[-1] == place:
            continue
        if len(kept) > 1 and any(
            kept[-2][i] == kept[-1][i] == place[i]
            and (kept[-1][1 - i] - kept[-2][1 - i]) * (place[1 - i] - kept[-1][1 - i]) > 0
            for i in (0, 1)
        ):
            kept.pop()
        kept.append(place)
    return kept


POINTS = st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=1, max_size=12)


@given(st.lists(POINTS, min_size=1, max_size=4), st.booleans())
def test_a_path_leads_where_its_points_are(lines, closed):
    codes = [[Path.MOVETO] + [Path.LINETO] * (len(one) - 1) for one in lines]
    for one, code in zip(lines, codes) if closed else ():
        one.append(one[0]), code.append(Path.CLOSEPOLY)
    vertices = np.array([place for one in lines for place in one], float) + 0.2
    data, box = written(Path(vertices, np.concatenate(codes)))
    read = places(data)
    assert [corners(part) for part in read] == [corners(one) for one in lines]
    told = np.array([place for one in lines for place in one])
    assert box == (*told.min(axis=0), *told.max(axis=0))


def test_curves_keep_their_points():
    codes = [Path.MOVETO, *[Path.CURVE3] * 2, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    points = [(5, 5), (15, 5), (15, 15), (10, 20), (5, 20), (0, 15), (0, 0)]
    assert written(Path(points, codes)) == ("M5 5q10 0 10 10c-5 5-10 5-15 0z", (0, 5, 15, 20))


def drawn(draw, **options):
    "A chart of one panel on which something was drawn."
    with mpl.rc_context(STYLE):
        chart, axes = panels(**options)
        draw(axes[0, 0])
    return chart


def shapes(chart):
    "The data of every path of a drawing, and what its class says."
    svg = chart._repr_svg_()
    (found,) = drawings(svg)
    seen = [e for e in found.every("path") if e.get("class")]
    return [(e.get("d"), found.rules[e.get("class")]) for e in seen]


def test_a_drawing_takes_a_fifth_of_what_matplotlib_writes_of_it():
    day = np.arange(120)
    chart = drawn(lambda ax: ax.plot(day, np.sin(day), marker="o", ms=2.5, color=BLUE))
    theirs = io.StringIO()
    with mpl.rc_context(STYLE):
        chart.savefig(theirs, format="svg")
    assert len(chart._repr_svg_()) < len(theirs.getvalue()) / 5


def test_signs_of_one_look_are_one_path_and_round_ones_lines_without_length():
    chart = drawn(lambda ax: ax.plot([0, 1, 2], [0, 1, 0], "o", color=BLUE, ms=6, mew=1))
    (dots,) = [(d, rule) for d, rule in shapes(chart) if "stroke-linecap:round" in rule]
    assert re.fullmatch(r"M\d+ \d+h0(m-?\d+[ -]\d+h0){2}", dots[0])
    assert "stroke-width:70;" in dots[1] and f"stroke:{BLUE}" in dots[1]
    ringed = drawn(lambda ax: ax.plot([0], [0], "o", mfc="white", mec=BLUE))
    assert any("fill:#ffffff" in rule and "c" in d for d, rule in shapes(ringed)[1:])


def test_bars_are_one_path_unless_one_would_be_seen_through_another():
    def bars(ax, alpha):
        ax.bar([0, 1, 2], [3, 2, 1], width=0.5, color=BLUE)
        ax.bar([1.1], [2], width=0.5, color="#aa5500", alpha=alpha)
        ax.bar([1.2], [2], width=0.5, color="#aa5500", alpha=alpha)

    whole = [d for d, rule in shapes(drawn(lambda ax: bars(ax, 1))) if f"fill:{BLUE}" in rule]
    assert len(whole) == 1 and whole[0].count("z") == 3
    seen = [d for d, rule in shapes(drawn(lambda ax: bars(ax, 0.5))) if "fill-opacity:0.5" in rule]
    assert len(seen) == 2


def test_what_reaches_beyond_a_panel_is_cut_off_there():
    def steep(ax):
        ax.plot([0, 10], [0, 10], color=BLUE)
        ax.fill_between([0, 10], [-20, -20], [20, 20], color=GREY)
        ax.set(xlim=(4, 5), ylim=(4, 5))

    chart = drawn(steep)
    svg = chart._repr_svg_()
    (found,) = drawings(svg)
    named = re.search(r"clip-path:url\(#([\w-]+)\)", svg)[1]
    assert [e.get("id") for e in found.every("clipPath")] == [named]
    line = next(d for d, rule in shapes(chart) if f"stroke:{BLUE}" in rule)
    wide, high = map(int, found.element.get("viewBox").split()[2:])
    assert all(0 <= x <= wide and 0 <= y <= high for part in places(line) for x, y in part)


def test_a_gap_parts_a_line_and_signs_beyond_a_panel_are_none():
    def gapped(ax):
        ax.plot([0, 1, 2, 3, 4], [0, 1, np.nan, 2, 3], color=BLUE)
        ax.plot([0, 1, 2, 3, 4, 2], [1, 1, 1, 1, 1, 9], "o", color=GREY)
        ax.set(xlim=(1, 3), ylim=(0, 3))

    told = dict((rule, d) for d, rule in shapes(drawn(gapped)))
    line = next(d for rule, d in told.items() if f"stroke:{BLUE}" in rule)
    dots = next(d for rule, d in told.items() if "stroke-linecap:round" in rule)
    assert len(places(line)) == 2 and len(places(dots)) == 3, "one on each edge is seen"


def test_what_lets_light_through_does_so_as_the_artist_says():
    def pale(ax):
        ax.plot([0, 1], color=(0, 0, 1, 0.9), alpha=0.3)
        ax.fill_between([0, 1], [0, 0], [1, 1], color=(1, 0, 0, 0.2))
        ax.text(0, 0, "a", alpha=0.6)

    rules = [rule for one in drawings(drawn(pale)._repr_svg_()) for rule in one.rules.values()]
    seen = {m for rule in rules for m in re.findall(r"(stroke|fill)-opacity:([\d.]+)", rule)}
    assert seen >= {("stroke", "0.3"), ("fill", "0.2"), ("fill", "0.6")}


def test_text_stands_where_it_is_aligned_to_and_turns_about_where_it_begins():
    def told(ax):
        ax.text(0.5, 0.5, "middle", ha="center", transform=ax.transAxes)
        ax.text(0.5, 0.5, "turned", ha="center", rotation=60, transform=ax.transAxes)

    (found,) = drawings(drawn(told)._repr_svg_())
    by = {e.text: (e, found.rules[e.get("class")]) for e in found.every("text")}
    middle, rule = by["middle"]
    chart = drawn(told)
    chart.dpi = 72
    chart._repr_svg_()
    assert abs(int(middle.get("x")) - 10 * chart.axes[0].bbox.get_points()[:, 0].mean()) <= 1
    assert "text-anchor:middle" in rule and middle.get("transform") is None
    turned, rule = by["turned"]
    x, y = turned.get("x"), turned.get("y")
    assert "anchor" not in rule and turned.get("transform") == f"rotate(-60 {x} {y})"


def test_a_hatch_is_a_pattern_of_the_drawing():
    def hatched(ax):
        ax.axvspan(0, 1, facecolor="none", edgecolor=GREY, hatch="///", lw=0)

    svg = drawn(hatched)._repr_svg_()
    pattern = re.search(r'<pattern id="([\w-]+)"', svg)[1]
    assert f"fill:url(#{pattern})" in svg
    lines = places(re.search(r'<pattern .*?<path class="\w+" d="([^"]*)"', svg)[1])
    assert len(lines) > 6, "lines rise to the right, in a square of 72 points and what repeats it"
    assert all(x1 > x0 and y1 - y0 == x0 - x1 for (x0, y0), (x1, y1) in lines)


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("text", ["<b>a & b</b>", "$5 or $x_1$", "\x07\ufffe", "é…"])
def test_text_stays_the_text_that_it_was(text):
    svg = drawn(lambda ax: ax.set_title(text))._repr_svg_()
    said = [
        e.text for e in elements(f"<!doctype html><title>a</title>{svg}") if e.tag == f"{SVG}text"
    ]
    assert text.translate(dict.fromkeys((7, 0xFFFE), "\ufffd")) in said


def test_powers_of_ten_are_text_and_a_formula_that_was_asked_for_is_drawn():
    def logarithmic(ax):
        ax.plot([1, 2], [0.01, 10])
        ax.set_yscale("log")
        ax.text(1, 1, "$x_1$", parse_math=True)

    svg = drawn(logarithmic)._repr_svg_()
    assert {"10\u207b\u00b2", "10\u2070"} <= set(re.findall(r">([^<]*)</text>", svg))
    assert "mathdefault" not in svg and "x_1" not in svg


def test_colours_of_the_house_are_those_of_the_page_with_their_own_beside_them():
    svg = drawn(lambda ax: ax.plot([0, 1], color=BLUE))._repr_svg_()
    assert f"stroke:{BLUE};stroke:var({PALETTE[BLUE]},{BLUE})" in svg


def test_on_a_phone_panels_stand_below_each_other():
    "Each once, in reading order, and the drawing leaves room for them; a single column stays."
    with mpl.rc_context(STYLE):
        chart, axes = panels(2, 2, height=2.0, width=8.0)
        for ax in axes.flat:
            ax.plot([0, 1])
        axes[1, 1].clear()
        axes[1, 1].set_axis_off()
        chart.legend(axes[0, 0].get_lines(), ["a"], loc="outside upper center")
    (found,) = drawings(chart._repr_svg_())
    css = found.every("style")[0].text.partition("@media screen and (max-width:560px)")[2]
    moved = re.findall(r"-p(\d){transform:translate\((-?\d+)px,(-?\d+)px\)", css)
    assert [place for place, _, _ in moved] == ["0", "1", "2"]
    (_, x0, y0), (_, x1, y1), (_, x2, y2) = [tuple(map(int, one)) for one in moved]
    assert x0 == y0 == x2 == 0 and x1 < -2500 and 1200 < y1 == y2 < 1600
    assert 190 < float(re.search(r"width:([\d.]+)%", css)[1]) < 210
    assert 30 < float(re.search(r"margin-bottom:([\d.]+)%", css)[1]) < 60
    named = {e.get("class").rpartition("-")[2] for e in found.every("g")}
    assert named >= {"p0", "p1", "p2", "l0"} and css.count("scale(") == 1
    assert "@media" not in drawn(lambda ax: ax.plot([0, 1]))._repr_svg_()


def test_two_drawings_of_a_page_share_no_name_and_a_class_says_one_thing():
    one = drawn(lambda ax: ax.fill_between([0, 1], [-9, -9], [9, 9]) and ax.set_ylim(0, 1))
    other = drawn(lambda ax: ax.plot([0, 1], color=GREY, lw=3))
    svgs = [one._repr_svg_(), one._repr_svg_(), other._repr_svg_()]
    page = "".join(alone_in(svg, f"d{k}") for k, svg in enumerate(svgs))
    names = re.findall(r' id="([^"]*)"', page)
    assert len(set(names)) == len(names) >= 8
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(names)
    rules = [rule for svg in svgs for rule in drawings(svg)[0].rules.items()]
    assert len(dict(rules)) == len(set(rules))
    assert alone_in("<svg><text>other</text></svg>", "d1") == "<svg><text>other</text></svg>"


def test_as_many_looks_as_pages_have_are_classes_of_their_own():
    "Rules of one drawing hold in the whole page: two looks of one name would be seen as one."
    sheet = Sheet()
    assert len({sheet.look([f"stroke-width:{width}"]) for width in range(1000)}) == 1000
