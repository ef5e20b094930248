/** Datagrams of the original programs, recorded on the wire, and some built from the format. */
import rendezvousRecording from "../vectors/rendezvous.json" with { type: "json" };
import recording from "../vectors/sync.json" with { type: "json" };

/** One datagram and what it means. Where the original is at fault `decoded.error` says so. */
export interface Vector {
  name: string;
  direction: "client->server" | "server->client";
  bytes: Uint8Array;
  /** Of long ones: to check that they were put together as recorded. */
  sha256?: string;
  length?: number;
  decoded: {
    packet_num: string;
    payload?: string;
    payload_length?: number;
    payload_char?: string;
    client_id?: string;
    states?: Record<string, string>;
    states_lengths?: Record<string, number>;
    error?: string;
  };
}

/** One datagram of a conversation. */
export interface Step {
  at: number;
  from: string;
  to: string;
  bytes: Uint8Array;
}

interface RawVector extends Omit<Vector, "bytes"> {
  hex?: string;
  parts?: { hex: string; repeat: number }[];
}

interface RawTranscript {
  name: string;
  steps: { t_ms: number; from: string; to: string; hex: string }[];
}

const raw = recording as unknown as { vectors: RawVector[]; transcripts: RawTranscript[] };

/** All vectors, in order. */
export const vectors: readonly Vector[] = raw.vectors.map(({ hex, parts, ...rest }) => ({
  ...rest,
  bytes: bytesOf(hex ?? parts!.map((part) => part.hex.repeat(part.repeat)).join("")),
}));

/** All transcripts by name. */
export const transcripts: ReadonlyMap<string, Step[]> = new Map(
  raw.transcripts.map(({ name, steps }) => [
    name,
    steps.map(({ t_ms, hex, ...step }) => ({ ...step, at: t_ms, bytes: bytesOf(hex) })),
  ]),
);

/** One datagram of the rendezvous protocol. */
export interface RendezvousVector {
  name: string;
  direction: "client->server" | "server->client" | "peer->peer";
  bytes: Uint8Array;
  /** The object it holds, or `{ error }` for what is none. */
  decoded: unknown;
  note: string;
  /** Dialect 2: what its hash was made with, and of. */
  hash_password?: string;
  hash_input?: string;
}

const rawRendezvous = rendezvousRecording as unknown as {
  vectors: (Omit<RendezvousVector, "bytes"> & { hex: string })[];
  transcripts: { name: string; steps: { hex?: string }[] }[];
};

/** All vectors of the rendezvous protocol, in order. */
export const rendezvousVectors: readonly RendezvousVector[] = rawRendezvous.vectors
  .map(({ hex, ...rest }) => ({ ...rest, bytes: bytesOf(hex) }));

/** Every datagram of its transcripts that was recorded whole. */
export const rendezvousTranscripts: readonly Uint8Array[] = rawRendezvous.transcripts
  .flatMap(({ steps }) => steps.flatMap(({ hex }) => hex === undefined ? [] : [bytesOf(hex)]));

/** The bytes of one vector. */
export function vectorBytes(name: string): Uint8Array {
  const vector = vectors.find((vector) => vector.name === name);
  if (!vector) throw new RangeError(`no vector is called ${name}`);
  return vector.bytes;
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
