import hashlib, json, socket, struct

def packet(sequence, flags, payload):
    length = struct.pack(">H", 21 + len(payload))
    head = struct.pack(">H16sB", sequence, b"0" * 16, flags) + length
    return head[:2] + hashlib.md5(head).digest() + head[18:] + payload

sock, bodies = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {}
sock.connect(("127.0.0.1", 25005))
sock.settimeout(10)
sock.send(packet(0, 0, b'{"type": "knock"}'))  # tell me of your world
while len(bodies) < 5:
    datagram = sock.recv(8192)
    if datagram[18] & 1:  # an ACK is not acknowledged
        continue
    sock.send(packet(int.from_bytes(datagram[:2], "big"), 1, b"{}"))
    message = json.loads(datagram[21:])
    if message.get("type") == "snap":
        velocity, spin, quaternion, position, mass = message["snapshot"]
        bodies[message["id"]] = position
        print("tick", message["time"], "body", message["id"], "at", position)
sock.send(packet(1, 0, b'{"type": "stop"}'))
