"""The original client of the echo service, in what it sends and takes; it shares no code with netsync.

Python 3, standard library only, written from a description of the protocol. It says hello again and
again from the start, whether anybody listens or not; a payload is JSON text inside JSON text; it shows
what it gets and never parses it, and of a datagram it reads 8,192 bytes at most.

It is driven by a program: one JSON object a line.

    in:  {"do": "say", "payload": any}     send one message as the original encodes it
         {"do": "raw", "text": "..."}      send any datagram, a text or
         {"do": "raw", "hex": "..."}       bytes
         {"do": "quit"}, end of input      end the program, without a word
    out: {"event": "bound", "port"}
         {"event": "got", "text", "bytes"}

    python3 echo_client.py HOST PORT [--wait SECONDS] [--silent]
"""

import argparse
import itertools
import json
import os
import select
import socket
import sys
import threading
import time

BUFFER_BYTES = 8192


def message_of(payload):
    message = {"t": "message", "p": json.dumps(payload)}
    return (json.dumps(message) + "\n").encode("utf-8")


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def follow_commands(send):
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "say":
            send(message_of(command["payload"]))
        elif command["do"] == "raw" and "hex" in command:
            send(bytes.fromhex(command["hex"]))
        elif command["do"] == "raw":
            send(command["text"].encode("utf-8"))
        elif command["do"] == "quit":
            break
    os._exit(0)


def show(sock, server):
    try:
        datagram, source = sock.recvfrom(65536)
    except ConnectionResetError:
        return  # Windows: an earlier datagram found nobody.
    if source == server:
        read = datagram[:BUFFER_BYTES]
        tell("got", text=read.decode("utf-8", "replace"), bytes=len(read))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--wait", type=float, default=1.0, help="seconds between two messages")
    parser.add_argument("--silent", action="store_true", help="say only what is commanded")
    words = parser.parse_args()

    server = socket.gethostbyname(words.host), words.port
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 0))
    tell("bound", port=sock.getsockname()[1])

    def send(datagram):
        sock.sendto(datagram, server)

    threading.Thread(target=follow_commands, args=(send,), daemon=True).start()
    if words.silent:
        while True:
            show(sock, server)
    for number in itertools.count():
        send(message_of(f"hello, world {number}"))
        next_at = time.monotonic() + words.wait
        while (wait_s := next_at - time.monotonic()) > 0:
            if select.select([sock], [], [], wait_s)[0]:
                show(sock, server)


if __name__ == "__main__":
    main()
