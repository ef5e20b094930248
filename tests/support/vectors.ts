/** Datagrams of the original programs, recorded on the wire, and some built from the format. */
import arenaRecording from "../vectors/arena.json" with { type: "json" };
import messagesRecording from "../vectors/messages.json" with { type: "json" };
import rendezvousRecording from "../vectors/rendezvous.json" with { type: "json" };
import recording from "../vectors/sync.json" with { type: "json" };
import worldRecording from "../vectors/world.json" with { type: "json" };

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

interface Recording {
  vectors: (Record<string, unknown> & {
    hex?: string;
    parts?: { hex: string; repeat: number }[];
    segments?: string[];
  })[];
  transcripts: {
    name: string;
    /** Of some long datagrams only length, digest and beginning were kept, and no `hex`. */
    steps: { t_ms: number; from: string; to: string; hex?: string }[];
  }[];
}

/** One datagram of the arena or the echo protocol. */
export interface ArenaVector {
  name: string;
  direction: "client->server" | "server->client";
  bytes: Uint8Array;
  /** What it says, as far as it is a message. */
  decoded: Record<string, unknown>;
  source: "recorded" | "computed";
}

/** One segment of the messages protocol, as it was sent at once. */
export interface MessageVector {
  name: string;
  direction: "client->server" | "server->client" | "either";
  bytes: Uint8Array;
  /** The same bytes as they arrived in more than one segment. */
  segments?: Uint8Array[];
  /** Of long ones: to check that they were put together as recorded. */
  sha256?: string;
  length?: number;
  /** The message, or what the bytes are instead of one. */
  decoded: {
    headers?: [name: string, value: string][];
    body?: string;
    body_length?: number;
    body_length_chars?: number;
    messages?: { headers: [name: string, value: string][]; body: string }[];
    pending?: true;
    error?: string;
  };
  source: "recorded" | "computed";
}

/** One datagram of the world protocol. */
export interface WorldVector {
  name: string;
  direction: "client->server" | "server->client" | "either";
  bytes: Uint8Array;
  /** Its header and payload, as far as it has them. */
  decoded: {
    seq?: number;
    md5?: string;
    flags?: number;
    length?: number;
    payload?: unknown;
    payload_text?: string;
    error?: string;
  };
  note: string;
  source: "recorded" | "computed";
}

const sync = read<Vector>(recording as unknown as Recording);
const rendezvous = read<RendezvousVector>(rendezvousRecording as unknown as Recording);

/** All vectors, in order. */
export const vectors: readonly Vector[] = sync.vectors;
/** All transcripts by name. */
export const transcripts: ReadonlyMap<string, Step[]> = sync.transcripts;

/** All vectors of the rendezvous protocol, in order. */
export const rendezvousVectors: readonly RendezvousVector[] = rendezvous.vectors;
/** Its transcripts by name, without the datagrams that were not recorded whole. */
export const rendezvousTranscripts: ReadonlyMap<string, Step[]> = rendezvous.transcripts;

const arena = read<ArenaVector>(arenaRecording as unknown as Recording);

/** All vectors of the arena and echo protocols, in order. */
export const arenaVectors: readonly ArenaVector[] = arena.vectors;
/** Their transcripts by name. */
export const arenaTranscripts: ReadonlyMap<string, Step[]> = arena.transcripts;

const messages = read<MessageVector>(messagesRecording as unknown as Recording);

/** All vectors of the messages protocol, in order. */
export const messageVectors: readonly MessageVector[] = messages.vectors;
/** Its transcripts by name, without the segments that were not recorded whole. */
export const messageTranscripts: ReadonlyMap<string, Step[]> = messages.transcripts;

const world = read<WorldVector>(worldRecording as unknown as Recording);

/** All vectors of the world protocol, in order. */
export const worldVectors: readonly WorldVector[] = world.vectors;
/** Its transcripts by name. */
export const worldTranscripts: ReadonlyMap<string, Step[]> = world.transcripts;

/** The bytes of one vector. */
export function vectorBytes(name: string): Uint8Array {
  const vector = vectors.find((vector) => vector.name === name);
  if (!vector) throw new RangeError(`no vector is called ${name}`);
  return vector.bytes;
}

/** A recording with its datagrams as bytes. */
function read<V>(raw: Recording): { vectors: V[]; transcripts: Map<string, Step[]> } {
  const vectors = raw.vectors.map(({ hex, parts, segments, ...rest }) => ({
    ...rest,
    ...segments && { segments: segments.map(bytesOf) },
    bytes: bytesOf(hex ?? parts!.map((part) => part.hex.repeat(part.repeat)).join("")),
  } as V));
  const transcripts = raw.transcripts.map(({ name, steps }): [string, Step[]] => [
    name,
    steps.flatMap(({ t_ms: at, from, to, hex }) =>
      hex === undefined ? [] : [{ at, from, to, bytes: bytesOf(hex) }]
    ),
  ]);
  return { vectors, transcripts: new Map(transcripts) };
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
