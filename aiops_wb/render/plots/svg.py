"""What matplotlib draws, as SVG that is small enough to stand in a page.

Coordinates are whole tenths of a point, each told from the one before; what looks alike shares a
class, and lines, bars and dots of one look are one path; a line ends where its panel does. A class
is called by what it says, so that drawings in one page share it or differ. Colours of the house are
variables of the page, with their own value beside them: a page may be dark. Text stays text.
"""

from typing import Any

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import rgb2hex
from matplotlib.font_manager import FontProperties, weight_dict
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from .path_data import Box, written
from .sheet import PIECES, TENTHS, Shape, Sheet

__all__ = ["PALETTE", "SvgRenderer"]

PALETTE = {
    "#1d2733": "--ink",
    "#5b6877": "--soft",
    "#dfe4ea": "--line",
    "#ffffff": "--paper",
    "#2563c9": "--blue",
    "#d97706": "--orange",
    "#c02626": "--bad",
    "#15803d": "--ok",
}
"Colours of drawings -> what a page calls them."
HATCH = 72
"Points of a side of the square that a hatch repeats."
_ANCHORS = {"left": (), "center": ("text-anchor:middle",), "right": ("text-anchor:end",)}
_CAPS = {"projecting": "stroke-linecap:square", "round": "stroke-linecap:round", "butt": ""}
_ROUND = np.asarray(Path.unit_circle().vertices)


class SvgRenderer(RendererBase):
    "A drawing of so many points across and up; `svg` is what was drawn."

    def __init__(self, width: float, height: float):
        super().__init__()
        self.width, self.height = width, height
        self._place = Affine2D().scale(1, -1).translate(0, height).scale(TENTHS)
        self._sheet = Sheet()

    def svg(self, narrow: str, title: str, says: str) -> str:
        "The drawing, with how it stands in a narrow page (CSS), its name, and what it shows."
        return self._sheet.svg(self.width, self.height, narrow, title, says)

    def get_canvas_width_height(self) -> tuple[float, float]:
        "Points."
        return self.width, self.height

    def flipy(self) -> bool:
        "Places of texts are told from the top."
        return True

    def open_group(self, s: str, gid: str | None = None) -> None:
        "A panel or a legend begins, or an axis."
        if s == "matplotlib.axis":
            self._sheet.axis(begins=True)
        elif s in PIECES:
            self._sheet.piece(PIECES[s], begins=True)

    def close_group(self, s: str) -> None:
        "It ends."
        if s == "matplotlib.axis":
            self._sheet.axis(begins=False)
        elif s in PIECES:
            self._sheet.piece(PIECES[s], begins=False)

    def draw_path(
        self, gc: GraphicsContextBase, path: Path, transform: Transform, rgbFace: Any = None
    ) -> None:
        "A line, which is cut off at the edge of its panel, or an area."
        line = not _is_filled(gc, rgbFace)
        shown = path.cleaned(
            transform,
            remove_nans=True,
            clip=self._edge(gc) if line else None,
            simplify=line and path.should_simplify,
            curves=True,
        )
        self._add(gc, shown, rgbFace)

    def draw_markers(
        self,
        gc: GraphicsContextBase,
        marker_path: Path,
        marker_trans: Transform,
        path: Path,
        trans: Transform,
        rgbFace: Any = None,
    ) -> None:
        "A sign at every place; a round one of one colour is a dot: a line without length."
        sign, places = marker_path.transformed(marker_trans), trans.transform(path.vertices)
        if dotted := self._dotted(gc, marker_path, sign, rgbFace):
            gc, sign, rgbFace = dotted, Path([(0, 0), (0, 0)]), None
        reach = sign.vertices.min(axis=0), sign.vertices.max(axis=0)
        places = places[_seen(places, reach, self._edge(gc))]
        codes = [Path.MOVETO] + [Path.LINETO] * (len(sign.vertices) - 1)
        codes = codes if sign.codes is None else sign.codes
        face = rgbFace if len(sign.vertices) > 2 else None  # a line has no inside
        for part in _each(places) if _clear(gc, face) else [places]:
            vertices = (part[:, None] + sign.vertices).reshape(-1, 2)
            self._add(gc, Path(vertices, np.tile(codes, len(part))), face)

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: bool | str = False,
        mtext: Text | None = None,
    ) -> None:
        "Text, at the place that it is aligned to; a formula is drawn."
        if ismath:
            self._draw_text_as_path(gc, x, y, s, prop, angle, ismath, mtext)
            return
        rule = [*_font(prop), *_colour("fill", gc, gc.get_rgb())]
        if mtext is not None and angle == 0:
            x = mtext.get_transform().transform(mtext.get_unitless_position())[0]
            rule += _ANCHORS[mtext.get_ha()]
        x, y = round(x * TENTHS), round(y * TENTHS)
        turned = f' transform="rotate({_short(-angle)} {x} {y})"' if angle else ""
        self._sheet.write(self._sheet.look(rule), f'x="{x}" y="{y}"{turned}', s)

    def _edge(self, gc):
        "Where lines are cut off: at the edge of their panel, or of the drawing."
        within = gc.get_clip_rectangle()
        if within is None:
            return (0.0, 0.0, self.width, self.height)
        return tuple(within.padded(gc.get_linewidth() / 2).extents)

    def _dotted(self, gc, marker, sign, face):
        "With what a round sign is drawn as a line without length; None where it is none."
        if marker.vertices.shape != _ROUND.shape or not np.allclose(marker.vertices, _ROUND):
            return None
        line = bool(gc.get_linewidth()) and gc.get_rgb()[3] > 0
        one = face is not None and (not line or tuple(gc.get_rgb()[:3]) == tuple(face[:3]))
        if not one or _clear(gc, face) or gc.get_hatch() is not None:
            return None
        dot = self.new_gc()
        dot.copy_properties(gc)
        dot.set_foreground(face)
        wide = np.ptp(sign.vertices[:, 0])
        dot.set_linewidth(wide + (gc.get_linewidth() if line else 0))
        dot.set_capstyle("round")
        dot.set_dashes(0, None)
        return dot

    def _add(self, gc, path, face):
        "A path waits to be drawn."
        filled, stroke = _is_filled(gc, face), _stroke(gc)
        if not (filled or stroke) or not len(path.vertices) or path.codes[0] == Path.STOP:
            return  # of what is nowhere a number nothing is left
        data, box = written(path.transformed(self._place))
        if not data:
            return
        rule = [*(self._fill(gc, face) if filled else ["fill:none"]), *stroke]
        rule += self._cut(gc, box)
        self._sheet.add(Shape(self._sheet.look(rule), data, box, filled, _clear(gc, face)))

    def _fill(self, gc, face):
        "What says of an area how it is filled."
        if gc.get_hatch() is None:
            return _colour("fill", gc, face)
        square = Affine2D().scale(1, -1).translate(0, 1).scale(HATCH * TENTHS)
        lines, _ = written(gc.get_hatch_path().transformed(square))
        colour = gc.get_hatch_color()
        width = f"stroke-width:{_short(gc.get_hatch_linewidth() * TENTHS)}"
        look = self._sheet.look(
            [*_colour("stroke", gc, colour), *_colour("fill", gc, colour), width]
        )
        behind = ""
        if face is not None and face[3] > 0:
            below = self._sheet.look(_colour("fill", gc, face))
            behind = f'<path class="{below}" d="M0 0H{HATCH * TENTHS}V{HATCH * TENTHS}H0z"/>'
        pattern = (
            f'<pattern id="{{}}" patternUnits="userSpaceOnUse" width="{HATCH * TENTHS}" '
            f'height="{HATCH * TENTHS}">{behind}<path class="{look}" d="{lines}"/></pattern>'
        )
        return [f"fill:{self._sheet.defined(pattern)}"]

    def _cut(self, gc, box):
        "What cuts off an area that reaches beyond its panel, and all that a path is laid over."
        path, transform = gc.get_clip_path()
        if path is None:
            within = gc.get_clip_rectangle()
            if within is None:
                return []
            path, transform = Path(within.corners()[[0, 1, 3, 2, 0]]), Affine2D()
        data, edge = written(path.transformed(transform + self._place))
        if gc.get_clip_path()[0] is None and _holds(edge, box, gc.get_linewidth() * TENTHS / 2 + 1):
            return []
        inside = f'<clipPath id="{{}}"><path d="{data}"/></clipPath>'
        return [f"clip-path:{self._sheet.defined(inside)}"]


def _short(number):
    return f"{number:.1f}".removesuffix(".0")


def _is_filled(gc, face):
    return gc.get_hatch() is not None or (face is not None and (len(face) < 4 or face[3] > 0))


def _alpha(gc, colour):
    "How much of what lies below a colour covers."
    if gc.get_forced_alpha():
        return gc.get_alpha()
    return colour[3] if len(colour) > 3 else 1.0


def _clear(gc, face):
    "Whether any of what lies below is seen through a line or an area."
    seen = [gc.get_rgb()] if gc.get_linewidth() else []
    seen += [face] if face is not None else []
    return any(_alpha(gc, colour) < 1 for colour in seen)


def _colour(name, gc, colour):
    "A colour of the house as the page has it, where the page has one."
    plain, alpha = rgb2hex(colour), _alpha(gc, colour)
    rule = [f"{name}:{plain}"]
    if plain in PALETTE:  # what knows no variables keeps the first
        rule.append(f"{name}:var({PALETTE[plain]},{plain})")
    return rule if alpha >= 1 else [*rule, f"{name}-opacity:{alpha:.3g}"]


def _stroke(gc):
    "What says how a line looks; nothing where there is none."
    width = gc.get_linewidth()
    if not width or _alpha(gc, gc.get_rgb()) == 0:
        return []
    rule = [*_colour("stroke", gc, gc.get_rgb()), f"stroke-width:{_short(width * TENTHS)}"]
    offset, dashes = gc.get_dashes()
    if dashes is not None:
        rule.append(f"stroke-dasharray:{' '.join(_short(part * TENTHS) for part in dashes)}")
        rule += [f"stroke-dashoffset:{_short(offset * TENTHS)}"] if offset else []
    join = gc.get_joinstyle()
    return [*rule, _CAPS[gc.get_capstyle()], "" if join == "miter" else f"stroke-linejoin:{join}"]


def _font(prop):
    weight = weight_dict.get(prop.get_weight(), prop.get_weight())
    rule = [f"font-size:{_short(prop.get_size_in_points() * TENTHS)}px"]
    rule += [f"font-weight:{weight}"] if weight != 400 else []
    return rule + ([f"font-style:{prop.get_style()}"] if prop.get_style() != "normal" else [])


def _seen(places, reach, edge):
    "At which places a sign that reaches so far is within an edge, in part at least."
    (left, low, right, high), (least, most) = edge, reach
    (x, y), (x_most, y_most) = (places + least).T, (places + most).T
    return (x_most >= left) & (x <= right) & (y_most >= low) & (y <= high)


def _each(places):
    return np.split(places, len(places)) if len(places) else []


def _holds(outer: Box, inner: Box, more: float) -> bool:
    "Whether a box lies within another that is wider by so much on every side."
    low = inner[0] >= outer[0] - more and inner[1] >= outer[1] - more
    return low and inner[2] <= outer[2] + more and inner[3] <= outer[3] + more
