"""Events scored and decided anew, into day files in the log's own form (extras ml and spark)."""

from .arguments import Model
from .call import Call, alone, command
from .over import By, Files, From, Into, Over, Scorer, To, over

app = alone()


@command(app)
def score(
    call: Call,
    model: Model,
    start: From = None,
    end: To = None,
    files: Files = None,
    into: Into = None,
    version: Scorer = None,
    engine: By = "duckdb",
):
    over(call, "logged", Over(start, end, files, into, engine), model, version)
