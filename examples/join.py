import json, socket, threading, time

player, states = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {}
player.connect(("127.0.0.1", 55555))

def say(number, text=b""):  # every datagram: a 64-bit number, then text
    player.send(number.to_bytes(8, "little", signed=True) + text)

def listen():
    global states
    while True:
        states = json.loads(player.recv(65536)[8:])

say(-1)  # let me in
my_id = int.from_bytes(player.recv(65536)[8:], "little")
threading.Thread(target=listen, daemon=True).start()
for n in range(50):
    say(n, json.dumps({"x": n}).encode())  # my state
    time.sleep(0.1)
    print(my_id, states)  # everybody's
