/** The text that licenses ask for in what is passed on: `netsync --licenses` prints it. */
import type { Fetched } from "./packages.ts";

const RULE = "-".repeat(80);

const BSD_3_CLAUSE = `Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice,
   this list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors
   may be used to endorse or promote products derived from this software
   without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE
FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`;

const DENO = "Copyright 2018-2026 the Deno authors";
const V8 = "Copyright 2014, the V8 project authors. All rights reserved.";

/** Packages that have no license text with them, by the lines of their sources: whose they are. */
const COPYRIGHTS: Record<string, string> = { "deno-std": DENO };

/**
 * All notices.
 *
 * @param license Of netsync, which is MIT's.
 * @throws {Error} A package has no text, and nothing here says whose it is.
 */
export function noticesText(license: string, packages: readonly Fetched[]): string {
  const own = license.trim();
  const mit = own.slice(own.indexOf("Permission is hereby granted"));
  const parts = packages.map(({ name, version, license, notice }) => {
    const copyright = COPYRIGHTS[name];
    const text = notice ?? (copyright && license === "MIT" ? `${copyright}\n\n${mit}` : undefined);
    if (text === undefined) throw new Error(`${name} ${version} has no license text with it`);
    return [`${name} ${version} (${license})`, text] as const;
  });
  const all = [
    ["netsync", own],
    ...parts,
    [
      "Deno, the runtime (MIT); its own parts: https://github.com/denoland/deno",
      `${DENO}\n\n${mit}`,
    ],
    ["V8, its JavaScript engine (BSD-3-Clause)", `${V8}\n\n${BSD_3_CLAUSE}`],
  ];
  return all.map(([title, text]) => `${RULE}\n${title}\n${RULE}\n\n${plain(text!)}\n`).join("\n");
}

/** Without what editors leave at the ends of lines. */
function plain(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(/[ \t]+$/gm, "").trim();
}
