/** What went through between a host and one peer, since the host knows it. */
export interface PeerTraffic {
  /** When it was heard last, on the host's clock; -Infinity before that. */
  readonly heardAt: number;
  /** Datagrams, or over TCP times that something was read, from it. */
  readonly received: number;
  /** Their bytes. */
  readonly receivedBytes: number;
  /** Datagrams, or over TCP pieces, that the system was given for it. */
  readonly sent: number;
  /** Their bytes. */
  readonly sentBytes: number;
}
