"""An executed notebook becomes a page: text as written, outputs in their best form, no code."""

from base64 import b64decode
from pathlib import Path

from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    new_raw_cell,
)
from read_pages import elements, links, text

from aiops_wb.render.body import Part, parts
from aiops_wb.render.jobs import Job
from aiops_wb.render.notebook import render


def shown(**data):
    "The parts that an output of these forms becomes."
    data = {name.replace("_", "/", 1).replace("_", "+"): value for name, value in data.items()}
    cell = new_code_cell("secret()", outputs=[new_output("display_data", data=data)])
    return list(parts(new_notebook(cells=[cell])))


def written(source, **more):
    "The HTML of a markdown cell."
    return next(parts(new_notebook(cells=[new_markdown_cell(source, **more)]))).value


def test_markdown_is_read_as_in_notebooks():
    html = written(
        "# A *new* <b>day</b> & night\n\n| a | b |\n|---|---|\n| 1 | ~~2~~ |\n\n- [ ] do"
    )
    assert '<h1 id="A-new-day-&amp;-night">A <em>new</em> <b>day</b> &amp; night' in html
    assert "<td>1</td>" in html and "<del>2</del>" in html and "checkbox" in html
    assert '<a href="https://example.org">' in written("see https://example.org")
    assert "1 &lt; 2" in written("1 < 2")


def test_a_heading_is_linked_by_its_words_and_quotes_end_no_attribute():
    html = written('## Say "yes" <img alt=">">')
    assert 'id="Say-&quot;yes&quot;' in html


def test_a_picture_that_was_pasted_stands_in_the_page():
    pasted = {"a.png": {"image/png": "QUJD"}}
    html = written("![what](attachment:a.png)", attachments=pasted)
    assert 'src="data:image/png;base64,QUJD"' in html


def test_an_output_shows_its_best_form():
    assert shown(text_html="<b>1</b>", text_plain="1") == [Part("html", "<b>1</b>")]
    assert shown(text_markdown="*1*", text_plain="1")[0].value.strip() == "<p><em>1</em></p>"
    assert shown(text_plain="\x1b[31m1\x1b[0m") == [Part("plain", "1")]
    assert shown(image_png="QUJD") == [Part("picture", "data:image/png;base64,QUJD")]
    assert shown(application_json="{}") == []
    (picture,) = shown(image_svg_xml="<svg>é</svg>", text_plain="chart")
    assert b64decode(picture.value.split(",")[1]).decode() == "<svg>é</svg>"


def test_a_page_holds_no_code_and_takes_no_text_for_html():
    printed = new_output("stream", name="stdout", text="\x1b[1m<script>1</script>\x1b[0m")
    failed = new_output("error", ename="E", evalue="<i>", traceback=["\x1b[31mE: <i>\x1b[0m"])
    plain = new_output("display_data", data={"text/plain": "<u>x</u>"})
    cells = [
        new_markdown_cell("Said."),
        new_code_cell("secret()", outputs=[printed, failed, plain]),
        new_raw_cell("<raw>"),
    ]
    html = render(new_notebook(cells=cells), Job("", Path(), Path(), {}, "Mine"))
    for said in ("Said.", "<script>1</script>", "E: <i>", "<u>x</u>", "<raw>"):
        assert said in text(html)
    assert "secret" not in html and "<script" not in html and "\x1b" not in html
    assert not links(html)


def test_what_is_not_needed_first_is_folded_under_what_is_inside(tmp_path):
    "A link to the section lands inside: a browser opens what it lies in."
    table = (
        "<table><thead><tr><th>a</th></tr></thead><tr><td>1</td></tr><tr><td>2</td></tr></table>"
    )
    outputs = [new_output("display_data", data={"text/html": table})]
    outputs.append(new_output("display_data", data={"image/svg+xml": "<svg>é</svg>"}))
    folded = {"metadata": {"tags": ["folded"]}}
    cells = [
        new_markdown_cell("# Mine"),
        new_markdown_cell("## Later & *less*\n\nWhy.", **folded),
        new_code_cell("secret()", outputs=outputs),
        new_markdown_cell("## First\n\nSeen."),
        new_markdown_cell("## Words alone", **folded),
    ]
    html = render(new_notebook(cells=cells), Job("", Path(), Path(), {}, "Mine"))
    shut = [e for e in elements(html) if e.tag == "details"]
    told = ["".join(e.find("summary").itertext()) for e in shut]
    assert told == ["Later & less a picture, a table of 2 rows", "Words alone text"]
    inside = "".join(shut[0].itertext())
    assert "Why." in inside and "2" in inside and "Seen." not in inside
    assert shut[0].find("div").get("id") == "Later-&-less" and "<script" not in html
