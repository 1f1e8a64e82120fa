"""Reads pages as a browser does, and is stricter about it."""

import hashlib
import re
from base64 import b64encode
from html import escape
from typing import NamedTuple
from urllib.parse import unquote

import html5lib

LOADS = ("src", "href", "srcset", "data", "action", "formaction", "poster")


def elements(html):
    "Every element of a page that parses without an error, by a parser that forgives nothing."
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return list(parser.parse(html).iter())


def held(html):
    "A page's elements, after making sure that it asks for nothing and runs what it names alone."
    found = elements(html)
    tags = {e.tag for e in found}
    assert not tags & {"link", "iframe", "object", "embed", "base", "form"}
    policy = [e.get("content") for e in found if e.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1 and policy[0].startswith("default-src 'none'")
    scripts = [hash_of(e.text) for e in found if e.tag == "script"]
    allowed = re.findall(r"script-src ([^;]*)", policy[0])
    assert " ".join(scripts) == " ".join(allowed), "a page names each of its scripts by its hash"
    for element in found:
        for name, value in element.attrib.items():
            local = str(name).rpartition("}")[2]  # of xlink:href, whose prefix is an address
            assert not local.startswith("on"), (element.tag, local)
            if local in LOADS and not value.startswith("data:"):
                assert ":" not in value and "//" not in value, (element.tag, local, value)
        if element.tag == "style":
            assert "url(" not in element.text and "@import" not in element.text
    return found


def hash_of(script):
    "A script as a policy names it."
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def text(html):
    "What a person reads on a page."
    body = next(e for e in elements(html) if e.tag == "body")
    for script in body.iter("script"):
        script.text = ""
    return " ".join("".join(body.itertext()).split())


def links(html):
    "Text of each link, or what is said of it, and where it leads."
    return [
        ("".join(e.itertext()).strip() or e.get("title") or e.get("aria-label"), e.get("href"))
        for e in elements(html)
        if e.tag == "a"
    ]


def columns(html):
    "The heads of the columns of a page's tables."
    return ["".join(e.itertext()).strip() for e in elements(html) if e.tag == "th"]


def lost(path):
    "Where links of a page that lies in a folder lead to no file, or to no place of it."
    return [
        href for _, href in links(path.read_text(encoding="utf-8")) if href and _lost(path, href)
    ]


def _lost(path, href):
    file, _, place = href.partition("#")
    target = path.parent / unquote(file) if file else path
    if not target.is_file():
        return True
    if "=" in place:  # what a script shows of a page
        return "<script" not in target.read_text(encoding="utf-8")
    told = target.read_text(encoding="utf-8") if place else ""
    return bool(place) and f' id="{escape(unquote(place))}"' not in told


SVG = "{http://www.w3.org/2000/svg}"


class Drawing(NamedTuple):
    "A drawing of a page, what its classes say, and how it is described."

    element: object
    rules: dict[str, str]
    title: str
    says: str

    def every(self, tag):
        "Its elements of a kind."
        return list(self.element.iter(SVG + tag))


def drawings(html):
    "Every drawing of a page or of a piece of one, each with its name and words of its own."
    found = elements(html if html.startswith("<!") else f"<!doctype html><title>a</title>{html}")
    named = {e.get("id"): e for e in found if e.get("id")}
    told = []
    for svg in (e for e in found if e.tag == f"{SVG}svg" and e.get("class") == "drawing"):
        assert svg.get("role") == "img" and len(svg.get("viewBox").split()) == 4
        assert "max-width:100%" in svg.get("style") and "height:auto" in svg.get("style")
        by = [named[name] for name in svg.get("aria-labelledby").split()]
        assert [e.tag for e in by] == [f"{SVG}title", f"{SVG}desc"] and list(svg)[:2] == by
        looks, _, _ = next(svg.iter(f"{SVG}style")).text.partition("@media")
        rules = dict(re.findall(r"\.([\w-]+)\{([^}]*)\}", looks))
        told.append(Drawing(svg, rules, *(e.text or "" for e in by)))
    return told
