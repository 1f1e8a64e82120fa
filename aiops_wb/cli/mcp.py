"""A server of the Model Context Protocol, on standard input and output (extra mcp)."""

import sys

from .call import Call, alone, command

app = alone()


@command(app)
def mcp(call: Call):
    from ..mcp.house import House
    from ..mcp.server import create_server

    house = House(call.settings, call.now, call.who)
    if sys.stdin is not None and not sys.stdin.closed:  # else there is no client
        create_server(house).run("stdio")
