"""A player of the arena, like one of the two original clients, that shares no code with netsync.

Python 3, standard library only, written from a description of the protocol. It keeps what a server has
to live with. Both clients say JOIN once, never again, and acknowledge whatever asks for it, however
often it comes.

`--client fake`, the Python one: JOIN is a bare text; from WELCOME on it sends a random input now and
then, and never a heartbeat; one ACK for each number, at once; a datagram that it cannot read, or longer
than its buffer of 8,192 bytes, ends it.

`--client unity`: a heartbeat every 30 s, input when told; counts the first WELCOME only, and no
PLAYER_UPDATES before it; anything but an integer in a map it knows ends it, fields it does not know
are skipped, and as it misspells one, red is always 0; ACKs are sent frame by frame, all pending numbers
together, each of them ten times.

Whatever the client puts up with, each datagram is also measured against what the protocol asks of a
compatible server; the rest is reported as a violation, one for each fault.

It is driven by a program: one JSON object a line. Positions are as on the wire, in thousandths.

    in:  {"do": "input", "dx": -1..1, "dy": -1..1}
         {"do": "fire"}
         {"do": "heartbeat"}
         {"do": "raw", "hex": "..."}     send any datagram
         {"do": "pause"}                 neither read nor send, like behind the closed lid of a laptop
         {"do": "resume"}
         {"do": "where"}                 answer with all players it knows
         {"do": "quit"}, end of input    end the program, without a word
    out: {"event": "bound", "port"}
         {"event": "welcome", "number", "x", "y", "red", "green", "blue", "sequence", "bytes"}
         {"event": "world", "width", "height", "sequence", "bytes"}
         {"event": "players", "players": [{"number", "x", "y", "red", "green", "blue"}], "sequence",
          "bytes"}
         {"event": "left", "number", "needs_ack", "sequence", "bytes"}
         {"event": "bullets", "bullets": [{"x", "y", "rotation"}], "sequence", "bytes"}
         {"event": "unknown", "id", "sequence", "bytes"}
         {"event": "where", "number", "players"}
         {"event": "violation", "what", "hex", "bytes"}
         {"event": "died", "reason"}, and the exit status is 1

    python3 arena_player.py HOST PORT --client fake|unity [--speed SECONDS] [--seed N]
                            [--heartbeat SECONDS] [--mute-acks]
"""

import argparse
import json
import os
import queue
import random
import select
import socket
import struct
import sys
import threading
import time

JOIN, WELCOME, ACK, HEARTBEAT = 0, 1, 2, 3
PLAYER_UPDATES, PLAYER_LEFT = 11, 12
PLAYER_INPUT, PLAYER_FIRE = 20, 21
WORLD_INFO, BULLETS = 30, 35

BUFFER_BYTES = 8192
FRAME_S = 1 / 60

# ---- msgpack as it was before bin: byte strings and texts are one family, and read as bytes

# The first byte of the short form, the lengths it has room for, and the first byte with two more.
RAW = 0xA0, 32, 0xDA
ARRAY = 0x90, 16, 0xDC
MAP = 0x80, 16, 0xDE


def encode(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return encode_integer(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        return encode(value.encode("utf-8"))
    if isinstance(value, bytes):
        return encode_length(len(value), RAW) + value
    if isinstance(value, dict):
        pairs = (encode(name) + encode(each) for name, each in value.items())
        return encode_length(len(value), MAP) + b"".join(pairs)
    return encode_length(len(value), ARRAY) + b"".join(map(encode, value))


def encode_integer(number):
    if -32 <= number < 128:
        return bytes([number & 0xFF])
    negative = number < 0
    bits = (~number).bit_length() + 1 if negative else number.bit_length()
    power = next(power for power in range(4) if bits <= 8 << power)
    head = (0xD0 if negative else 0xCC) + power
    return bytes([head]) + number.to_bytes(1 << power, "big", signed=negative)


def encode_length(length, family):
    short, room, long = family
    if length < room:
        return bytes([short | length])
    if length < 1 << 16:
        return struct.pack(">BH", long, length)
    return struct.pack(">BI", long + 1, length)


def encode_message(id, payload, sequence=0, needs_ack=0):
    """`payload` are the bytes inside the byte string."""
    return encode([id, sequence, needs_ack, payload])


def decode(data, faults=None):
    """
    What is legible but not as the original writes it is added to `faults`.

    Raises ValueError when it is no msgpack, or not only one value.
    """
    reader = Reader(data, [] if faults is None else faults)
    try:
        value = reader.value()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if reader.at < len(data):
        raise ValueError(f"{len(data) - reader.at} bytes behind the end")
    return value


class Reader:
    def __init__(self, data, faults):
        self.at = 0
        self._data = data
        self._faults = faults

    def value(self):
        start = self.at
        head = self._number(1)
        if head < 0x80:
            return head
        if head >= 0xE0:
            return head - 0x100
        if head < 0x90:
            return self._map(head & 0x0F)
        if head < 0xA0:
            return self._array(head & 0x0F)
        if head < 0xC0:
            return self._bytes(head & 0x1F)
        if head in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[head]
        if head in (0xC4, 0xC5, 0xC6):
            self._faults.append("bytes in the bin family")
            return self._bytes(self._number(1 << head - 0xC4))
        if head in (0xCA, 0xCB):
            (number,) = struct.unpack(">f" if head == 0xCA else ">d", self._bytes(4 << head - 0xCA))
            self._faults.append(f"the float {number}")
            return number
        if 0xCC <= head <= 0xD3:
            number = self._number(1 << (head & 3), signed=head >= 0xD0)
            if self._data[start : self.at] != encode_integer(number):
                self._faults.append(f"the integer {number} not in the shortest form")
            return number
        if head == 0xD9:
            self._faults.append("bytes as str8")
            return self._bytes(self._number(1))
        for family, read in ((RAW, self._bytes), (ARRAY, self._array), (MAP, self._map)):
            if head - family[2] in (0, 1):
                length = self._number(2 << head - family[2])
                if self._data[start : self.at] != encode_length(length, family):
                    self._faults.append(f"the length {length} not in the shortest form")
                return read(length)
        raise ValueError(f"no value begins with 0x{head:02x}")

    def _bytes(self, length):
        taken = self._data[self.at : self.at + length]
        if len(taken) < length:
            raise ValueError("cut off")
        self.at += length
        return taken

    def _number(self, size, signed=False):
        return int.from_bytes(self._bytes(size), "big", signed=signed)

    def _array(self, length):
        return [self.value() for _ in range(length)]

    def _map(self, length):
        pairs = {}
        for _ in range(length):
            name = self.value()
            if isinstance(name, (list, dict)):
                raise ValueError("a name that is an array or a map")
            if name in pairs:
                self._faults.append(f"the field {name} twice")
            pairs[name] = self.value()
        return pairs


def decode_message(datagram):
    """The packet id, the sequence number, whether it wants an ACK, and the payload."""
    message = decode(datagram)
    if not isinstance(message, list) or len(message) < 4:
        raise ValueError("no array of four")
    return message[:4]


# ---- what a server owes


class Judge:
    """Measures all datagrams of one server to one client."""

    datagram_bytes_max = 1200
    sequence_max = 10_000
    player_fields = [b"uuid", b"colorRed", b"colorGreen", b"colorBlue", b"position"]
    world_fields = [b"width", b"height"]
    bullet_fields = [b"position", b"rotation"]
    world = {b"width": 20, b"height": 10}
    walls = 20_000, 10_000
    stops = 19_000, 9_000  # Nobody gets nearer to a wall, but may begin there.
    rotation_max = 3142
    needs_ack = {
        WELCOME: (1,),
        WORLD_INFO: (1,),
        PLAYER_UPDATES: (0,),
        PLAYER_LEFT: (0, 1),
        BULLETS: (0,),
    }

    def __init__(self):
        self._faults = []
        self._heard = set()  # Packet ids.
        self._welcome_sequence = None
        self._beginnings = {}  # Where each player was first.

    def faults(self, datagram):
        """Whatever is wrong with one more datagram, as texts."""
        self._faults = []
        length = len(datagram)
        self._demand(length <= self.datagram_bytes_max, f"a datagram of {length} bytes")
        try:
            message = decode(datagram, self._faults)
            four = isinstance(message, list) and len(message) == 4
            if self._demand(four, "no array of four"):
                self._on_message(*message)
        except ValueError as error:
            self._faults.append(f"illegible: {error}")
        return self._faults

    def _demand(self, right, otherwise):
        if not right:
            self._faults.append(otherwise)
        return right

    def _on_message(self, id, sequence, needs_ack, payload):
        head = id, sequence, needs_ack
        if not self._demand(self._integers(head), f"id, sequence and needs ack are {head}"):
            return
        self._demand(0 <= sequence <= self.sequence_max, f"the sequence number {sequence}")
        if not self._demand(id in self.needs_ack, f"the id {id}, which no server sends"):
            return
        self._demand(needs_ack in self.needs_ack[id], f"needs ack is {needs_ack} for id {id}")
        self._on_order(id, sequence)
        if not self._demand(isinstance(payload, bytes), f"the payload {payload}"):
            return
        content = decode(payload, self._faults)
        if id == WELCOME:
            self._beginnings.clear()
            self._on_player(content)
        elif id == WORLD_INFO:
            self._has_fields(content, self.world_fields)
            self._demand(content == self.world, f"the world {content}")
        elif id == PLAYER_LEFT:
            self._demand(self._integers([content]), f"the player number {content}")
        elif self._demand(isinstance(content, list), f"{content} is no array"):
            for each in content:
                self._on_player(each) if id == PLAYER_UPDATES else self._on_bullet(each)

    def _on_order(self, id, sequence):
        if not self._heard:
            self._demand(id == WELCOME, f"the first message has id {id}")
        elif WELCOME in self._heard and id not in self._heard and id != WORLD_INFO:
            self._demand(WORLD_INFO in self._heard, f"id {id} before WORLD_INFO")
        self._heard.add(id)
        if id == WELCOME:
            self._welcome_sequence = sequence
        elif id == WORLD_INFO:
            distinct = sequence != self._welcome_sequence
            self._demand(distinct, f"WELCOME and WORLD_INFO are both number {sequence}")

    def _on_player(self, player):
        if not self._has_fields(player, self.player_fields):
            return
        number, *colors, position = player.values()
        numbered = self._integers([number]) and number > 0
        self._demand(numbered, f"the player number {number}")
        right = self._integers(colors) and all(0 <= color <= 255 for color in colors)
        self._demand(right, f"the color {colors}")
        if not (self._is_position(position) and numbered):
            return
        beginning = self._beginnings.setdefault(number, position)
        limits = self.walls if position == beginning else self.stops
        inside = all(abs(value) <= limit for value, limit in zip(position, limits))
        self._demand(inside, f"player {number} is at {position}")

    def _on_bullet(self, bullet):
        if self._has_fields(bullet, self.bullet_fields) and self._is_position(bullet[b"position"]):
            rotation = bullet[b"rotation"]
            right = self._integers([rotation]) and abs(rotation) <= self.rotation_max
            self._demand(right, f"the rotation {rotation}")

    def _has_fields(self, value, fields):
        right = isinstance(value, dict) and list(value) == fields
        return self._demand(right, f"{value} does not have the fields {fields}, in this order")

    def _is_position(self, value):
        right = isinstance(value, list) and len(value) == 2 and self._integers(value)
        return self._demand(right, f"the position {value}")

    def _integers(self, values):
        return all(type(value) is int for value in values)


# ---- the clients


class Died(Exception):
    pass


class Client:
    """What both clients do. `tell(event, **facts)` hears what happens."""

    join_payload = b""

    def __init__(self, words, tell):
        self.server = socket.gethostbyname(words.host), words.port
        self.going = True
        self.paused = False
        self.number = None
        self.players = {}  # By number.
        self._words = words
        self._tell = tell
        self._judge = Judge()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("", 0))
        tell("bound", port=self._socket.getsockname()[1])

    # ---- what tells the clients apart

    def on_welcome(self, player):
        """Whether to report it."""
        raise NotImplementedError

    def on_ack_wanted(self, sequence):
        raise NotImplementedError

    def on_frame(self, now):
        raise NotImplementedError

    def ignores(self, id):
        return False

    def read_map(self, map):
        return map

    # ---- from the server

    def run(self, commands):
        self.send(JOIN, self.join_payload)
        while self.going:
            while not commands.empty():
                self.take(**commands.get())
            if self.paused:
                time.sleep(FRAME_S)
                continue
            if select.select([self._socket], [], [], FRAME_S)[0]:
                self._receive()
            self.on_frame(time.monotonic())

    def _receive(self):
        try:
            datagram, source = self._socket.recvfrom(65536)
        except ConnectionResetError:
            return  # Windows: an earlier datagram found nobody.
        if source != self.server:
            return
        for fault in self._judge.faults(datagram):
            self._tell("violation", what=fault, hex=datagram.hex(), bytes=len(datagram))
        try:
            self._on_datagram(datagram[:BUFFER_BYTES], len(datagram))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise Died(f"{type(error).__name__}: {error}") from error

    def _on_datagram(self, datagram, length):
        id, sequence, needs_ack, payload = decode_message(datagram)
        if needs_ack and not self._words.mute_acks:
            self.on_ack_wanted(sequence)
        if not self.ignores(id):
            self._on_message(id, payload, needs_ack, {"sequence": sequence, "bytes": length})

    def _on_message(self, id, payload, needs_ack, facts):
        if id == WELCOME:
            player = self.player_of(decode(payload))
            if self.on_welcome(player):
                self._tell("welcome", **player, **facts)
        elif id == WORLD_INFO:
            world = self.read_map(decode(payload))
            self._tell("world", width=world[b"width"], height=world[b"height"], **facts)
        elif id == PLAYER_UPDATES:
            players = [self.player_of(map) for map in decode(payload)]
            self.players.update((player["number"], player) for player in players)
            self._tell("players", players=players, **facts)
        elif id == PLAYER_LEFT:
            number = decode(payload)
            self.players.pop(number, None)
            self._tell("left", number=number, needs_ack=needs_ack, **facts)
        elif id == BULLETS:
            bullets = [(*map[b"position"], map[b"rotation"]) for map in decode(payload)]
            shown = [{"x": x, "y": y, "rotation": rotation} for x, y, rotation in bullets]
            self._tell("bullets", bullets=shown, **facts)
        else:
            self._tell("unknown", id=id, **facts)

    def player_of(self, map):
        map = self.read_map(map)
        x, y = map[b"position"]
        colors = {color: map[f"color{color.title()}".encode()] for color in ("red", "green", "blue")}
        return {"number": map[b"uuid"], "x": x, "y": y, **colors}

    # ---- to the server

    def send(self, id, payload):
        self.send_bytes(encode_message(id, payload))

    def send_bytes(self, datagram):
        self._socket.sendto(datagram, self.server)

    def send_input(self, dx, dy):
        self.send(PLAYER_INPUT, encode([dx, dy]))

    def send_heartbeat(self):
        self.send(HEARTBEAT, encode(1))

    # ---- from the program

    def take(self, do, **facts):
        if do == "quit":
            self.going = False
        elif do in ("pause", "resume"):
            self.paused = do == "pause"
        elif do == "where":
            self._tell("where", number=self.number, players=[*self.players.values()])
        elif self.paused:
            print(f"paused: no {do}", file=sys.stderr, flush=True)
        elif do == "input":
            self.send_input(facts["dx"], facts["dy"])
        elif do == "fire":
            self.send(PLAYER_FIRE, encode(0))
        elif do == "heartbeat":
            self.send_heartbeat()
        elif do == "raw":
            self.send_bytes(bytes.fromhex(facts["hex"]))
        else:
            print(f"what is {do!r}?", file=sys.stderr, flush=True)


class FakeClient(Client):
    join_payload = b"hello, world"

    def __init__(self, words, tell):
        super().__init__(words, tell)
        self._random = random.Random(words.seed)
        self._input_at = None

    def on_welcome(self, player):
        self.number = player["number"]
        self.players[self.number] = player
        if self._input_at is None and self._words.speed > 0:
            self._input_at = time.monotonic()
        return True

    def on_ack_wanted(self, sequence):
        self.send(ACK, encode([sequence]))

    def on_frame(self, now):
        if self._input_at is not None and now >= self._input_at:
            self.send_input(self._random.randint(-1, 1), self._random.randint(-1, 1))
            self._input_at = now + self._words.speed


class UnityClient(Client):
    join_payload = encode("Hello, world!")
    ack_times = 10
    # What it looks for, and what it has without.
    fields = {
        b"uuid": 0,
        b"coloRed": 0,
        b"colorGreen": 0,
        b"colorBlue": 0,
        b"position": [0, 0],
        b"width": 0,
        b"height": 0,
    }

    def __init__(self, words, tell):
        super().__init__(words, tell)
        self._acks = {}  # How often each number is still to be sent.
        self._frame_at = self._heartbeat_at = time.monotonic()
        self._heartbeat_at += words.heartbeat

    def on_welcome(self, player):
        if self.number is not None:
            return False
        self.number = player["number"]
        self.players[self.number] = player
        return True

    def on_ack_wanted(self, sequence):
        self._acks[sequence] = self.ack_times

    def on_frame(self, now):
        if now < self._frame_at:
            return
        self._frame_at = now + FRAME_S
        if self._acks:
            self.send(ACK, encode([*self._acks]))
            self._acks = {number: left - 1 for number, left in self._acks.items() if left > 1}
        if now >= self._heartbeat_at:
            self.send_heartbeat()
            self._heartbeat_at = now + self._words.heartbeat

    def ignores(self, id):
        return id == PLAYER_UPDATES and self.number is None

    def read_map(self, map):
        known = {name: value for name, value in map.items() if name in self.fields}
        for name, value in known.items():
            parts = value if name == b"position" else [value]
            if not all(type(part) is int for part in parts):
                raise ValueError(f"{value} is no integer, in the field {name.decode()}")
        return {**self.fields, **known, b"colorRed": known.get(b"coloRed", 0)}


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def read_commands(commands):
    """Runs in a thread: not every system can wait for the input and a socket at once."""
    for line in sys.stdin:
        commands.put(json.loads(line))
    commands.put({"do": "quit"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--client", choices=["fake", "unity"], required=True)
    parser.add_argument("--speed", type=float, default=1.0, help="fake: between inputs; 0: none")
    parser.add_argument("--seed", type=int, help="of the inputs, fake")
    parser.add_argument("--heartbeat", type=float, default=30.0, metavar="SECONDS", help="unity")
    parser.add_argument("--mute-acks", action="store_true", help="as if every ACK were lost")
    words = parser.parse_args()

    commands = queue.Queue()
    threading.Thread(target=read_commands, args=(commands,), daemon=True).start()
    client = {"fake": FakeClient, "unity": UnityClient}[words.client](words, tell)
    status = 0
    try:
        client.run(commands)
    except Died as death:
        tell("died", reason=str(death))
        status = 1
    sys.stderr.flush()
    os._exit(status)  # The thread may still hold the input.


if __name__ == "__main__":
    main()
