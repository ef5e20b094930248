"""A hole-punching peer that behaves like the original, Holepunch.gd, and shares no code with netsync.

Python 3, standard library only, written from a description of the protocol. It keeps what a server has
to live with: everything hangs on one tick; in dialect 1 only the inquiry to the local address is tried
again, and a reliable message is sent three times and given up although it was answered; any error of
the server ends the session; the server is known by the very text of its address, so a host name never
matches. One thing it does better: it reports the reliable messages it gets, where the original's
signal is misspelt.

It is driven by a program: one JSON object a line.

    in:  {"do": "send" | "reliable", "to": NAME, "message": any}
         {"do": "list"}                  dialect 2: ask for the names of the hosts
         {"do": "drop", "peer": NAME}    forget a peer
         {"do": "leave"}                 end the session; dialect 2 tells the server and the peers
         {"do": "quit"}, end of input    end the program, without a word
    out: {"event": "bound" | "registered" | "refreshed" | "introduced" | "peer_confirmed" | "message" |
                   "receipt" | "reliable_message_timeout" | "peer_check_timeout" | "peer_dropped" |
                   "peer_handshake_timeout" | "server_error" | "connection_terminated" | "servers" |
                   "packet", ...}
"""

import argparse
import asyncio
import hashlib
import json
import random
import string
import sys
import threading

SERVER = "_HANDSHAKE_SERVER"
WAIT_TICKS = 15  # Between two registrations, and between two checks of a peer.
HISTORY = 20  # So many reliable messages of a peer are remembered, in dialect 1.


def number_of(text):
    """Godot reads every number as a float and writes whole ones without a point."""
    number = float(text)
    return int(number) if number.is_integer() else number


def read_object(datagram):
    try:
        message = json.loads(datagram.decode("utf-8"), parse_float=number_of)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def write_object(message):
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def hash_of(message, password):
    counted = {"password": password, **message}
    counted.pop("__hash-string", None)
    texts = sorted(value for value in counted.values() if isinstance(value, str))
    text = "".join(sorted(counted)) + "".join(texts)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def address_of(value):
    ip, port = value
    return ip, int(port)


class Peer:
    def __init__(self, name, global_address, local_address):
        self.name = name
        self.global_address = global_address
        self.local_address = local_address
        self.address = None  # The one in use, once an inquiry is answered.
        self.used_global = None
        self.next_id = 0
        self.heard_ids = []

    def use(self, used_global):
        self.used_global = used_global
        self.address = self.global_address if used_global else self.local_address

    def info(self):
        return {
            "global-address": self.global_address,
            "local-address": self.local_address,
            "use-global": self.used_global,
        }


class Request:
    """A message that wants an answer: sent now, again at every tick, and given up after so many."""

    def __init__(self, send, give_up):
        self.send = send
        self.give_up = give_up
        self.sent = 1
        send()


class Dialect1(asyncio.DatagramProtocol):
    """The session, and how dialect 1 puts it on the wire. `tell(event, **facts)` hears what happens."""

    attempts = 3
    inquiry = "local-global-inqury"
    inquiry_response = "local-global-inquiry-response"

    def __init__(self, words, tell):
        self.name = words.name
        self.hosting = words.host
        self.host = words.name if words.host else words.join
        self.server = (words.server_ip, words.server_port)
        self.going = True
        self.peers = {}
        self._words = words
        self._tell = tell
        self._registered = False
        self._requests = {}  # By kind, peer and whatever else tells them apart.
        self._waits = {}  # The same; the ticks left and what to do then.

    def connection_made(self, transport):
        self._transport = transport
        self.local = transport.get_extra_info("sockname")[:2]
        self._tell("bound", port=self.local[1])
        if self.hosting:
            self.register()
        elif self.host is not None:
            self._request(("join", None), self.send_join, self.end)

    def error_received(self, error):
        pass  # Some systems report here that nobody listens.

    # ---- what dialect 2 does otherwise

    def local_fields(self):
        if self._words.documented:
            return {"local-ip": self.local[0], "local-port": self.local[1]}
        return {"local-address": self.local}

    def to_server(self, type, fields):
        names = {"sender": self.name, "intended-recipient": ""}
        self._send(self.server, {"type": type, **fields, **names})

    def to_peer(self, type, fields, name, address):
        names = {"sender": self.name, "intended-recipient": name}
        self._send(address, {**fields, "type": type, **names})

    def send_registration(self):
        seconds = {"seconds-before-expiry": self._words.expiry}
        self.to_server("registering-server", {**self.local_fields(), **seconds})

    def send_join(self):
        join = {**self.local_fields(), "server-name": self.host}
        self.to_server("requesting-to-join-server", join)

    def open(self, message, source):
        """Whether to take the message: its type and the peer it is from, None for the server."""
        if source == self.server:
            return message.get("type"), None
        peer = self._peer_at(message.get("sender"), source)
        if peer and message.get("intended-recipient") == self.name:
            return message.get("type"), peer
        return None

    def answer(self, message, peer, source):
        # The object that came, with three fields replaced: whatever else was in it goes back.
        asked = message["type"]
        type = self.inquiry_response if asked == self.inquiry else f"{asked}-response"
        self.to_peer(type, message, peer.name, source)

    def inquiry_key(self, peer, used_global):
        return ("inquiry", peer.name)  # The second replaces the first, so only that is repeated.

    def message_fields(self, peer, message):
        return {"message": message}

    def is_new(self, peer, id):
        if id in peer.heard_ids:
            return False
        if len(peer.heard_ids) < HISTORY:  # Beyond, nothing is remembered.
            peer.heard_ids.append(id)
        return True

    def take_receipt(self, peer, id):
        return True  # And the message is sent again all the same.

    def on_confirmed(self, peer):
        pass

    def on_lost(self, peer):
        pass

    def say_goodbye(self, peers):
        pass

    # ---- from the server

    def datagram_received(self, datagram, source):
        message = read_object(datagram) if self.going else None
        taken = message and self.open(message, source[:2])
        if not taken:
            return
        if self._words.verbose:
            self._tell("packet", packet=message)
        type, peer = taken
        if peer:
            self.on_peer(type, message, peer, source[:2])
        else:
            self.on_server(type, message)

    def on_server(self, type, message):
        if type in ("confirming-registration", "confirming-registration-refresh"):
            if self._settle("register", None):
                self._tell("refreshed" if self._registered else "registered")
                self._registered = True
                self._waits["register", None] = [WAIT_TICKS, self.register]
        elif type == "providing-peer-handshake-info":
            self._settle("join", None)
            self.introduce(message)
        elif type == "server-error":
            self._tell("server_error", message=message.get("message"))
            self.end()
        elif type == "providing-server-list" and self._settle("list", None):
            self._tell("servers", servers=message.get("servers"))

    def register(self):
        self._request(("register", None), self.send_registration, self.end)

    def introduce(self, message):
        try:
            name = message["peer-name"]
            addresses = address_of(message["global-address"]), address_of(message["local-address"])
            known = name in self.peers
        except (KeyError, TypeError, ValueError):
            return
        if known:
            return
        peer = self.peers[name] = Peer(name, *addresses)
        self._tell("introduced", peer=name, **{"global": addresses[0], "local": addresses[1]})
        for used_global, address in zip((True, False), addresses):
            fields = (self.inquiry, {"used-global": used_global}, name, address)
            self._request(
                self.inquiry_key(peer, used_global),
                lambda fields=fields: self.to_peer(*fields),
                lambda: self.lose(peer, "peer_handshake_timeout"),
            )

    # ---- between peers

    def on_peer(self, type, message, peer, source):
        if type in (self.inquiry, "peer-check"):
            self.answer(message, peer, source)
        elif type == self.inquiry_response:
            self._settle("inquiry", peer.name)
            if peer.address is None:
                self.confirm(peer, bool(message.get("used-global")))
        elif type == "peer-check-response":
            if self._settle("check", peer.name):
                self._check_later(peer)
        elif type == "unreliable-peer-message":
            self._report(message, peer, False)
        elif type == "reliable-peer-message":
            self.answer(message, peer, source)
            if self.is_new(peer, message.get("message-id")):
                self._report(message, peer, True)
        elif type == "reliable-peer-message-response":
            id = message.get("message-id")
            if self.take_receipt(peer, id):
                self._tell("receipt", peer=peer.name, id=id, message=message.get("message"))

    def confirm(self, peer, used_global):
        peer.use(used_global)
        self._tell("peer_confirmed", peer=peer.name, address=peer.address, used_global=used_global)
        self._check_later(peer)
        self.on_confirmed(peer)

    def lose(self, peer, event):
        """A host loses only the peer; for a joiner the session ends with the host."""
        self._forget(peer)
        self._tell(event, peer=peer.name)
        if peer.name == self.host:
            self.end()
        else:
            self.on_lost(peer)

    def end(self):
        self.going = False
        self.peers.clear()
        self._requests.clear()
        self._waits.clear()
        self._transport.close()
        self._tell("connection_terminated")

    # ---- from the program

    def send(self, to, message):
        peer = self._confirmed(to)
        if peer:
            fields = self.message_fields(peer, message)
            self.to_peer("unreliable-peer-message", fields, peer.name, peer.address)

    def reliable(self, to, message):
        peer = self._confirmed(to)
        if not peer:
            return
        id = peer.next_id
        peer.next_id += 1
        fields = {**self.message_fields(peer, message), "message-id": id}
        self._request(
            ("reliable", peer.name, id),
            lambda: self.to_peer("reliable-peer-message", fields, peer.name, peer.address),
            lambda: self._tell("reliable_message_timeout", peer=peer.name, id=id),
        )

    def list(self):
        raise SystemExit("there is no list of servers in dialect 1")

    def drop(self, peer):
        known = self.peers.get(peer)
        if known:
            self.say_goodbye([known])
            self.lose(known, "peer_dropped")

    def leave(self):
        if self.going:
            self.say_goodbye([*self.peers.values()])
            self.end()

    # ---- ticks and requests

    def tick(self):
        for key, request in [*self._requests.items()]:
            if self._requests.get(key) is not request:
                continue  # Gone with what came before it.
            if request.sent < self.attempts:
                request.sent += 1
                request.send()
            else:
                del self._requests[key]
                request.give_up()
        for key, wait in [*self._waits.items()]:
            wait[0] -= 1
            if wait[0] == 0 and self._waits.get(key) is wait:
                del self._waits[key]
                wait[1]()

    def _request(self, key, send, give_up):
        self._requests[key] = Request(send, give_up)

    def _settle(self, *start):
        keys = [key for key in self._requests if key[: len(start)] == start]
        return [self._requests.pop(key) for key in keys]

    def _check_later(self, peer):
        def check():
            self._request(
                ("check", peer.name),
                lambda: self.to_peer("peer-check", {}, peer.name, peer.address),
                lambda: self.lose(peer, "peer_check_timeout"),
            )

        self._waits["check", peer.name] = [WAIT_TICKS, check]

    def _forget(self, peer):
        del self.peers[peer.name]
        for kept in (self._requests, self._waits):
            for key in [key for key in kept if key[1] == peer.name]:
                del kept[key]

    def _peer_at(self, name, source):
        peer = self.peers.get(name) if isinstance(name, str) else None
        return peer if peer and source in (peer.local_address, peer.global_address) else None

    def _confirmed(self, name):
        peer = self.peers.get(name)
        if peer and peer.address:
            return peer
        print(f"no confirmed peer {name!r}", file=sys.stderr, flush=True)

    def _report(self, message, peer, reliable):
        sender, id = message.get("from", peer.name), message.get("message-id")
        facts = {"from": sender, "message": message.get("message"), "reliable": reliable, "id": id}
        self._tell("message", **facts)

    def _send(self, address, message):
        if self.going:
            self._transport.sendto(write_object(message), address)


class Dialect2(Dialect1):
    """Hashes, passwords, a list of servers, and joiners that know one another."""

    attempts = 5
    inquiry = "address-inquiry"
    inquiry_response = "address-inquiry-response"

    def __init__(self, words, tell):
        super().__init__(words, tell)
        letters = string.ascii_letters + string.digits
        self.session_key = "".join(random.choice(letters) for _ in range(10))
        self.game_password = words.password or self.host
        self._next_list = 0

    def _seal(self, type, fields, name, address, password):
        message = {
            **{key: value for key, value in fields.items() if not key.startswith("__")},
            "__type": type,
            "__sender-name": self.name,
            "__destination-name": name,
            "__destination-address": address,
        }
        self._send(address, {**message, "__hash-string": hash_of(message, password)})

    def to_server(self, type, fields):
        self._seal(type, fields, SERVER, self.server, self.session_key)

    def to_peer(self, type, fields, name, address):
        self._seal(type, fields, name, address, self.game_password)

    def send_registration(self):
        seconds = {"seconds-before-expiry": self._words.expiry}
        if self._registered:
            return self.to_server("refreshing-server-registration", seconds)
        secret = {"password": self.session_key, "password-required": bool(self._words.password)}
        self.to_server("registering-server", {**self.local_fields(), **seconds, **secret})

    def send_join(self):
        secret = {"server-name": self.host, "password": self.session_key}
        self.to_server("requesting-to-join-server", {**self.local_fields(), **secret})

    def open(self, message, source):
        fields = ("__type", "__sender-name", "__destination-name", "__destination-address")
        if not all(field in message for field in fields):
            return None
        from_server = source == self.server and message["__sender-name"] is None
        peer = None if from_server else self._peer_at(message["__sender-name"], source)
        if not from_server and not (peer and message["__destination-name"] == self.name):
            return None
        password = self.session_key if from_server else self.game_password
        right = message.get("__hash-string") == hash_of(message, password)
        return (message["__type"], peer) if right else None

    def answer(self, message, peer, source):
        self.to_peer(f"{message['__type']}-response", message, peer.name, source)

    def inquiry_key(self, peer, used_global):
        return ("inquiry", peer.name, used_global)

    def message_fields(self, peer, message):
        return {"is-broadcast": False, "from": self.name, "to": peer.name, "message": message}

    def is_new(self, peer, id):
        if id in peer.heard_ids:
            return False
        peer.heard_ids.append(id)
        return True

    def take_receipt(self, peer, id):
        return self._settle("reliable", peer.name, id)

    def on_peer(self, type, message, peer, source):
        if type == "update-peer-list" and peer.name == self.host:
            self.to_peer("update-peer-list-response", {}, peer.name, source)
            self.take_list(message.get("action"), message.get("peer-infos"))
        elif type == "update-peer-list-response":
            # It does not say to which list: take it for the oldest.
            lists = [key for key in self._requests if key[:2] == ("peer-list", peer.name)]
            if lists:
                del self._requests[lists[0]]
        elif type == "drop-me" and message.get("name") in self.peers:
            self.lose(self.peers[message["name"]], "peer_dropped")
        else:
            super().on_peer(type, message, peer, source)

    def take_list(self, action, infos):
        for name, info in infos.items():
            if action == "remove" and name in self.peers:
                self.lose(self.peers[name], "peer_dropped")
            elif action == "add" and name != self.name and name not in self.peers:
                addresses = address_of(info["global-address"]), address_of(info["local-address"])
                peer = self.peers[name] = Peer(name, *addresses)
                self.confirm(peer, info["use-global"])

    def send_list(self, peer, action, peers):
        fields = {"action": action, "peer-infos": {each.name: each.info() for each in peers}}
        self._next_list += 1
        self._request(
            ("peer-list", peer.name, self._next_list),
            lambda: self.to_peer("update-peer-list", fields, peer.name, peer.address),
            lambda: None,
        )

    def on_confirmed(self, peer):
        if self.hosting:
            confirmed = [each for each in self.peers.values() if each.address]
            self.send_list(peer, "add", confirmed)
            self._tell_others(peer, "add")

    def on_lost(self, peer):
        if self.hosting and peer.address:
            self._tell_others(peer, "remove")

    def _tell_others(self, peer, action):
        for other in self.peers.values():
            if other is not peer and other.address:
                self.send_list(other, action, [peer])

    def say_goodbye(self, peers):
        for peer in peers:
            self.to_peer("drop-me", {"name": self.name}, peer.name, peer.address or peer.global_address)

    def list(self):
        password = {"password": self.session_key}
        ask = lambda: self.to_server("requesting-server-list", password)
        self._request(("list", None), ask, lambda: None)

    def leave(self):
        if self.going:
            self.to_server("drop-me", {"name": self.name})
        super().leave()


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def read_commands(loop, take):
    """Runs in a thread: not every system can wait for the input and a socket at once."""
    for line in sys.stdin:
        loop.call_soon_threadsafe(take, json.loads(line))
    loop.call_soon_threadsafe(take, {"do": "quit"})


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server_ip")
    parser.add_argument("server_port", type=int)
    parser.add_argument("--name", help="may be left out to ask for the list only")
    role = parser.add_mutually_exclusive_group()
    role.add_argument("--host", action="store_true")
    role.add_argument("--join", metavar="NAME")
    parser.add_argument("--dialect", type=int, choices=[1, 2], default=1)
    parser.add_argument("--password", help="of the game, dialect 2")
    parser.add_argument("--documented", action="store_true", help="local-ip and local-port")
    parser.add_argument("--expiry", type=float, default=60, help="seconds a registration is to last")
    parser.add_argument("--tick", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--local-port", type=int, default=0)
    parser.add_argument("--bind", default="127.0.0.1", metavar="IP")
    parser.add_argument("--verbose", action="store_true", help="report every packet taken")
    words = parser.parse_args()
    words.expiry = number_of(words.expiry)

    loop = asyncio.get_running_loop()
    left = loop.create_future()
    dialect = Dialect2 if words.dialect == 2 else Dialect1
    local = (words.bind, words.local_port)
    _, session = await loop.create_datagram_endpoint(lambda: dialect(words, tell), local_addr=local)

    def take(command):
        what = command.pop("do")
        if what == "quit":
            left.done() or left.set_result(None)
        elif session.going and what in ("send", "reliable", "list", "drop", "leave"):
            getattr(session, what)(**command)

    def tick(at):
        session.tick()
        if session.going:
            loop.call_at(at + words.tick, tick, at + words.tick)

    tick_at = loop.time() + words.tick
    loop.call_at(tick_at, tick, tick_at)
    threading.Thread(target=read_commands, args=(loop, take), daemon=True).start()
    await left


if __name__ == "__main__":
    asyncio.run(main())
