"""What is moved by hand in a notebook of JupyterLab, VS Code or marimo (extra `[lab]`).

`explorer` moves over every threshold of a model and proposes one; `front` is what runs in the
browser, the script and the look of the report's slider; `chosen` reads what it moves over from the
newest snapshot, `handed_in` gives a proposal to the one writer.
"""
