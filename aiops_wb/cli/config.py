"""The settings and where each comes from."""

from ..config import sources
from .arguments import AsJson
from .call import Call, alone, command
from .output import show

app = alone()


@command(app)
def config(call: Call, as_json: AsJson = False):
    rows = [
        {"name": name, "value": value if as_json else _text(value), "source": source}
        for name, value, source in sources(**call.chosen)
    ]
    files = {row["source"] for row in rows if row["source"].startswith("file ")}
    total = f"{len(rows)} settings, " + (", ".join(sorted(files)) or "no file of settings")
    show(rows, "{name} = {value}  ({source})".format_map, total, as_json)


def _text(value):
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
