"""What runs in the browser: the slider of the reports, in a frame that no style of a host reaches.

A widget is one ES module, and its style goes with it: a notebook loads neither from beside it. The
colours are those of the pages, chosen by what the host says of itself and not by the system.
"""

import json
import re

from ..render.frame import template

__all__ = ["module", "style"]

_COLOURS = re.compile(r":root \{(.*?)\}", re.DOTALL)


def style() -> str:
    "The style of a page with a slider, with its colours as those of a host that is light or dark."
    page = template("style.css")
    light, dark = _COLOURS.findall(page)
    hosts = f":host {{{light}}}\n:host([data-theme=dark]) {{{dark}}}\n"
    return "\n".join([hosts, page, template("slider.css"), template("widget.css")])


def module() -> str:
    "The script of a slider with what a widget has around it, as one ES module."
    look = f"const STYLE = {json.dumps(style())};"
    return "\n".join([template("slider.js"), look, template("widget.js")])
