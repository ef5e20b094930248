/** What `/metrics` says, read as a scraper does. */

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

/** One page of it. */
export class Metrics {
  readonly #samples: readonly Sample[];

  constructor(samples: readonly Sample[]) {
    this.#samples = samples;
  }

  /** Of all services together; 0 when there is none of this name. */
  sum(name: string): number {
    return this.#of(name).reduce((sum, { value }) => sum + value, 0);
  }

  /** Of one service. */
  of(name: string, service: string): number | undefined {
    return this.#of(name).find(({ labels }) => labels.includes(`service="${service}"`))?.value;
  }

  /** Of the process; undefined where it is not told. */
  gauge(name: string): number | undefined {
    return this.#of(name)[0]?.value;
  }

  #of(name: string): Sample[] {
    return this.#samples.filter((sample) => sample.name === name);
  }
}

/** Reads the text format of Prometheus, as far as netsync uses it. */
export function metricsFrom(text: string): Metrics {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name !== undefined) samples.push({ name, labels, value: Number(value) });
  }
  return new Metrics(samples);
}
