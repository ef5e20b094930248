"""How the original SimpleNetSync 3 server behaves on the wire, faults included, for clients to meet.

Written from a description of its behaviour. Its faults, which a client has to live with:
an id reply is sent once only; the first state is not broadcast; the states of the departed stay; who
was dropped is heard once more and then taken for a stranger; without changes nobody gets anything; one
state that is not ASCII ends it.

Prints {"port": N} and serves until its input ends.

    python3 original_server.py [--port PORT] [--lose-replies N]
"""

import argparse
import json
import os
import socket
import sys
import threading
import time

TIMEOUT_S = 10.0


def pack(number):
    return number.to_bytes(8, "little", signed=True)


class Client:
    def __init__(self, address, id, number):
        self.address = address
        self.id = id
        self.number = number
        self.heard_at = time.monotonic()


class Server:
    def __init__(self, sock, lose_replies):
        self.sock = sock
        self.replies_to_lose = lose_replies
        self.next_id = 0
        self.next_number = 1
        self.unverified = {}  # By address: the id.
        self.clients = []
        self.states = {}

    def on_datagram(self, datagram, address):
        number = int.from_bytes(datagram[:8], "little", signed=True)
        client = next((client for client in self.clients if client.address == address), None)
        if client:
            self.on_client(client, number, datagram[8:])
        elif address in self.unverified:
            if number >= 0:
                self.on_first_state(number, datagram[8:], address)
        elif number == -1:
            self.on_id_request(address)

    def on_id_request(self, address):
        self.unverified[address] = self.next_id
        self.next_id += 1
        if self.replies_to_lose > 0:
            self.replies_to_lose -= 1
            return
        self.sock.sendto(pack(-1) + pack(self.unverified[address]), address)

    def on_first_state(self, number, state, address):
        client = Client(address, self.unverified.pop(address), number)
        self.clients.append(client)
        self.states[str(client.id)] = state.decode("ascii")

    def on_client(self, client, number, state):
        self.drop_silent()
        client.heard_at = time.monotonic()
        if number <= client.number:
            return
        client.number = number
        self.states[str(client.id)] = state.decode("ascii")
        self.broadcast()

    def drop_silent(self):
        for client in self.clients:  # Removing from the list that is gone through: one is skipped.
            if time.monotonic() - client.heard_at > TIMEOUT_S:
                self.clients.remove(client)

    def broadcast(self):
        text = json.dumps(self.states, separators=(",", ":"))
        for client in self.clients:
            self.sock.sendto(pack(self.next_number) + text.encode("ascii"), client.address)
        self.next_number += 1


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lose-replies", type=int, default=0)
    words = parser.parse_args()
    threading.Thread(target=end_with_input, daemon=True).start()
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", words.port))
    print(json.dumps({"port": sock.getsockname()[1]}), flush=True)
    server = Server(sock, words.lose_replies)
    while True:
        try:
            datagram, address = sock.recvfrom(65536)
        except ConnectionResetError:
            continue  # Windows: an earlier datagram found nobody.
        server.on_datagram(datagram, address)


if __name__ == "__main__":
    main()
