"""What pages of a built site point at and load: links that lead nowhere, things of other hosts."""

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"link": "href", "image": "href", "use": "href", "object": "data", "form": "action"}
NAMESPACES = ("http://www.w3.org/",)  # names of languages; nobody asks that host for anything
LINK = re.compile(r"\]\(([^)\s]+)\)")  # of Markdown


class Page(HTMLParser):
    "What a page can be pointed at, what it points at, and what a browser loads for it."

    def __init__(self, text: str):
        super().__init__()
        self.anchors, self.links, self.loads, self.style, self.script = {""}, [], [], [], []
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.inside = tag if tag in ("style", "script") else None
        self.anchors |= {given[k] for k in ("id", "name") if k in given}
        if tag in ("a", "area") and "href" in given:
            self.links.append(given["href"])
        names = ("src", "poster", "background", "xlink:href", LOADS.get(tag))
        self.loads += [given[name] for name in names if name in given]
        self.loads += re.findall(r"(\S+)(?:\s+[\d.]+[wx])?(?:,|$)", given.get("srcset", ""))
        self.style.append(given.get("style", ""))

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            getattr(self, self.inside).append(data)


def in_css(text: str) -> list[str]:
    "What a style sheet loads."
    loads = re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(
        r"@import\s+['\"]([^'\"]+)", text
    )
    return [url for url in loads if not url.startswith("data:")]


def in_js(text: str) -> list[str]:
    "Addresses in the strings of a script; what comments say is for people."
    text = re.sub(r"/\*.*?\*/|(?<![:'\"`\w])//[^\n]*", "", text, flags=re.S)
    urls = re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+[^\s'\"`)]*", text)
    return [url for url in urls if not url.startswith(NAMESPACES)]


def foreign(url: str) -> bool:
    "Whether an address is one of another host."
    return bool(urlsplit(url).netloc) or urlsplit(url).scheme in ("http", "https", "ftp")


@cache
def page(path: Path) -> Page:
    "A page, read once."
    return Page(path.read_text(encoding="utf-8"))


def broken(folder: Path) -> Iterator[tuple[str, str]]:
    "Links of a site's pages and of its `llms.txt` that lead to no file, or to no place in it."
    told = {path: (*page(path).links, *page(path).loads) for path in folder.rglob("*.html")}
    told |= {path: LINK.findall(path.read_text(encoding="utf-8")) for path in folder.glob("*.txt")}
    for path, links in sorted(told.items()):
        for link in links:
            parts = urlsplit(link)
            if foreign(link) or parts.scheme in ("mailto", "data"):
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            if not target.is_file() or (
                target.suffix == ".html"
                and unquote(parts.fragment) not in page(target.resolve()).anchors
            ):
                yield path.relative_to(folder).as_posix(), link


def loaded_from_elsewhere(folder: Path) -> Iterator[tuple[str, str]]:
    "What pages, style sheets and scripts would load from another host."
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            found = page(path)
            loads = [*found.loads, *in_css("\n".join(found.style)), *in_js("\n".join(found.script))]
        elif path.suffix in (".css", ".js", ".svg"):
            text = path.read_text(encoding="utf-8")
            loads = in_js(text) if path.suffix == ".js" else in_css(text)
        else:
            continue
        yield from ((path.relative_to(folder).as_posix(), url) for url in loads if foreign(url))
