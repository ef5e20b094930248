/*
 * Opens connections to a port of this machine as fast as it can, from many addresses of 127.0.0.0/8.
 *
 *     flood_tcp PORT ADDRESSES SECONDS MODE < SHAPES
 *
 * MODE `close`: each is closed as soon as it is open. `hold`: each is held, 20 for each address. `write`: each
 * writes the shapes, lines of hexadecimal digits, again and again, and reads what comes; one that is ended is
 * opened anew. At the end it prints how many connections were opened, how many bytes written, and in how many
 * seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SLOTS_MAX 4096
#define EVENTS 256

struct slot {
  int file;
  size_t at;
};

static struct slot slots[SLOTS_MAX];
static char *text;
static size_t text_bytes;
static unsigned addresses, turn, port;
static unsigned long long opened, written;
static int poll_file;

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static int digit(int c) {
  return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* All shapes in a row. */
static void read_shapes(void) {
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while ((length = getline(&line, &room, stdin)) >= 0) {
    size_t bytes = length / 2;
    text = realloc(text, text_bytes + bytes + 1);
    for (size_t at = 0; at < bytes; at++)
      text[text_bytes++] = digit(line[2 * at]) << 4 | digit(line[2 * at + 1]);
  }
  free(line);
}

static void open_slot(struct slot *slot) {
  slot->at = 0;
  slot->file = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (slot->file < 0) return;
  struct linger at_once = {1, 0};
  setsockopt(slot->file, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(0x7f010001u + turn++ % addresses);
  struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(port)};
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  setsockopt(slot->file, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  bind(slot->file, (struct sockaddr *)&from, sizeof from);
  connect(slot->file, (struct sockaddr *)&target, sizeof target);
  struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP, .data.ptr = slot};
  epoll_ctl(poll_file, EPOLL_CTL_ADD, slot->file, &wanted);
  opened++;
}

static void reopen(struct slot *slot) {
  close(slot->file);
  open_slot(slot);
}

/* False when the connection is over. */
static int go_on(struct slot *slot) {
  static char rubbish[65536];
  ssize_t count;
  while ((count = read(slot->file, rubbish, sizeof rubbish)) > 0);
  if (count == 0 || errno != EAGAIN) return 0;
  count = write(slot->file, text + slot->at, text_bytes - slot->at);
  if (count < 0) return errno == EAGAIN;
  written += count;
  slot->at = (slot->at + count) % text_bytes;
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: flood_tcp PORT ADDRESSES SECONDS close|hold|write < SHAPES\n");
    return 2;
  }
  port = atoi(argv[1]);
  addresses = atoi(argv[2]);
  double seconds = atof(argv[3]);
  int closes = !strcmp(argv[4], "close"), writes = !strcmp(argv[4], "write");
  signal(SIGPIPE, SIG_IGN); /* A connection that was ended is opened anew. */
  read_shapes();
  if (writes && text_bytes == 0) return fprintf(stderr, "flood_tcp: nothing to write\n"), 2;
  poll_file = epoll_create1(0);
  unsigned count = closes ? 64 : writes ? 64 : 20 * addresses;
  if (count > SLOTS_MAX) count = SLOTS_MAX;
  for (unsigned at = 0; at < count; at++) open_slot(&slots[at]);

  static struct epoll_event events[EVENTS];
  double begun = now_s(), end = begun + seconds;
  while (now_s() < end) {
    int ready = epoll_wait(poll_file, events, EVENTS, 20);
    for (int at = 0; at < ready; at++) {
      struct slot *slot = events[at].data.ptr;
      int is_over = events[at].events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP);
      if (closes) reopen(slot);
      else if (writes) is_over || !go_on(slot) ? reopen(slot) : (void)0;
      else if (is_over) reopen(slot);
      else {
        struct epoll_event wanted = {.events = EPOLLRDHUP, .data.ptr = slot};
        epoll_ctl(poll_file, EPOLL_CTL_MOD, slot->file, &wanted);
      }
    }
  }
  printf("{\"event\":\"sent\",\"sent\":%llu,\"bytes\":%llu,\"seconds\":%.3f}\n", opened, written,
         now_s() - begun);
  return 0;
}
