// Asks a running server (`pointsman serve`, or `pointsman demo --stay`):
//
//     npm run example -- "Why is the sky blue?" [ADDRESS]

import { DEFAULT_ADDRESS, formatUsd, PointsmanClient, PointsmanError } from "../src/index.js";

const [, , prompt = "Why is the sky blue?", address = DEFAULT_ADDRESS] = process.argv;
const client = new PointsmanClient(address);
try {
  const answer = client.complete(prompt);
  for await (const text of answer.texts()) {
    process.stdout.write(text);
  }
  const { model, totalUsage } = answer.completed!;
  console.log(`\n\n${model}, ${formatUsd(totalUsage?.costUsdNanos ?? 0n)}`);
} catch (error) {
  if (!(error instanceof PointsmanError)) {
    throw error;
  }
  console.error(error.message);
  process.exitCode = 1;
} finally {
  client.close();
}
