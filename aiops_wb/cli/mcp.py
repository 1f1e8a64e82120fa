"""A server of the Model Context Protocol, on standard input and output (extra mcp)."""

from ..mcp.house import House
from ..mcp.server import create_server
from .call import Call, alone, command

app = alone()


@command(app)
def mcp(call: Call):
    call.settings.data.exists()  # a path that cannot be looked at is said before a client waits
    create_server(House(call.settings, call.now, call.who)).run("stdio")
