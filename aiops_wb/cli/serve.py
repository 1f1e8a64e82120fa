"""Pages and the API, until it is told to stop (extra api)."""

from typing import Annotated

import typer

from ..api.app import create_app
from ..api.server import listening, require_token_elsewhere, run
from .call import Call, alone, command

app = alone()


@command(app)
def serve(
    call: Call,
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="address to listen at; one that other machines reach needs a token "
            "('aiops-wb tokens make')",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="port; 0 takes a free one")
    ] = 8765,
    take_in: Annotated[
        bool,
        typer.Option(
            help="take in what is handed in as soon as nobody else writes; without it whoever "
            "writes next does"
        ),
    ] = True,
):
    settings = call.settings
    served = create_app(
        settings.data, settings, clock=call.now, who=call.who, host=host, take_in=take_in
    )
    require_token_elsewhere(served.state.desk)
    with listening(host, port) as at:
        run(served, at, call.say, call.quiet)
