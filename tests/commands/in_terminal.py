"""Runs a program in a terminal of its own and copies what it draws to the standard output.

Standard library only. A line on the standard input is typed into the terminal (`^C` as Ctrl+C); the
exit status is that of the program.

    python3 in_terminal.py ROWS COLUMNS PROGRAM WORD...
"""

import fcntl
import os
import pty
import struct
import sys
import termios
import threading


def type_into(terminal):
    for line in sys.stdin:
        os.write(terminal, b"\x03" if line == "^C\n" else line.encode())


def main():
    rows, columns = int(sys.argv[1]), int(sys.argv[2])
    child, terminal = pty.fork()
    if child == 0:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(sys.stdout.fileno(), termios.TIOCSWINSZ, size)
        os.execvp(sys.argv[3], sys.argv[3:])
    threading.Thread(target=type_into, args=(terminal,), daemon=True).start()
    while True:
        try:
            drawn = os.read(terminal, 65536)
        except OSError:
            break  # Linux says so that the program has ended.
        if not drawn:
            break
        sys.stdout.buffer.write(drawn)
        sys.stdout.buffer.flush()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
