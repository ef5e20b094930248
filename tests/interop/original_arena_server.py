"""How the original arena server behaves on the wire, faults included, for clients to meet.

Written from a description of its behaviour. Its faults, which a client has to live with: any datagram
of an unknown address makes a player, even an empty one; one counter numbers everything for everybody;
what is not acknowledged is sent again every 2 s, all of it, the newest first, and what had number 0
comes back under another one; anyone can acknowledge for anyone; only who moves is in PLAYER_UPDATES,
which goes to each player as a datagram of its own, however long; PLAYER_LEFT is sent once; inputs are
taken at their word, so that one is as fast as one says; an input that is no pair of numbers ends the
server at its next tick, as does PLAYER_FIRE.

Prints {"event": "listening", "port": N} and serves until its input ends, or {"event": "crashed",
"reason": ...} comes, with exit status 1.

    python3 original_arena_server.py PORT [--tick-rate N] [--timeout SECONDS] [--seed N]
"""

import argparse
import json
import os
import random
import select
import socket
import sys
import threading
import time

from arena_player import (
    ACK,
    BUFFER_BYTES,
    PLAYER_FIRE,
    PLAYER_INPUT,
    PLAYER_LEFT,
    PLAYER_UPDATES,
    WELCOME,
    WORLD_INFO,
    decode,
    decode_message,
    encode,
    encode_message,
)

SEQUENCE_MAX = 10_000
RESEND_S = 2.0
CHECK_S = 0.5
WORLD = {"width": 20, "height": 10}
BEGINNING_MAX = 10  # On both axes, so that one may begin nearer to a wall than one can move.
UNITS_PER_S = 10


class Player:
    def __init__(self, number, address, random):
        self.number = number
        self.address = address
        self.heard_at = time.monotonic()
        self.color = [random.randint(0, 255) for _ in range(3)]
        self.position = [random.uniform(-BEGINNING_MAX, BEGINNING_MAX) for _ in range(2)]
        self.input = [0, 0]
        self.fired = False

    def map(self):
        red, green, blue = self.color
        return {
            "uuid": self.number,
            "colorRed": red,
            "colorGreen": green,
            "colorBlue": blue,
            "position": [int(value * 1000) for value in self.position],
        }

    def moves(self):
        return self.input != [0, 0]

    def move(self, seconds):
        dx, dy = self.input
        for axis, (step, size) in enumerate(zip((dx, dy), WORLD.values())):
            moved = self.position[axis] + step * UNITS_PER_S * seconds
            self.position[axis] = max(1 - size, min(size - 1, moved))


class Unacknowledged:
    def __init__(self, player, id, sequence, payload):
        self.player = player
        self.id = id
        self.sequence = sequence
        self.payload = payload
        self.sent_at = time.monotonic()


class Server:
    def __init__(self, sock, timeout, random):
        self._socket = sock
        self._timeout = timeout
        self._random = random
        self._players = {}  # By address.
        self._departed = []
        self._unacknowledged = []
        self._next_number = 1
        self._next_sequence = 0
        self._check_at = 0.0

    # ---- from the clients

    def on_datagram(self, datagram, address):
        if address not in self._players:
            self._welcome(address)
        player = self._players[address]
        player.heard_at = time.monotonic()
        try:
            id, _, _, payload = decode_message(datagram)
            self._on_message(player, int(id), payload)  # "0" and 0.9 are as good as 0.
        except (ValueError, TypeError, OverflowError):
            pass  # The original prints it.

    def _welcome(self, address):
        player = self._players[address] = Player(self._next_number, address, self._random)
        self._next_number += 1
        self._send(player, WELCOME, player.map(), needs_ack=1)
        self._send(player, WORLD_INFO, WORLD, needs_ack=1)

    def _on_message(self, player, id, payload):
        if id == ACK:
            numbers = list(decode(payload))
            kept = [each for each in self._unacknowledged if each.sequence not in numbers]
            self._unacknowledged = kept
        elif id == PLAYER_INPUT:
            player.input = decode(payload)
        elif id == PLAYER_FIRE:
            player.fired = True

    def check_silence(self):
        now = time.monotonic()
        if now < self._check_at:
            return
        self._check_at = now + CHECK_S
        for player in self._players.values():
            if now - player.heard_at > self._timeout:
                self._departed.append(player)

    # ---- to the clients

    def tick(self, seconds):
        self._send_departed()
        self._send_movers(seconds)
        if any(player.fired for player in self._players.values()):
            raise AttributeError("the bullet has no rotation")
        self._send_again()

    def _send_departed(self):
        for departed in self._departed:
            self._send_all(PLAYER_LEFT, departed.number)
        for departed in self._departed:
            del self._players[departed.address]
        self._departed.clear()

    def _send_movers(self, seconds):
        movers = [player for player in self._players.values() if player.moves()]
        for player in movers:
            player.move(seconds)
        if movers:
            self._send_all(PLAYER_UPDATES, [player.map() for player in movers])

    def _send_again(self):
        now = time.monotonic()
        if any(now - each.sent_at > RESEND_S for each in self._unacknowledged):
            # What is sent again is entered again: the next time the order is the other way round.
            again, self._unacknowledged = self._unacknowledged[::-1], []
            for each in again:
                if self._players.get(each.player.address) is each.player:
                    self._send(each.player, each.id, each.payload, 1, each.sequence)

    def _send_all(self, id, payload):
        for player in self._players.values():
            self._send(player, id, payload)

    def _send(self, player, id, payload, needs_ack=0, sequence=None):
        if not sequence:  # Which 0 is taken for, too.
            sequence = self._next_sequence
            self._next_sequence = 0 if sequence == SEQUENCE_MAX else sequence + 1
        if needs_ack:
            self._unacknowledged.append(Unacknowledged(player, id, sequence, payload))
        datagram = encode_message(id, encode(payload), sequence, needs_ack)
        self._socket.sendto(datagram, player.address)


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def serve(sock, server, tick_s):
    ticked_at = time.monotonic()
    while True:
        wait_s = ticked_at + tick_s - time.monotonic()
        if wait_s > 0:
            if select.select([sock], [], [], wait_s)[0]:
                receive(sock, server)
            continue
        now = time.monotonic()
        server.check_silence()
        server.tick(now - ticked_at)
        ticked_at = now


def receive(sock, server):
    try:
        datagram, address = sock.recvfrom(65536)
    except ConnectionResetError:
        return  # Windows: an earlier datagram found nobody.
    server.on_datagram(datagram[:BUFFER_BYTES], address)


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--tick-rate", type=float, default=60.0, help="ticks a second")
    parser.add_argument("--timeout", type=float, default=35.0, help="seconds of silence")
    parser.add_argument("--seed", type=int, help="of colors and positions")
    words = parser.parse_args()
    threading.Thread(target=end_with_input, daemon=True).start()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", words.port))
    tell("listening", port=sock.getsockname()[1])
    server = Server(sock, words.timeout, random.Random(words.seed))
    try:
        serve(sock, server, 1 / words.tick_rate)
    except Exception as error:  # Whatever it is, the original ends with it.
        tell("crashed", reason=f"{type(error).__name__}: {error}")
        os._exit(1)  # The thread still holds the input.


if __name__ == "__main__":
    main()
