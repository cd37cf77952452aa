// Checks that a server serves this client as it should: node main.js ADDRESS
//
// Writes one line of JSON to the standard output for each check, {"check", "ok", "error", "left"},
// and {"do": "drain"} where its host shall begin to drain the server. Ends with 0 whatever came of
// the checks.

import { PointsmanClient } from "../src/index.js";
import { calls } from "./calls.js";
import type { Check, Departure } from "./check.js";
import { streams } from "./streams.js";

const CHECK_MS = 20_000;

function say(line: object): void {
  const plain = (_: string, value: unknown): unknown =>
    typeof value === "bigint" ? String(value) : value;
  process.stdout.write(`${JSON.stringify(line, plain)}\n`);
}

async function run(name: string, check: Check, address: string): Promise<void> {
  const client = new PointsmanClient(address, { timeoutMs: 15_000 });
  const left: Departure[] = [];
  const stage = {
    address,
    client,
    leaves: (prompt: string) => left.push({ prompt, leftAt: process.hrtime.bigint() }),
    drain: () => say({ do: "drain" }),
  };
  let error: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${CHECK_MS} ms`)), CHECK_MS);
  });
  try {
    await Promise.race([check(stage), late]);
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  } finally {
    clearTimeout(timer);
    client.close();
  }
  say({ check: name, ok: error === undefined, error, left });
}

const [, , address] = process.argv;
if (address === undefined) {
  console.error("usage: node main.js ADDRESS");
  process.exit(2);
}
for (const [name, check] of Object.entries({ ...calls, ...streams })) {
  await run(name, check, address);
}
process.exit(0);
