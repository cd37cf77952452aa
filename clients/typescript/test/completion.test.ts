import { Metadata, status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import { ErrorInfoSchema } from "../src/gen/google/rpc/error_details_pb.js";
import {
  BrokenStream,
  Cancelled,
  DeadlineExceeded,
  PointsmanClient,
  ServerUnreachable,
  TextDiscarded,
  Unavailable,
  type CompleteRequest,
} from "../src/index.js";
import * as fake from "./fake_server.js";

const { batch, completed, decision, events, text } = fake;

/** Run with a server whose Complete does this, and a client of it. */
async function against(
  complete: (stream: fake.CompleteStream) => void,
  body: (client: PointsmanClient) => Promise<void>,
): Promise<void> {
  const server = await fake.fakeServer({ complete });
  const client = new PointsmanClient(server.address, { timeoutMs: 10_000, apiKey: "k" });
  try {
    await body(client);
  } finally {
    client.close();
    server.stop();
  }
}

function whole(stream: fake.CompleteStream): void {
  stream.write(batch(...events(0, decision, text("Hello"))));
  stream.write(batch(...events(2, text(", world"), completed)));
  stream.end();
}

function holding(stream: fake.CompleteStream): void {
  stream.write(batch(...events(0, decision, text("half"))));
}

test("an answer is read event by event, piece by piece, or whole", async () => {
  await against(whole, async (client) => {
    const seen: (string | undefined)[] = [];
    const answer = client.complete("hi");
    for await (const { event } of answer) {
      seen.push(event.case);
    }
    assert.deepEqual(seen, ["decision", "delta", "delta", "completed"]);
    assert.equal(answer.textSoFar, "Hello, world");
    assert.equal(answer.decision?.model, "one/a");
    assert.deepEqual(await answer.next(), { done: true, value: undefined });
    const pieces = [];
    for await (const piece of client.complete({ prompt: "hi" }).texts()) {
      pieces.push(piece);
    }
    assert.deepEqual(pieces, ["Hello", ", world"]);
    assert.equal(await client.complete("hi").text(), "Hello, world");
  });
});

test("a request says what the caller said, and carries the key and the deadline", async () => {
  const heard: [CompleteRequest, Metadata][] = [];
  const listen = (stream: fake.CompleteStream): void => {
    heard.push([stream.request, stream.metadata]);
    whole(stream);
  };
  await against(listen, async (client) => {
    const asked = client.complete({
      prompt: "hi",
      system: "be brief",
      constraints: { allowedModels: ["one/a"], maxCostUsdNanos: 20_000_000n },
      generation: { maxOutputTokens: 5 },
      execution: { hedging: false },
      context: { userId: "u", tags: { a: "b" } },
      explain: true,
      timeoutMs: 5000,
    });
    assert.equal(heard.length, 0, "nothing is sent before it is read");
    await asked.text();
    const [seen, headers] = heard[0] ?? assert.fail("nothing was heard");
    assert.deepEqual(
      seen.messages.map(({ role, parts }) => [role, parts[0]?.content.value]),
      [
        [1, "be brief"],
        [2, "hi"],
      ],
    );
    assert.equal(seen.constraints?.maxCostUsdNanos, 20_000_000n);
    assert.equal(seen.generation?.maxOutputTokens, 5);
    assert.equal(seen.execution?.hedging, false);
    assert.equal(seen.context?.tags["a"], "b");
    assert.equal(seen.explain, true);
    assert.deepEqual(headers.get("authorization"), ["Bearer k"]);
  });
});

test("metadata is there before the first event and after the last", async () => {
  const told = (stream: fake.CompleteStream): void => {
    const headers = new Metadata();
    headers.set("x-pointsman-model", "one/a");
    stream.sendMetadata(headers);
    stream.write(batch(...events(0, decision, completed)));
    const trailers = new Metadata();
    trailers.set("x-pointsman-attempts", "1");
    stream.end(trailers);
  };
  await against(told, async (client) => {
    const answer = client.complete("hi");
    await answer.next();
    assert.deepEqual(answer.headers?.get("x-pointsman-model"), ["one/a"]);
    const attempts = (): unknown => answer.trailers?.get("x-pointsman-attempts");
    assert.equal(attempts(), undefined);
    await answer.text();
    assert.deepEqual(attempts(), ["1"]);
  });
});

test("an answer that was cut never looks complete, and goes on failing", async () => {
  const cut = (stream: fake.CompleteStream): void => {
    holding(stream);
    stream.end();
  };
  await against(cut, async (client) => {
    const answer = client.complete("hi");
    await assert.rejects(answer.text(), BrokenStream);
    await assert.rejects(answer.text(), BrokenStream);
    await assert.rejects(answer.next(), BrokenStream);
    assert.equal(answer.textSoFar, "half");
  });
});

test("an error comes after the text that was before it, with its details", async () => {
  const failing = (stream: fake.CompleteStream): void => {
    holding(stream);
    const info = { reason: "ANSWER_INTERRUPTED", domain: "pointsman.dev" };
    const metadata = fake.statusTrailers(status.UNAVAILABLE, "broke off", [ErrorInfoSchema, info]);
    stream.emit("error", { code: status.UNAVAILABLE, details: "broke off", metadata });
  };
  await against(failing, async (client) => {
    const answer = client.complete("hi");
    for (const when of ["at first", "ever after"]) {
      await assert.rejects(answer.text(), (error) => {
        assert.ok(error instanceof Unavailable && !(error instanceof ServerUnreachable), when);
        assert.equal(error.reason, "ANSWER_INTERRUPTED");
        return true;
      });
    }
    assert.equal(answer.textSoFar, "half");
  });
});

test("a connection lost in mid-answer is told from a server that is not there", async () => {
  const lost = (stream: fake.CompleteStream): void => {
    holding(stream);
    const metadata = new Metadata();
    stream.emit("error", { code: status.UNAVAILABLE, details: "gone", metadata });
  };
  await against(lost, async (client) => {
    const error = await client.complete("hi").text().catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Unavailable && !(error instanceof ServerUnreachable));
    assert.match(error.message, /was lost/);
  });
});

test("an error after the answer is whole does not take it away", async () => {
  const late = (stream: fake.CompleteStream): void => {
    stream.write(batch(...events(0, decision, text("all"), completed)));
    stream.emit("error", { code: status.INTERNAL, details: "late", metadata: new Metadata() });
  };
  await against(late, async (client) => {
    assert.equal(await client.complete("hi").text(), "all");
  });
});

test("leaving the loop cancels the call on the server", async () => {
  let left: Promise<unknown> | undefined;
  const notice = (stream: fake.CompleteStream): void => {
    left = once(stream, "cancelled");
    holding(stream);
  };
  await against(notice, async (client) => {
    const answer = client.complete("hi");
    for await (const _ of answer) {
      break;
    }
    await left;
    await assert.rejects(answer.text(), Cancelled);
    for await (const _ of client.complete("hi").texts()) {
      break;
    }
    await left;
  });
});

test("leaving the loop at the last event lets the call end in peace", async () => {
  const ends: string[] = [];
  const slow = (stream: fake.CompleteStream): void => {
    stream.on("cancelled", () => ends.push("cancelled"));
    stream.on("finish", () => ends.push("finished"));
    stream.write(batch(...events(0, decision, completed)));
    setTimeout(() => stream.end(), 30);
  };
  await against(slow, async (client) => {
    for await (const { event } of client.complete("hi")) {
      if (event.case === "completed") {
        break;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 80));
    assert.equal(ends[0], "finished");
  });
});

test("a signal cancels before, in the middle, and not after", async () => {
  let left: Promise<unknown> | undefined;
  const notice = (stream: fake.CompleteStream): void => {
    left = once(stream, "cancelled");
    holding(stream);
  };
  await against(notice, async (client) => {
    const reason = new Error("enough");
    const before = client.complete({ prompt: "hi", signal: AbortSignal.abort(reason) });
    await assert.rejects(before.text(), (error) => {
      assert.ok(error instanceof Cancelled);
      assert.equal(error.cause, reason);
      return true;
    });
    assert.equal(left, undefined, "nothing was sent");
    const controller = new AbortController();
    const answer = client.complete({ prompt: "hi", signal: controller.signal });
    await answer.next();
    setTimeout(() => controller.abort(reason), 10);
    await assert.rejects(answer.text(), Cancelled);
    await left;
  });
  await against(whole, async (client) => {
    const controller = new AbortController();
    const answer = client.complete({ prompt: "hi", signal: controller.signal });
    assert.equal(await answer.text(), "Hello, world");
    controller.abort();
    assert.equal(await answer.text(), "Hello, world");
  });
});

test("a deadline ends an answer", async () => {
  await against(holding, async (client) => {
    const answer = client.complete({ prompt: "hi", timeoutMs: 400 });
    await assert.rejects(answer.text(), DeadlineExceeded);
    assert.equal(answer.textSoFar, "half");
    assert.throws(() => client.complete({ prompt: "hi", timeoutMs: Number.NaN }), RangeError);
    assert.throws(() => client.complete({ prompt: "hi", timeoutMs: -1 }), RangeError);
  });
});

test("text that another model replaces is discarded in the open", async () => {
  const discard = { case: "modelSwitched", value: { model: "two/b", discard: true } } as const;
  const restart = (stream: fake.CompleteStream): void => {
    stream.write(batch(...events(0, decision, text("old"), discard, text("new"), completed)));
    stream.end();
  };
  await against(restart, async (client) => {
    assert.equal(await client.complete("hi").text(), "new");
    const answer = client.complete("hi");
    const pieces: string[] = [];
    await assert.rejects(async () => {
      for await (const piece of answer.texts()) {
        pieces.push(piece);
      }
    }, TextDiscarded);
    for await (const piece of answer.texts()) {
      pieces.push(piece);
    }
    assert.deepEqual(pieces, ["old", "new"]);
    assert.equal(answer.textSoFar, "new");
  });
});

test("events that come to several readers at once come to each in turn", async () => {
  await against(whole, async (client) => {
    const answer = client.complete("hi");
    const steps = await Promise.all([answer.next(), answer.next(), answer.next(), answer.next()]);
    assert.deepEqual(
      steps.map((step) => step.value?.sequence),
      [0n, 1n, 2n, 3n],
    );
  });
});
