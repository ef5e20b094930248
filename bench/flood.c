/*
 * Sends datagrams to a port of this machine as fast as it can, from many addresses of 127.0.0.0/8.
 *
 *     flood PORT ADDRESSES IN_TURN COUNTS SECONDS < SHAPES
 *
 * SHAPES are the datagrams, each a line of hexadecimal digits. They are sent one after the other, each from the
 * next address; with IN_TURN 1 each address sends all of them before the next one does. With COUNTS 1 the first 8
 * bytes of all but the first shape are a number that grows. At the end it prints how many datagrams the system
 * took, and in how many seconds.
 *
 * One socket sends from all addresses: IP_PKTINFO says which one each datagram comes from. So there need not be a
 * file for each, nor any right that others do not have.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SHAPES_MAX 256
#define BATCH 64

static struct iovec shapes[SHAPES_MAX];
static int shapes_count;

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static int digit(int c) {
  return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static void read_shapes(void) {
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  while (shapes_count < SHAPES_MAX && (length = getline(&line, &room, stdin)) >= 0) {
    size_t bytes = length / 2;
    unsigned char *shape = malloc(bytes + 1);
    for (size_t at = 0; at < bytes; at++) shape[at] = digit(line[2 * at]) << 4 | digit(line[2 * at + 1]);
    shapes[shapes_count].iov_base = shape;
    shapes[shapes_count++].iov_len = bytes;
  }
  free(line);
}

/* 127.1.0.1 and up: the first ones are left to those who play. */
static struct in_addr source(unsigned number) {
  struct in_addr address = {htonl(0x7f010001u + number)};
  return address;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: flood PORT ADDRESSES IN_TURN COUNTS SECONDS < SHAPES\n");
    return 2;
  }
  unsigned addresses = atoi(argv[2]);
  int in_turn = atoi(argv[3]), counts = atoi(argv[4]);
  double seconds = atof(argv[5]);
  read_shapes();
  if (shapes_count == 0) return fprintf(stderr, "flood: nothing to send\n"), 2;

  int sender = socket(AF_INET, SOCK_DGRAM, 0);
  int room = 1 << 22;
  setsockopt(sender, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  struct sockaddr_in any = {.sin_family = AF_INET};
  if (bind(sender, (struct sockaddr *)&any, sizeof any)) return perror("flood: bind"), 1;

  struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  static struct mmsghdr messages[BATCH];
  static struct iovec pieces[BATCH][2];
  static unsigned long long numbers[BATCH];
  static union {
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
  } controls[BATCH];
  for (int at = 0; at < BATCH; at++) {
    struct msghdr *header = &messages[at].msg_hdr;
    header->msg_name = &target;
    header->msg_namelen = sizeof target;
    header->msg_control = &controls[at];
    header->msg_controllen = sizeof controls[at].bytes;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    control->cmsg_level = IPPROTO_IP;
    control->cmsg_type = IP_PKTINFO;
    control->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    pieces[at][0].iov_base = &numbers[at];
    pieces[at][0].iov_len = sizeof numbers[at];
  }

  unsigned long long sent = 0, turn = 0;
  unsigned address = 0;
  double begun = now_s(), end = begun + seconds;
  while (now_s() < end) {
    for (int at = 0; at < BATCH; at++, turn++) {
      struct msghdr *header = &messages[at].msg_hdr;
      unsigned index = turn % shapes_count;
      struct iovec *shape = &shapes[index];
      header->msg_iov = shape;
      header->msg_iovlen = 1;
      if (counts && index > 0 && shape->iov_len >= sizeof numbers[at]) {
        numbers[at] = turn;
        pieces[at][1].iov_base = (char *)shape->iov_base + sizeof numbers[at];
        pieces[at][1].iov_len = shape->iov_len - sizeof numbers[at];
        header->msg_iov = pieces[at];
        header->msg_iovlen = 2;
      }
      struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(CMSG_FIRSTHDR(header));
      info->ipi_ifindex = 0;
      info->ipi_spec_dst = source(address);
      int is_next = !in_turn || index == (unsigned)shapes_count - 1;
      if (is_next && ++address >= addresses) address = 0;
    }
    int took = sendmmsg(sender, messages, BATCH, 0);
    if (took > 0) sent += took;
    else if (errno != EAGAIN && errno != ENOBUFS && errno != ECONNREFUSED)
      return perror("flood: sendmmsg"), 1;
  }
  printf("{\"event\":\"sent\",\"sent\":%llu,\"seconds\":%.3f}\n", sent, now_s() - begun);
  return 0;
}
