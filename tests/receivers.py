"""Receivers on this machine that tests send to: a mail server, an address of the web, one that
dribbles."""

import http.server
import socket
import threading
import time
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message

from aiosmtpd.controller import Controller


class Mailbox:
    "Keeps what it is sent, as parsed mails, or refuses who it is for."

    def __init__(self):
        self.mails: list[Message] = []
        self.refuses = False

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuses:
            return f"550 there is no {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"

    @property
    def texts(self):
        "What the mails say, as people read it."
        read = (mail.get_payload(decode=True).decode() for mail in self.mails)
        return [text.replace("\r\n", "\n").strip() for text in read]

    @property
    def subjects(self):
        return [str(mail["Subject"]) for mail in self.mails]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@contextmanager
def mail_server():
    "A mailbox, and the address of apprise that leads to it."
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield box, f"mailto://127.0.0.1:{controller.port}?from=wb@example.org&to=ops@example.org"
    finally:
        controller.stop()


class Watching(http.server.BaseHTTPRequestHandler):
    "Answers with some numbers, one after the other (0: hangs up), and keeps what was asked for."

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if not answer:
            return
        self.send_response(answer)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def web_server():
    "A server, which has `asked` and `answers`."
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Watching)
    server.asked, server.answers = [], []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def dribbling():
    "The port of a server that says a byte now and then, and never comes to an end."
    server, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def dribble(connection):
        try:
            while not over.is_set():
                connection.sendall(b"2")
                time.sleep(0.02)
        except OSError:
            pass

    def serve():
        try:
            while True:
                threading.Thread(target=dribble, args=(server.accept()[0],), daemon=True).start()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        server.close()


class Hearing(http.server.BaseHTTPRequestHandler):
    "Answers POSTs with some numbers, one after the other, and keeps headers and body of each."

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.headers, body))
        answer = self.server.answers.pop(0) if self.server.answers else self.server.usual
        self.send_response(answer)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def hearing_server():
    "A server that hears events: it has `heard`, `answers`, and `usual` where these are used up."
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hearing)
    server.heard, server.answers, server.usual = [], [], 204
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
