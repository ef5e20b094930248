"""A client of the world protocol that shares no code with netsync.

Python 3, standard library only, written from a description of the protocol. It sends nothing by itself
but ACKs, and never a knock before it is told to.

`--client original` does on the wire what the original does, faults included: IPv4 only; of a datagram
it reads 8,192 bytes; what has a right header and is JSON is acknowledged at once, whatever it is; then
it looks at the type, also of an ACK. A snap sets all five properties, whatever its time; all other
types are a warning; nothing is ever removed. Its own physics is left out: the mirror is what was
received last.

`--client diffs` knocks with diffs, keeps the mirror by the rules for packets out of order, removes
what is removed or older than `synced`, and begins anew with another universe. It acknowledges objects
only, and takes an ACK for an ACK only.

`--judge` measures each datagram of the server, before `--loss` takes its share, against what the
protocol and netsync's additions ask of a server; the rest is reported as a violation, one for each
fault. It takes it that nothing on the way delays, nor doubles unless `--doubling` says so. Numbers that
are missing are no violation, but counted. What may come before the first ACK is seen of a client that
was told to mute before it knocked; the others have acknowledged before they read on.

It is driven by a program: one JSON object a line.

    in:  {"do": "knock"}                 "diffs": true or false instead of what the client would say
         {"do": "stop"}
         {"do": "ping"}                  an empty object
         {"do": "send", "payload": {...}}    or "text": "..."; "flags": 0; "sequence": N instead of the
                                         next, which is kept for the one after
         {"do": "raw", "hex": "..."}     any datagram
         {"do": "mute"}                  acknowledge no more, but go on reading
         {"do": "unmute"}
         {"do": "mirror"}                answer with all objects
         {"do": "statistics"}            answer with what came and went
         {"do": "quit"}, end of input    end the program, without a word
    out: {"event": "ready", "port"}
         {"event": "acked", "sequence", "rtt_ms"}    rtt_ms is null for what was not sent
         {"event": "remove" | "full", "sequence", "bytes", "payload"}
         {"event": "snap" | "diff" | "heartbeat", "sequence", "bytes", "payload"}    with --verbose
         {"event": "universe", "universe", "before"}
         {"event": "gone", "ids", "synced"}    diffs: dropped as they are older than `synced`
         {"event": "synced", "synced"}    diffs: the first one in a universe
         {"event": "mirror", "objects": {id: {"velocity", "angularVelocity", "quaternion", "position",
          "mass", "traits"}}, "time", "total", "universe"}    the newest time; what snaps said last
         {"event": "statistics", "in": {kind: {"packets", "bytes"}}, "out": ..., "lost_in", "lost_out",
          "unacked", "missing", "late", "repeated"}    the last three with --judge only; in and out are
                                         what was on the wire, so without lost_out, but with lost_in
         {"event": "refused", "reason", "hex"}    neither acknowledged nor looked at
         {"event": "warning", "what"}
         {"event": "violation", "what", "hex"}

    Of a datagram the first 1,500 bytes are shown.

    python3 world_client.py HOST PORT [--client original|diffs] [--loss SHARE] [--seed N]
                            [--judge [--doubling]] [--verbose]
"""

import argparse
import collections
import hashlib
import json
import math
import os
import queue
import random
import re
import select
import socket
import struct
import sys
import threading
import time
import traceback

BUFFER_BYTES = 8192
SHOWN_BYTES_MAX = 1500
RECEIVE_BUFFER_BYTES = 1 << 20
DATAGRAMS_AT_ONCE = 64
NUMBERS = 65_536

HEADER = struct.Struct(">H16sBH")
HASH_BLANK = b"0" * 16
ACK = 1
ACK_PAYLOAD = b"{}"

FIVE = {"velocity": 3, "angularVelocity": 3, "quaternion": 4, "position": 3, "mass": None}

# ---- the format

Packet = collections.namedtuple("Packet", "sequence flags text payload")


def digest_of(sequence, flags, length):
    return hashlib.md5(HEADER.pack(sequence, HASH_BLANK, flags, length)).digest()


def encode(sequence, text, flags=0):
    """A datagram, `text` being bytes. Raises struct.error when it would be longer than 65,535 bytes."""
    length = HEADER.size + len(text)
    return HEADER.pack(sequence, digest_of(sequence, flags, length), flags, length) + text


def encode_ack(sequence):
    return encode(sequence, ACK_PAYLOAD, ACK)


def encode_json(value):
    """As the original writes it, with a newline."""
    return json.dumps(value).encode() + b"\n"


def decode(datagram):
    """
    Checks what the original checks, in its order, and so takes NaN, arrays and null.

    Raises ValueError.
    """
    if len(datagram) < HEADER.size:
        raise ValueError(f"{len(datagram)} bytes are shorter than the header")
    sequence, digest, flags, length = HEADER.unpack_from(datagram)
    if length != len(datagram):
        raise ValueError(f"the length field says {length}, not {len(datagram)}")
    if digest != digest_of(sequence, flags, length):
        raise ValueError("wrong digest")
    text = datagram[HEADER.size :]
    try:
        return Packet(sequence, flags, text, json.loads(text.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the payload is not JSON: {error}") from error


def number_ahead(number, other):
    return (number - other) % NUMBERS


def is_after(number, other):
    return 0 < number_ahead(number, other) < NUMBERS // 2


# ---- values


def is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def is_integer(value):
    return type(value) is int and abs(value) < 1 << 53


def is_one_of_five(name, value):
    length = FIVE[name]
    if length is None:
        return is_number(value)
    return isinstance(value, list) and len(value) == length and all(map(is_number, value))


def is_snapshot(value):
    return (
        isinstance(value, list)
        and len(value) == len(FIVE)
        and all(is_one_of_five(name, part) for name, part in zip(FIVE, value))
    )


def is_id_text(text):
    return re.fullmatch(r"0|[1-9][0-9]{0,15}", text, re.ASCII) is not None


# ---- what a server owes


class Numbers:
    """The sequence numbers of one server, as they come."""

    remembered_max = 1000
    beginning_max = 50  # That many may come out of order before the one that came first.

    def __init__(self):
        self.late = 0
        self.repeated = 0
        self.may_restart = False
        self._given_up = 0
        self._missing = set()
        self.restart()

    @property
    def missing(self):
        return self._given_up + len(self._missing)

    def restart(self):
        """Numbers may begin anywhere."""
        self._given_up += len(self._missing)
        self._missing.clear()
        self._newest = None
        self._before = 0
        self._texts = collections.OrderedDict()

    def is_double(self, sequence, text):
        return self._texts.get(sequence) == text

    def fault(self, sequence, text):
        """Whatever is wrong with the number of one more packet."""
        fault = self._take(sequence, text)
        if fault and self.may_restart:
            self.may_restart = False
            self.restart()
            fault = self._take(sequence, text)
        return fault

    def _take(self, sequence, text):
        if sequence in self._texts:
            self.repeated += 1
            if self._texts[sequence] == text:
                return None
            return f"the number {sequence} again, with another payload"
        if self._newest is None:
            self._newest = sequence
            self._before = self.beginning_max
        else:
            ahead = number_ahead(sequence, self._newest)
            if 0 < ahead <= self.remembered_max:
                self._missing.update((self._newest + step) % NUMBERS for step in range(1, ahead))
                self._newest = sequence
            elif sequence in self._missing:
                self._missing.discard(sequence)
                self.late += 1
            elif self._before and number_ahead(self._newest, sequence) <= self.remembered_max:
                self._before -= 1
                self.late += 1
            else:
                return f"the number {sequence} after {self._newest}"
        self._texts[sequence] = text
        if len(self._texts) > self.remembered_max:
            self._texts.popitem(last=False)
            self._before = 0
        self._give_up()
        return None

    def _give_up(self):
        old = [
            number
            for number in self._missing
            if number_ahead(self._newest, number) > self.remembered_max
        ]
        self._missing.difference_update(old)
        self._given_up += len(old)


class Judge:
    """Measures all datagrams of one server to one client, and has to hear of all that go to it."""

    datagram_bytes_max = 1200
    ack_bytes = 23
    unacked_s_max = 12.0  # After 10 s the server drops the client; the rest is for its timers.
    stopped_s_max = 0.5
    repeats_max = 10
    growth_min = 1.05
    fields = {
        "snap": ({"type", "id", "time", "snapshot", "total", "universe"}, {"initial", "traits"}),
        "diff": ({"type", "time", "diff", "universe"}, set()),
        "remove": ({"type", "time", "ids", "universe"}, set()),
        "heartbeat": ({"type", "time", "tick", "tickRate", "universe"}, {"synced"}),
        "full": ({"type"}, set()),
    }

    def __init__(self, doubling=False):
        self.numbers = Numbers()
        self._doubling = doubling
        self._faults = []
        # To the server.
        self._owed = collections.Counter()  # ACKs, by sequence number.
        self._settled = set()  # Sequence numbers of which an ACK came.
        self._stops = set()  # Sequence numbers.
        self._knocks = 0
        self._knocked_at = None
        self._asked_diffs = False
        self._acked = False
        self._acked_at = None
        self._stopped_at = None
        self._stopped = False
        # From the server.
        self._received = set()  # Sequence numbers.
        self._universe = None
        self._universes = set()
        self._begin_address()
        self._begin_universe()

    def _begin_address(self):
        """As the server knows this client only by its knock."""
        self._acked = False
        self._first = None  # What comes before the first ACK.
        self._first_times = []

    def _begin_universe(self):
        self._synced_number = None  # Of the first heartbeat with it.
        self._snaps = {}  # Sequence and time of the newest of each object.
        self._removed = {}  # Times.

    # ---- to the server

    def on_sent(self, datagram, now):
        try:
            packet = decode(datagram)
        except ValueError:
            return
        sequence, payload = packet.sequence, packet.payload
        if packet.flags & ACK:
            if sequence in self._received:
                self._acked = True
                self._acked_at = now
            return
        self._owed[sequence] += 1
        kind = payload.get("type") if isinstance(payload, dict) else None
        if kind == "knock":
            self._on_knock(payload, now)
        elif kind == "stop":
            self._stops.add(sequence)
            self._stopped = True

    def _on_knock(self, payload, now):
        heard_at = self._acked_at or self._knocked_at
        dropped = heard_at is not None and now - heard_at > self.unacked_s_max
        if dropped:
            self._begin_address()
        if dropped or self._stopped:
            self.numbers.may_restart = True
            self._asked_diffs = False
        self._asked_diffs = self._asked_diffs or payload.get("diffs") is True
        self._stops.clear()
        self._stopped = False
        self._stopped_at = None
        self._knocks += 1
        self._knocked_at = now
        self._synced_number = None

    # ---- from the server

    def faults(self, datagram, now):
        """Whatever is wrong with one more datagram, as texts."""
        self._faults = []
        length = len(datagram)
        self._demand(length <= self.datagram_bytes_max, f"a datagram of {length} bytes")
        try:
            packet = decode(datagram)
        except ValueError as error:
            self._faults.append(str(error))
            return self._faults
        self._demand(packet.flags in (0, ACK), f"the flags {packet.flags}")
        if packet.flags & ACK:
            self._on_ack(packet, length, now)
        elif not (self._doubling and self.numbers.is_double(packet.sequence, packet.text)):
            self._on_normal(packet, now)
        return self._faults

    def _demand(self, right, otherwise):
        if not right:
            self._faults.append(otherwise)
        return right

    def _on_ack(self, packet, length, now):
        sequence = packet.sequence
        right = length == self.ack_bytes and packet.text == ACK_PAYLOAD
        self._demand(right, f"an ACK of {length} bytes with {packet.text[:40]!r}")
        if self._owed[sequence] > 0:
            self._owed[sequence] -= 1
            self._settled.add(sequence)
        elif sequence not in self._settled:
            self._faults.append(f"an ACK of {sequence}, which was not sent")
        else:
            self._demand(self._doubling, f"an ACK of {sequence} more often than it was sent")
        if sequence in self._stops:
            self._stops.discard(sequence)
            self._stopped_at = now

    def _on_normal(self, packet, now):
        payload = self._strict(packet.text)
        if not self._demand(isinstance(payload, dict), "the payload is no object"):
            return
        kind = payload.get("type")
        full = kind == "full"
        past = self._on_universe(payload)
        if not past and not full:
            fault = self.numbers.fault(packet.sequence, packet.text)
            self._demand(not fault, fault)
        if not full:
            self._received.add(packet.sequence)
        self._on_permission(payload, full, now)
        if not self._demand(isinstance(kind, str) and kind in self.fields, f"the type {kind}"):
            return
        needed, possible = self.fields[kind]
        lacking = sorted(needed - payload.keys())
        more = sorted(payload.keys() - needed - possible)
        self._demand(not lacking, f"{kind} lacks {', '.join(lacking)}")
        self._demand(not more, f"{kind} has {', '.join(more)}")
        if "universe" in payload:
            universe = payload["universe"]
            self._demand(is_number(universe), f"the universe {universe}")
        if not lacking and not past:
            getattr(self, f"_on_{kind}")(payload, packet.sequence)

    def _strict(self, text):
        """The payload, which is JSON, but maybe not what each reader of JSON takes."""

        def no_constant(name):
            self._faults.append(f"the number {name}")
            return 0

        def no_twin(pairs):
            value = dict(pairs)
            self._demand(len(value) == len(pairs), f"a field twice in {[name for name, _ in pairs]}")
            return value

        def finite(digits):
            self._demand(math.isfinite(float(digits)), f"the number {digits[:40]}")
            return float(digits)

        payload = json.loads(
            text.decode("utf-8"),
            parse_constant=no_constant,
            parse_float=finite,
            object_pairs_hook=no_twin,
        )
        try:
            json.dumps(payload, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            self._faults.append("half a surrogate pair")
        return payload

    def _on_universe(self, payload):
        """Whether it is of a universe that has ended."""
        universe = payload.get("universe")
        if not is_number(universe) or universe == self._universe:
            return False
        if universe in self._universes:
            return True
        if self._universe is not None:
            self._begin_universe()
            self._begin_address()
            self.numbers.restart()
        self._universe = universe
        self._universes.add(universe)
        return False

    def _on_permission(self, payload, full, now):
        """To send us anything at all."""
        if not self._demand(self._knocked_at is not None, "a packet, but there was no knock"):
            return
        if full:
            self._knocks -= 1
            self._demand(self._knocks >= 0 or self._doubling, "more full than knocks")
            return
        unacked_s = now - max(self._acked_at or 0, self._knocked_at)
        limit_s = self.unacked_s_max
        self._demand(unacked_s <= limit_s, f"a packet {unacked_s:.1f} s after the last ACK or knock")
        if self._stopped_at is not None:
            stopped_s = now - self._stopped_at
            self._demand(stopped_s <= self.stopped_s_max, f"a packet {stopped_s:.1f} s after the stop")
        if not self._acked:
            self._on_first(payload, now)

    def _on_first(self, payload, now):
        this = payload.get("type"), payload.get("id")
        right = this[0] in ("snap", "heartbeat") if isinstance(this[0], str) else False
        self._demand(right, f"{this[0]} before the first ACK")
        if self._first and self._first[0] == "snap":
            self._demand(this == self._first, f"{this} after {self._first} before the first ACK")
        self._first = this
        times = self._first_times
        times.append(now)
        self._demand(len(times) <= self.repeats_max, f"{len(times)} packets before the first ACK")
        if len(times) >= 3:
            before_s, this_s = times[-2] - times[-3], times[-1] - times[-2]
            grows = this_s >= before_s * self.growth_min
            what = f"repeated after {before_s:.3f} s and {this_s:.3f} s, before the first ACK"
            self._demand(grows, what)

    # ---- the messages

    def _on_snap(self, snap, sequence):
        id = snap["id"]
        if not self._is_id(id) or not self._is_time(snap["time"]):
            return
        self._demand(is_snapshot(snap["snapshot"]), f"the snapshot {snap['snapshot']}")
        total = snap["total"]
        self._demand(is_integer(total) and total >= 1, f"the total {total}")
        if "initial" in snap:
            self._demand(snap["initial"] is True, f"initial is {snap['initial']}")
            synced = self._synced_number is not None and is_after(sequence, self._synced_number)
            self._demand(not synced, "initial after the first sync")
        if "traits" in snap:
            traits = snap["traits"]
            if self._demand(isinstance(traits, dict) and traits, f"the traits {traits}"):
                of_five = sorted(traits.keys() & FIVE.keys())
                self._demand(not of_five, f"{of_five} in the traits")
        self._on_order(id, snap["time"], sequence)

    def _on_order(self, id, time, sequence):
        self._on_not_removed(id, time)
        before_sequence, before_time = self._snaps.get(id, (sequence, time))
        if is_after(sequence, before_sequence):
            what = f"a snap of {id} with time {time} after one with {before_time}"
            self._demand(time >= before_time, what)
        if id not in self._snaps or is_after(sequence, before_sequence):
            self._snaps[id] = sequence, time

    def _on_diff(self, message, _sequence):
        self._demand(self._asked_diffs, "a diff that was not asked for")
        diff = message["diff"]
        right = isinstance(diff, dict) and diff
        if not self._is_time(message["time"]) or not self._demand(right, f"the diff {diff}"):
            return
        for text, traits in diff.items():
            if self._demand(is_id_text(text), f"the id {text!r}"):
                self._on_not_removed(int(text), message["time"])
            if not self._demand(isinstance(traits, dict) and traits, f"{text}: {traits}"):
                continue
            for name in FIVE.keys() & traits.keys():
                right = is_one_of_five(name, traits[name])
                self._demand(right, f"{text}: the {name} {traits[name]}")

    def _on_not_removed(self, id, time):
        removed = self._removed.get(id, math.inf)
        self._demand(time <= removed, f"the id {id} at {time}, removed at {removed}")

    def _on_remove(self, message, _sequence):
        ids, time = message["ids"], message["time"]
        right = isinstance(ids, list) and ids
        if not self._is_time(time) or not self._demand(right, f"the ids {ids}"):
            return
        if all([self._is_id(id) for id in ids]):
            self._demand(len(set(ids)) == len(ids), f"an id twice in {ids}")
            for id in ids:
                self._removed[id] = max(time, self._removed.get(id, time))

    def _on_heartbeat(self, message, sequence):
        time, rate = message["time"], message["tickRate"]
        self._demand(is_number(time) and 1e9 < time < 1e10, f"the unix time {time}")
        self._demand(is_number(rate) and rate >= 0, f"the tick rate {rate}")
        if not self._is_time(message["tick"]) or "synced" not in message:
            return
        synced = message["synced"]
        if self._is_time(synced):
            self._demand(synced <= message["tick"], f"synced at {synced}, at {message['tick']}")
            if self._synced_number is None:
                self._synced_number = sequence

    def _on_full(self, message, _sequence):
        pass

    def _is_id(self, id):
        return self._demand(is_integer(id) and id >= 0, f"the id {id}")

    def _is_time(self, time):
        return self._demand(is_integer(time) and time >= 0, f"the tick {time}")


# ---- the clients


class Client:
    """What both clients do. `tell(event, **facts)` hears what happens."""

    family = socket.AF_UNSPEC
    knock_with_diffs = False

    def __init__(self, words, tell):
        self.going = True
        self.muted = False
        self._words = words
        self._tell = tell
        self._judge = Judge(words.doubling) if words.judge else None
        self._random = random.Random(words.seed)
        self._sequence = 0
        self._unacked = {}  # Times.
        self._in = collections.defaultdict(lambda: [0, 0])
        self._out = collections.defaultdict(lambda: [0, 0])
        self._lost_in = 0
        self._lost_out = 0
        found = socket.getaddrinfo(words.host, words.port, self.family, socket.SOCK_DGRAM)
        family, type, protocol, _, self._server = found[0]
        self._socket = socket.socket(family, type, protocol)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.bind(("", 0))
        self._socket.setblocking(False)
        tell("ready", port=self._socket.getsockname()[1])

    # ---- what tells the clients apart

    def is_owed_ack(self, packet):
        raise NotImplementedError

    def on_unknown_ack(self, sequence):
        raise NotImplementedError

    def on_packet(self, packet, facts):
        """After the ACK. What it raises is a warning."""
        raise NotImplementedError

    def mirror(self):
        raise NotImplementedError

    # ---- from the server

    def run(self, commands):
        """Until it is told to quit. There is no timer: the client does nothing by itself."""
        while self.going:
            ready = select.select([self._socket, commands.waking], [], [])[0]
            if self._socket in ready:
                for _ in range(DATAGRAMS_AT_ONCE):
                    if not self._receive():
                        break
            if commands.waking in ready:
                for command in commands.take():
                    if self.going:
                        self.take(command)

    def _receive(self):
        try:
            datagram, source = self._socket.recvfrom(65536)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True  # Windows: an earlier datagram found nobody.
        if source[:2] != self._server[:2]:
            self._count(self._in, "foreign", datagram)
            self._tell("warning", what=f"a datagram from {source[:2]}")
            return True
        if self._judge:
            for fault in self._judge.faults(datagram, time.monotonic()):
                self._tell("violation", what=fault, hex=shown(datagram))
        lost = self._is_lost()
        self._lost_in += lost
        try:
            packet = decode(datagram[:BUFFER_BYTES])
        except ValueError as error:
            self._count(self._in, "refused", datagram)
            if not lost:
                self._tell("refused", reason=str(error), hex=shown(datagram))
            return True
        self._count(self._in, kind_of(packet), datagram)
        if not lost:
            self._on_packet(packet, len(datagram))
        return True

    def _on_packet(self, packet, length):
        sequence = packet.sequence
        if packet.flags & ACK:
            sent_at = self._unacked.pop(sequence, None)
            if sent_at is None:
                self.on_unknown_ack(sequence)
            rtt_ms = None if sent_at is None else round((time.monotonic() - sent_at) * 1000, 3)
            self._tell("acked", sequence=sequence, rtt_ms=rtt_ms)
        elif not self.muted and self.is_owed_ack(packet):
            self._send_datagram(encode_ack(sequence), "ack")
        try:
            self.on_packet(packet, {"sequence": sequence, "bytes": length})
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            self._tell("warning", what=f"{type(error).__name__}: {error}")

    def _is_lost(self):
        return self._random.random() < self._words.loss

    def _count(self, counts, kind, datagram):
        counts[kind][0] += 1
        counts[kind][1] += len(datagram)

    # ---- to the server

    def send(self, text, flags=0, sequence=None):
        if sequence is None:
            sequence = self._sequence
            if not flags & ACK:
                self._sequence = (sequence + 1) % NUMBERS
        datagram = encode(sequence, text, flags)
        if not flags & ACK:
            self._unacked[sequence] = time.monotonic()
        self._send_datagram(datagram)

    def _send_datagram(self, datagram, kind=None):
        if self._is_lost():
            self._lost_out += 1
            return
        try:
            self._socket.sendto(datagram, self._server)
        except OSError as error:
            self._tell("warning", what=f"unsent: {error.strerror or error}")
            return
        if kind is None:
            try:
                kind = kind_of(decode(datagram))
            except ValueError:
                kind = "rubbish"
        self._count(self._out, kind, datagram)
        if self._judge:
            self._judge.on_sent(datagram, time.monotonic())

    # ---- from the program

    def take(self, command):
        try:
            self._take(**command)
        except (ValueError, TypeError, LookupError, struct.error) as error:
            self._tell("warning", what=f"{command}: {error}")

    def _take(self, do, **facts):
        if do == "quit":
            self.going = False
        elif do == "knock":
            diffs = {"diffs": True} if facts.get("diffs", self.knock_with_diffs) else {}
            self.send(encode_json({"type": "knock", **diffs}))
        elif do == "stop":
            self.send(encode_json({"type": "stop"}))
        elif do == "ping":
            self.send(encode_json({}))
        elif do == "send":
            text = facts["text"].encode() if "text" in facts else encode_json(facts["payload"])
            self.send(text, facts.get("flags", 0), facts.get("sequence"))
        elif do == "raw":
            self._send_datagram(bytes.fromhex(facts["hex"]))
        elif do in ("mute", "unmute"):
            self.muted = do == "mute"
        elif do == "mirror":
            self._tell("mirror", **self.mirror())
        elif do == "statistics":
            self._tell("statistics", **self._statistics())
        else:
            raise ValueError("no such command")

    def _statistics(self):
        def named(counts):
            return {kind: {"packets": n, "bytes": size} for kind, (n, size) in counts.items()}

        facts = {
            "in": named(self._in),
            "out": named(self._out),
            "lost_in": self._lost_in,
            "lost_out": self._lost_out,
            "unacked": len(self._unacked),
        }
        if self._judge:
            numbers = self._judge.numbers
            facts.update(missing=numbers.missing, late=numbers.late, repeated=numbers.repeated)
        return facts


class OriginalClient(Client):
    family = socket.AF_INET

    def __init__(self, words, tell):
        self._bodies = {}
        self._time = None
        self._total = None
        self._universe = None
        super().__init__(words, tell)

    def is_owed_ack(self, packet):
        return True

    def on_unknown_ack(self, sequence):
        self._tell("warning", what=f"an ACK of {sequence}, which was not sent")

    def on_packet(self, packet, facts):
        payload = packet.payload
        kind = payload.get("type")
        if kind is None:
            return
        hash(kind)
        if kind != "snap":
            self._tell("warning", what=f"the type {kind}", **facts)
            return
        velocity, angular_velocity, quaternion, position, mass = payload["snapshot"]
        x, y, z = velocity
        x, y, z = angular_velocity
        w, x, y, z = quaternion
        x, y, z = position
        time = payload["time"]
        five = velocity, angular_velocity, quaternion, position, mass
        self._bodies[payload["id"]] = dict(zip(FIVE, five))
        # The rest is nothing to the original, but to who drives it.
        self._time = time if self._time is None else max(time, self._time)
        self._total = payload.get("total", self._total)
        self._universe = payload.get("universe", self._universe)
        if self._words.verbose:
            self._tell("snap", **facts, payload=payload)

    def mirror(self):
        objects = {str(id): {**body, "traits": {}} for id, body in self._bodies.items()}
        facts = {"time": self._time, "total": self._total, "universe": self._universe}
        return {"objects": objects, **facts}


class Thing:
    """An object of the world, shown once a snap of it came."""

    def __init__(self):
        self.snap_time = None
        self.values = {}  # With the time of each.

    def on_snap(self, time, values):
        if self.snap_time is not None and time < self.snap_time:
            return  # All that it has, and all that it lacks, is known of a later time.
        self.snap_time = time
        later = {name: known for name, known in self.values.items() if known[1] > time}
        self.values = {name: (value, time) for name, value in values.items()}
        self.values.update(later)

    def on_diff(self, time, values):
        if self.snap_time is not None and time <= self.snap_time:
            return
        for name, value in values.items():
            if name not in self.values or time > self.values[name][1]:
                self.values[name] = value, time

    def shown(self):
        values = {name: value for name, (value, _) in self.values.items()}
        five = {name: values.pop(name) for name in FIVE}
        return {**five, "traits": values}


class DiffsClient(Client):
    knock_with_diffs = True

    def __init__(self, words, tell):
        self._universe = None
        self._universes = set()
        self._begin_universe(None)
        super().__init__(words, tell)

    def _begin_universe(self, universe):
        self._universe = universe
        self._universes.add(universe)
        self._things = {}
        self._removed = set()
        self._synced = None
        self._time = None
        self._total = None
        self._total_time = -1

    def is_owed_ack(self, packet):
        return isinstance(packet.payload, dict)

    def on_unknown_ack(self, sequence):
        pass

    def on_packet(self, packet, facts):
        if packet.flags & ACK:
            return
        payload = packet.payload
        kind = payload.get("type")
        if kind is None:
            return
        if kind == "full":
            self._tell("full", **facts, payload=payload)
            return
        if kind not in ("snap", "diff", "remove", "heartbeat"):
            self._tell("warning", what=f"the type {kind}", **facts)
            return
        if self._is_past(payload.get("universe")):
            self._tell("warning", what=f"{kind} of a universe that has ended", **facts)
            return
        if self._words.verbose or kind == "remove":
            self._tell(kind, **facts, payload=payload)
        time = payload.get("tick") if kind == "heartbeat" else payload["time"]
        if time is not None:
            if not is_integer(time):
                raise ValueError(f"the tick {time}")
            self._time = time if self._time is None else max(time, self._time)
        getattr(self, f"_on_{kind}")(payload)

    def _is_past(self, universe):
        if universe == self._universe:
            return False
        if universe in self._universes:
            return True
        before = self._universe
        self._begin_universe(universe)
        self._tell("universe", universe=universe, before=before)
        return False

    def _on_snap(self, snap):
        id, time, snapshot = snap["id"], snap["time"], snap["snapshot"]
        if not is_integer(id) or not is_snapshot(snapshot):
            raise ValueError(f"the snapshot {snapshot} of {id}")
        if "total" in snap and time >= self._total_time:
            self._total, self._total_time = snap["total"], time
        if id in self._removed or (self._synced is not None and time < self._synced):
            # What is older than synced is known with a later snap, or gone.
            return
        values = {**snap.get("traits", {}), **dict(zip(FIVE, snapshot))}
        self._things.setdefault(id, Thing()).on_snap(time, values)

    def _on_diff(self, message):
        for text, values in message["diff"].items():
            id = int(text)
            for name in FIVE.keys() & values.keys():
                if not is_one_of_five(name, values[name]):
                    raise ValueError(f"the {name} {values[name]} of {id}")
            if id not in self._removed:
                self._things.setdefault(id, Thing()).on_diff(message["time"], values)

    def _on_remove(self, message):
        for id in message["ids"]:
            self._removed.add(id)
            self._things.pop(id, None)

    def _on_heartbeat(self, message):
        synced = message.get("synced")
        if synced is None:
            return
        if self._synced is None:
            self._tell("synced", synced=synced)
        elif synced <= self._synced:
            return
        self._synced = synced
        gone = [
            id
            for id, thing in self._things.items()
            if thing.snap_time is not None and thing.snap_time < synced
        ]
        if gone:
            self._tell("gone", ids=gone, synced=synced)
        for id in gone:
            self._removed.add(id)
            del self._things[id]

    def mirror(self):
        things = self._things.items()
        objects = {str(id): thing.shown() for id, thing in things if thing.snap_time is not None}
        facts = {"time": self._time, "total": self._total, "universe": self._universe}
        return {"objects": objects, **facts}


def kind_of(packet):
    if packet.flags & ACK:
        return "ack"
    if not isinstance(packet.payload, dict):
        return "no object"
    kind = packet.payload.get("type", "untyped" if packet.payload else "ping")
    return kind if isinstance(kind, str) else "unknown"


def shown(datagram):
    return datagram[:SHOWN_BYTES_MAX].hex()


# ---- the program that drives it


class Commands:
    """Lines of the input, read by a thread: not every system can wait for the input and a socket."""

    def __init__(self):
        self._queue = queue.Queue()
        self.waking, self._waker = socket.socketpair()
        self.waking.setblocking(False)
        threading.Thread(target=self._read, daemon=True).start()

    def take(self):
        """All that came since."""
        try:
            self.waking.recv(4096)
        except BlockingIOError:
            pass
        while True:
            try:
                yield self._queue.get_nowait()
            except queue.Empty:
                return

    def _read(self):
        try:
            for line in sys.stdin.buffer:
                self._put(json.loads(line))
        finally:
            self._put({"do": "quit"})

    def _put(self, command):
        self._queue.put(command)
        self._waker.send(b"!")


def run_to_end(run):
    """And end the program: not by itself, as the thread may still hold the input."""
    status = 1
    try:
        run()
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def tell(event, **facts):
    try:
        line = json.dumps({"event": event, **facts}, allow_nan=False)
    except ValueError:
        line = json.dumps(without_nan({"event": event, **facts}), allow_nan=False)
    print(line, flush=True)


def without_nan(value):
    """NaN and the infinities, which the original takes, as texts."""
    if isinstance(value, dict):
        return {name: without_nan(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--client", choices=["original", "diffs"], default="original")
    parser.add_argument("--loss", type=float, default=0.0, metavar="SHARE", help="both ways, 0 to 1")
    parser.add_argument("--seed", type=int, help="of the loss")
    parser.add_argument("--judge", action="store_true", help="report what a server must not do")
    parser.add_argument("--doubling", action="store_true", help="datagrams may come twice")
    parser.add_argument("--verbose", action="store_true", help="report each packet")
    words = parser.parse_args()

    commands = Commands()
    client = {"original": OriginalClient, "diffs": DiffsClient}[words.client](words, tell)
    run_to_end(lambda: client.run(commands))


if __name__ == "__main__":
    main()
