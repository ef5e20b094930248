"""How the original message server behaves on the wire, faults included, for clients to meet.

Written from a description of its behaviour. Its faults, which a client has to live with: it accepts one
connection a tick; at every tick it takes one read of up to 1,024 bytes of each client for one message;
what its decoder cannot take ends it; the body ends at a second percent sign and a value at a colon; what
finds no room in the buffers is not sent again; when a client has gone, the next one in the list is
passed over for a tick. With `--socket linux` it waits in the read of each client until that speaks.

Its application answers a message that has the header `handshake`, and passes one that has the header
`broadcast` on to all others, with the headers and the body as it read them.

It is driven by a program: one JSON object a line, obeyed at the end of a tick.

    in:  {"do": "broadcast", "headers": [["name", "value"], ...], "body": "..."}
         {"do": "burst", "count": N}     N messages to all, numbered from 0, each in a write of its own,
                                         without a gap
         {"do": "quit"}, end of input    end the program, 2 s later at most
    out: {"event": "listening", "port"}
         {"event": "connection", "address": [IP, PORT]}
         {"event": "message", "address", "headers": [["name", "value"], ...], "body"}
         {"event": "disconnect", "address"}
         {"event": "died", "reason"}, and the exit status is 1

    python3 original_messages_server.py [--port N] [--socket windows|linux] [--tick-rate N]
"""

import argparse
import os
import queue
import socket
import sys
import threading
import time

from messages_client import MESSAGE_BYTES_MAX, decode_as_original, encode, read_commands, tell


class Client:
    def __init__(self, sock, address):
        self.socket = sock
        self.address = address

    def send(self, data):
        try:
            self.socket.send(data)  # The original does not look at how much went.
        except OSError:
            pass  # The original returns false.


class Server:
    """`on_message(server, client, headers, body)` is the application."""

    def __init__(self, listener, blocking, on_message):
        self._listener = listener
        self._blocking = blocking
        self._on_message = on_message
        self._clients = []

    def tick(self):
        self._accept()
        for client in self._clients:  # Which _read may change.
            self._read(client)

    def broadcast(self, data, exclusions=()):
        for client in self._clients:
            if client not in exclusions:
                client.send(data)

    def _accept(self):
        try:
            sock, address = self._listener.accept()
        except BlockingIOError:
            return
        sock.setblocking(self._blocking)
        self._clients.append(Client(sock, address))
        tell("connection", address=address)

    def _read(self, client):
        try:
            data = client.socket.recv(MESSAGE_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._clients.remove(client)
            client.socket.close()
            tell("disconnect", address=client.address)
            return
        headers, body = decode_as_original(data)
        tell("message", address=client.address, headers=headers, body=body)
        self._on_message(self, client, headers, body)


def answer(server, client, headers, body):
    """The application. Looking a header up fails in the original: it walks the list itself."""
    names = [name for name, _ in headers]
    if "handshake" in names:
        client.send(encode([["handshake", "example"]], "Hello from the server!"))
    if "broadcast" in names:
        server.broadcast(encode(headers, body), exclusions=[client])


def serve(server, commands, tick_s):
    while True:
        next_at = time.monotonic() + tick_s
        server.tick()
        while not commands.empty():
            command = commands.get()
            if command["do"] == "broadcast":
                server.broadcast(encode(command["headers"], command["body"]))
            elif command["do"] == "burst":
                for number in range(command["count"]):
                    server.broadcast(encode([["n", str(number)]], f"b{number}"))
            elif command["do"] == "quit":
                return
        time.sleep(max(0, next_at - time.monotonic()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--socket", choices=["windows", "linux"], default="windows")
    parser.add_argument("--tick-rate", type=float, default=120.0, help="ticks a second")
    words = parser.parse_args()

    commands = queue.Queue()
    threading.Thread(target=read_commands, args=(commands,), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", words.port))
    listener.setblocking(False)
    tell("listening", port=listener.getsockname()[1])
    server = Server(listener, words.socket == "linux", answer)
    status = 0
    try:
        serve(server, commands, 1 / words.tick_rate)
    except ValueError as error:
        tell("died", reason=str(error))
        status = 1
    sys.stderr.flush()
    os._exit(status)  # The thread may still hold the input.


if __name__ == "__main__":
    main()
