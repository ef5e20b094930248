/** Real files, for tests. */

/** Runs `body` with a new folder in a place that tests may write to; it is removed afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  await Deno.mkdir("coverage", { recursive: true });
  const folder = await Deno.makeTempDir({ dir: "coverage", prefix: "test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The names in a folder, in order. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
