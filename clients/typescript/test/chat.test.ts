import { create } from "@bufbuild/protobuf";
import { Metadata, status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  BrokenStream,
  Cancelled,
  ChatResponseSchema,
  DeadlineExceeded,
  PointsmanClient,
  PointsmanError,
  ServerUnreachable,
  Unavailable,
  type ChatRequest,
} from "../src/index.js";
import * as fake from "./fake_server.js";

const { completed, decision, events, text, turnBatch } = fake;

/** What a test's server has heard, and whether the client has said its last. */
interface Heard {
  readonly requests: ChatRequest[];
  ended: boolean;
}

/** How a turn is answered; a prompt of "hang" is answered by half, and by nothing more. */
type Answering = (stream: fake.ChatDuplex, turnId: string, prompt: string) => void;

function parrot(stream: fake.ChatDuplex, turnId: string, prompt: string): void {
  stream.write(turnBatch(turnId, ...events(0, decision, text(prompt))));
  if (prompt !== "hang") {
    stream.write(turnBatch(turnId, ...events(2, completed)));
  }
}

function cancelled(turnId: string) {
  const response = { case: "cancelled", value: { usage: { outputTokens: 3n } } } as const;
  return create(ChatResponseSchema, { turnId, response });
}

/** Run with a server that answers turns so and cancels them when asked. */
async function against(
  answering: Answering,
  body: (client: PointsmanClient, heard: Heard) => Promise<void>,
): Promise<void> {
  const heard: Heard = { requests: [], ended: false };
  const server = await fake.fakeServer({
    chat: (stream) => {
      stream.on("data", (request: ChatRequest) => {
        heard.requests.push(request);
        if (request.request.case === "turn") {
          const { turnId, messages } = request.request.value;
          answering(stream, turnId, String(messages[0]?.parts[0]?.content.value));
        } else if (request.request.case === "cancel") {
          stream.write(cancelled(request.request.value.turnId));
        }
      });
      stream.on("end", () => {
        heard.ended = true;
        stream.end();
      });
    },
  });
  const client = new PointsmanClient(server.address, { timeoutMs: 5000 });
  try {
    await body(client, heard);
  } finally {
    client.close();
    server.stop();
  }
}

function kindsOf({ requests }: Heard): unknown[] {
  return requests.map(({ request }) => request.case);
}

test("turns are answered one after the other over one stream, which ends in peace", async () => {
  await against(parrot, async (client, heard) => {
    const chat = client.chat({ system: "be brief", generation: { maxOutputTokens: 7 } });
    assert.equal(await chat.turn("one").text(), "one");
    const seen = [];
    const second = chat.turn({ prompt: "two", constraints: { allowedModels: ["one/a"] } });
    for await (const { event } of second) {
      seen.push(event.case);
    }
    assert.deepEqual(seen, ["decision", "delta", "completed"]);
    assert.ok(chat.isOpen);
    await chat.close();
    assert.ok(!chat.isOpen && heard.ended);
    assert.deepEqual(kindsOf(heard), ["setup", "turn", "turn"]);
    const [setup, , turn] = heard.requests.map(({ request }) => request);
    assert.equal(setup?.case === "setup" && setup.value.generation?.maxOutputTokens, 7);
    assert.equal(setup?.case === "setup" && setup.value.history[0]?.role, 1);
    assert.deepEqual(turn?.case === "turn" && turn.value.constraints?.allowedModels, ["one/a"]);
    await assert.rejects(chat.turn("three").text(), Cancelled);
  });
});

test("leaving a turn's loop stops it on the server, and the next turn goes on", async () => {
  await against(parrot, async (client, heard) => {
    await using chat = client.chat();
    const turn = chat.turn("hang");
    for await (const { event } of turn) {
      if (event.case === "delta") {
        break;
      }
    }
    assert.equal(await chat.turn("next").text(), "next");
    assert.equal(turn.cancelledUsage?.outputTokens, 3n);
    assert.deepEqual(kindsOf(heard), ["setup", "turn", "cancel", "turn"]);
  });
});

test("a turn that is cancelled says what it cost, and its reader is told", async () => {
  await against(parrot, async (client, heard) => {
    await using chat = client.chat();
    const turn = chat.turn("hang");
    await turn.next();
    await turn.next();
    const reader = assert.rejects(turn.text(), Cancelled);
    const usage = await turn.cancel();
    assert.equal(usage?.outputTokens, 3n);
    await reader;
    assert.equal(await turn.cancel(), usage);
    const whole = chat.turn("whole");
    await whole.text();
    assert.equal(await whole.cancel(), undefined);
    assert.equal(await chat.turn("never begun").cancel(), undefined);
    assert.deepEqual(kindsOf(heard), ["setup", "turn", "cancel", "turn"]);
  });
});

test("a signal stops one turn only", async () => {
  await against(parrot, async (client, heard) => {
    await using chat = client.chat();
    const controller = new AbortController();
    const turn = chat.turn({ prompt: "hang", signal: controller.signal });
    await turn.next();
    setTimeout(() => controller.abort(), 10);
    await assert.rejects(turn.text(), Cancelled);
    await assert.rejects(turn.text(), Cancelled);
    assert.equal(await chat.turn("next").text(), "next");
    const never = chat.turn({ prompt: "x", signal: AbortSignal.abort() });
    await assert.rejects(never.text(), Cancelled);
    const between = new AbortController();
    const unread = chat.turn({ prompt: "hang", signal: between.signal });
    await unread.next();
    await unread.next();
    between.abort();
    await assert.rejects(unread.text(), Cancelled);
    assert.equal(await chat.turn("last").text(), "last");
    const turns = ["turn", "cancel", "turn"];
    assert.deepEqual(kindsOf(heard), ["setup", ...turns, ...turns]);
  });
});

test("a turn's timeout ends it, and the next turn goes on", async () => {
  await against(parrot, async (client) => {
    await using chat = client.chat();
    const turn = chat.turn({ prompt: "hang", timeoutMs: 400 });
    await assert.rejects(turn.text(), DeadlineExceeded);
    assert.equal(turn.textSoFar, "hang");
    assert.equal(await chat.turn({ prompt: "next", timeoutMs: Infinity }).text(), "next");
    assert.throws(() => chat.turn({ prompt: "x", timeoutMs: -1 }), RangeError);
  });
});

test("a turn that fails by itself does not end the chat", async () => {
  const failing: Answering = (stream, turnId, prompt) => {
    if (prompt !== "fail") {
      parrot(stream, turnId, prompt);
      return;
    }
    const response = { case: "error", value: { code: status.UNAVAILABLE, message: "no" } } as const;
    stream.write(turnBatch(turnId, ...events(0, decision)));
    stream.write(create(ChatResponseSchema, { turnId, response }));
  };
  await against(failing, async (client) => {
    await using chat = client.chat();
    await assert.rejects(chat.turn("fail").text(), (error) => {
      assert.ok(error instanceof PointsmanError);
      assert.equal(error.code, status.UNAVAILABLE);
      return true;
    });
    assert.ok(chat.isOpen);
    assert.equal(await chat.turn("next").text(), "next");
  });
});

test("two turns at once are refused, and neither is harmed", async () => {
  await against(parrot, async (client) => {
    await using chat = client.chat();
    const first = chat.turn("first");
    await first.next();
    const second = chat.turn("second");
    await assert.rejects(second.text(), /another turn is under way/);
    assert.equal(await first.text(), "first");
    assert.equal(await second.text(), "second");
  });
});

test("an answer to no turn that is under way, or a stream that ends, breaks the chat", async () => {
  const astray: Answering = (stream) => stream.write(turnBatch("other", ...events(0, decision)));
  await against(astray, async (client) => {
    await using chat = client.chat();
    await assert.rejects(chat.turn("hi").text(), BrokenStream);
    assert.ok(!chat.isOpen);
    await assert.rejects(chat.turn("again").text(), BrokenStream);
  });
  const ending: Answering = (stream) => stream.end();
  await against(ending, async (client) => {
    await using chat = client.chat();
    await assert.rejects(chat.turn("hi").text(), /the server ended the chat/);
  });
});

test("a turn that lacks an event is broken, and is not said to be whole", async () => {
  const gap: Answering = (stream, turnId) =>
    stream.write(turnBatch(turnId, ...events(0, decision), ...events(5, completed)));
  await against(gap, async (client) => {
    await using chat = client.chat();
    const turn = chat.turn("hi");
    await assert.rejects(turn.text(), BrokenStream);
    assert.equal(turn.completed, undefined);
  });
});

test("closing cuts off a turn under way, and a chat that never began closes at once", async () => {
  await against(parrot, async (client) => {
    const chat = client.chat();
    const turn = chat.turn("hang");
    await turn.next();
    const reader = turn.text();
    await Promise.all([assert.rejects(reader, Cancelled), chat.close()]);
    await client.chat().close();
  });
});

test("a connection lost in mid-turn is told from a server that is not there", async () => {
  const lost: Answering = (stream, turnId) => {
    stream.write(turnBatch(turnId, ...events(0, decision)));
    const metadata = new Metadata();
    stream.emit("error", { code: status.UNAVAILABLE, details: "gone", metadata });
  };
  await against(lost, async (client) => {
    const chat = client.chat();
    const error = await chat.turn("hi").text().catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Unavailable && !(error instanceof ServerUnreachable));
    assert.match(error.message, /was lost/);
    assert.ok(!chat.isOpen);
    await chat.close();
  });
});

test("where no server answers, the first turn says so", async () => {
  const server = await fake.fakeServer({});
  server.stop();
  const client = new PointsmanClient(server.address);
  const chat = client.chat();
  await assert.rejects(chat.turn("hi").text(), ServerUnreachable);
  await assert.rejects(chat.turn("hi").text(), ServerUnreachable);
  await chat.close();
  client.close();
});
