import { status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  Cancelled,
  DeadlineExceeded,
  PointsmanClient,
  PointsmanError,
  ServerUnreachable,
} from "../src/index.js";
import * as fake from "./fake_server.js";

test("generate gives the whole answer, and can be cancelled", async () => {
  const server = await fake.fakeServer({
    generate: (call, done) => {
      if (call.request.messages[0]?.parts[0]?.content.value === "hang") {
        return;
      }
      done(null, fake.whole("all of it", "one/a"));
    },
  });
  const client = new PointsmanClient(server.address);
  try {
    const answer = await client.generate("hi");
    assert.equal(answer.text, "all of it");
    assert.equal(answer.completed?.model, "one/a");
    const signal = AbortSignal.timeout(30);
    await assert.rejects(client.generate({ prompt: "hang", signal }), Cancelled);
    await assert.rejects(client.generate({ prompt: "hang", timeoutMs: 30 }), DeadlineExceeded);
    await assert.rejects(
      client.generate({ prompt: "hang", signal: AbortSignal.abort() }),
      Cancelled,
    );
    await assert.rejects(client.models(), (error) => {
      assert.ok(error instanceof PointsmanError);
      assert.equal(error.code, status.UNIMPLEMENTED);
      return true;
    });
  } finally {
    client.close();
    server.stop();
  }
});

test("where no server answers, the error says so and how to mend it", async () => {
  const server = await fake.fakeServer({});
  server.stop();
  const client = new PointsmanClient(server.address);
  await assert.rejects(client.complete("hi").text(), ServerUnreachable);
  await assert.rejects(client.health(), ServerUnreachable);
  client.close();
});
