"""An attacker on a server of the world protocol, to see what it sends back. Loopback only.

It takes source addresses of its own, 127.0.0.2 and on (on ::1, where there is but one, ports), sends
for a while, goes on reading for a moment, and acknowledges nothing of what it gets.

    --kind knock        one knock from each address, as if somebody had forged them; then it listens
    --kind knocks       knocks, from all addresses in turn
    --kind acks         ACKs of all numbers in turn, from addresses that never knocked
    --kind guesses      one knock from each address, then ACKs of all numbers in turn, as one would send
                        who cannot read what the server sends
    --kind rubbish      what is broken in one of many ways, and some that only looks so
    --kind never-acks   a knock with diffs from each address every 3 s, and pings between them

`--rate` is of datagrams a second, from all addresses together. At the end it prints, on one line:

    {"kind", "addresses", "seconds", "unsent",
     "sent": {"datagrams", "bytes", "bytes_max"},
     "received": {"datagrams", "bytes", "datagrams_max", "bytes_max", "first_s", "last_s"},
     "kinds": {kind: datagrams},
     "amplification": {"all", "max"}}

`_max` is of the address with the most, and amplification the bytes received for each byte sent, of all
and of the worst address; first_s and last_s are when, since the beginning.

    python3 world_flood.py HOST PORT --kind KIND [--seconds S] [--rate N] [--addresses K] [--seed N]
                           [--linger SECONDS]
"""

import argparse
import collections
import ipaddress
import json
import random
import selectors
import socket
import sys
import time

from world_client import ACK, NUMBERS, decode, encode, encode_ack, encode_json, kind_of

TURN_S = 0.005
KNOCK_EVERY_S = 3.0
ADDRESSES_MAX = 900  # Each takes a file descriptor.
KNOCK = encode_json({"type": "knock"})
KNOCK_WITH_DIFFS = encode_json({"type": "knock", "diffs": True})
PING = encode_json({})

# ---- who sends


class Address:
    def __init__(self, family, host):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.sequence = 0
        self.knocked_at = None
        self.datagrams_out = self.bytes_out = 0
        self.datagrams_in = self.bytes_in = 0

    def packet(self, text):
        datagram = encode(self.sequence, text)
        self.sequence = (self.sequence + 1) % NUMBERS
        return datagram

    def knock(self, text, now):
        self.knocked_at = now
        return self.packet(text)


def source_host(number):
    return f"127.0.{number // 250}.{2 + number % 250}"


def open_addresses(host, count):
    if host.version == 6:
        return [Address(socket.AF_INET6, "::1") for _ in range(count)]
    return [Address(socket.AF_INET, source_host(number)) for number in range(count)]


# ---- what they send: a datagram at a time, or None when this address has nothing to say


class Knock:
    def __init__(self, random):
        pass

    def next(self, address, now):
        return address.knock(KNOCK, now) if address.knocked_at is None else None


class Knocks:
    def __init__(self, random):
        pass

    def next(self, address, now):
        return address.packet(KNOCK)


class Acks:
    def __init__(self, random):
        pass

    def next(self, address, now):
        number = address.sequence
        address.sequence = (number + 1) % NUMBERS
        return encode_ack(number)


class Guesses(Acks):
    def next(self, address, now):
        if address.knocked_at is None:
            datagram = address.knock(KNOCK, now)
            address.sequence = 0
            return datagram
        return super().next(address, now)


class NeverAcks:
    def __init__(self, random):
        pass

    def next(self, address, now):
        if address.knocked_at is None or now - address.knocked_at >= KNOCK_EVERY_S:
            return address.knock(KNOCK_WITH_DIFFS, now)
        return address.packet(PING)


class Rubbish:
    payloads = [
        b"",
        b"[]",
        b"null",
        b"true",
        b"7",
        b'"knock"',
        b"{",
        b'{"type":NaN}',
        b'{"type":1e999}',
        b'{"type":[1]}',
        b'{"type":{}}',
        b'{"type":null}',
        b'{"type":"nonsense","x":1}',
        b'{"type":"__proto__"}',
        b'{"__proto__":{"type":"knock"}}',
        b'{"type":"debug","action":"gc"}',
        b'{"type":"\xff"}',
        b'{"type":"snap","id":1}',
        b'{"type":"knock"} x',
        b"[" * 1000,
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"x":"' + b"y" * 9000 + b'"}',
    ]

    def __init__(self, random):
        self._random = random
        self._ways = [self._noise, self._short, self._odd_payload, self._wrong_length]
        self._ways += [self._wrong_digest, self._ack_with_type, self._ack_with_flags]

    def next(self, address, now):
        return self._random.choice(self._ways)(address)

    def _noise(self, _address):
        return self._random.randbytes(self._random.randint(21, 1400))

    def _short(self, address):
        return address.packet(KNOCK)[: self._random.randint(0, 20)]

    def _odd_payload(self, address):
        return address.packet(self._random.choice(self.payloads))

    def _wrong_length(self, address):
        datagram = address.packet(KNOCK)
        return datagram[:-1] if self._random.random() < 0.5 else datagram + b" "

    def _wrong_digest(self, address):
        datagram = bytearray(address.packet(KNOCK))
        datagram[self._random.randint(2, 17)] ^= self._random.randint(1, 255)
        return bytes(datagram)

    def _ack_with_type(self, _address):
        return encode(self._random.randrange(NUMBERS), KNOCK, ACK)

    def _ack_with_flags(self, _address):
        return encode(self._random.randrange(NUMBERS), b"{}", self._random.randrange(256) | ACK)


KINDS = {
    "knock": Knock,
    "knocks": Knocks,
    "acks": Acks,
    "guesses": Guesses,
    "rubbish": Rubbish,
    "never-acks": NeverAcks,
}

# ---- the flood


class Flood:
    def __init__(self, words):
        self._words = words
        self._target = str(words.host), words.port
        self._addresses = open_addresses(words.host, words.addresses)
        self._kind = KINDS[words.kind](random.Random(words.seed))
        self._turn = 0
        self._unsent = 0
        self._kinds = collections.Counter()
        self._first_at = self._last_at = None
        self._selector = selectors.DefaultSelector()
        for address in self._addresses:
            self._selector.register(address.socket, selectors.EVENT_READ, address)

    def run(self):
        began_at = time.monotonic()
        due = 0
        while (past_s := time.monotonic() - began_at) < self._words.seconds:
            while due < past_s * self._words.rate and time.monotonic() - began_at < past_s + TURN_S:
                self._send_one()
                due += 1
            self._receive(TURN_S)
        until = time.monotonic() + self._words.linger
        while (left_s := until - time.monotonic()) > 0:
            self._receive(left_s)
        return self._report(began_at)

    def _send_one(self):
        address = self._addresses[self._turn]
        self._turn = (self._turn + 1) % len(self._addresses)
        datagram = self._kind.next(address, time.monotonic())
        if datagram is None:
            return
        try:
            address.socket.sendto(datagram, self._target)
        except (BlockingIOError, ConnectionError):
            self._unsent += 1
            return
        address.datagrams_out += 1
        address.bytes_out += len(datagram)

    def _receive(self, seconds_max):
        """Waits for as long, unless something comes."""
        for key, _ in self._selector.select(seconds_max):
            address = key.data
            try:
                datagram, source = address.socket.recvfrom(65536)
            except (BlockingIOError, ConnectionError):
                continue
            if source[:2] != self._target:
                continue
            self._last_at = time.monotonic()
            self._first_at = self._first_at or self._last_at
            address.datagrams_in += 1
            address.bytes_in += len(datagram)
            try:
                self._kinds[kind_of(decode(datagram))] += 1
            except ValueError:
                self._kinds["rubbish"] += 1

    def _report(self, began_at):
        all = self._addresses
        bytes_out = sum(each.bytes_out for each in all)
        bytes_in = sum(each.bytes_in for each in all)
        worst = max((each.bytes_in / each.bytes_out for each in all if each.bytes_out), default=0)

        def since(at):
            return None if at is None else round(at - began_at, 3)

        return {
            "kind": self._words.kind,
            "addresses": len(all),
            "seconds": round(time.monotonic() - began_at, 3),
            "unsent": self._unsent,
            "sent": {
                "datagrams": sum(each.datagrams_out for each in all),
                "bytes": bytes_out,
                "bytes_max": max(each.bytes_out for each in all),
            },
            "received": {
                "datagrams": sum(each.datagrams_in for each in all),
                "bytes": bytes_in,
                "datagrams_max": max(each.datagrams_in for each in all),
                "bytes_max": max(each.bytes_in for each in all),
                "first_s": since(self._first_at),
                "last_s": since(self._last_at),
            },
            "kinds": dict(self._kinds),
            "amplification": {
                "all": round(bytes_in / bytes_out, 3) if bytes_out else 0,
                "max": round(worst, 3),
            },
        }


def loopback(text):
    """An address that is written out: a name may lead anywhere."""
    address = ipaddress.ip_address(text)
    right = address in ipaddress.ip_network("127.0.0.0/8") if address.version == 4 else text == "::1"
    if not right:
        raise argparse.ArgumentTypeError(f"{text} is not on the loopback")
    return address


def address_count(text):
    count = int(text)
    if not 1 <= count <= ADDRESSES_MAX:
        raise argparse.ArgumentTypeError(f"1 to {ADDRESSES_MAX} addresses")
    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host", type=loopback, help="127.x.x.x or ::1")
    parser.add_argument("port", type=int)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="datagrams a second, of all")
    parser.add_argument("--addresses", type=address_count, default=20)
    parser.add_argument("--seed", type=int, help="of the rubbish")
    parser.add_argument("--linger", type=float, default=0.5, metavar="SECONDS", help="of reading")
    words = parser.parse_args()

    print(json.dumps(Flood(words).run()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
