"""The log in one line: a model by its name, and every question to it.

`found` finds data and settings, `published` the newest snapshot, and notices a newer one; `model`
has the questions, which `events`, `figures`, `moved`, `explained`, `lived` and `comparison` ask of
what the package knows already; `answers` are what they give: a sentence, a table, a drawing, a
file. `sql` asks the same snapshot in SQL, `magic` in a cell of a notebook.
"""
