// Streams: answers, cancellation, conversations.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import {
  Cancelled,
  DeadlineExceeded,
  durationFromMs,
  messages,
  status,
  SwitchPolicy,
  TextDiscarded,
  type Answer,
  type PointsmanClient,
} from "../src/index.js";
import { checkError, failure, type Check } from "./check.js";

export const streams: Record<string, Check> = {
  "an answer streams from its decision to its end": async ({ client }) => {
    const kinds: (string | undefined)[] = [];
    const answer = client.complete("hello");
    for await (const { event } of answer) {
      kinds.push(event.case);
    }
    assert.deepEqual(kinds.slice(0, 2), ["decision", "attemptStarted"]);
    assert.equal(kinds.at(-1), "completed");
    assert.equal(answer.textSoFar, "Hello, world");
    assert.equal(answer.completed?.decisionId, answer.decision?.decisionId);
  },

  "text comes piece by piece": async ({ client }) => {
    const pieces = [];
    for await (const piece of client.complete("words: 20").texts()) {
      pieces.push(piece);
    }
    assert.ok(pieces.length > 1);
    assert.equal(pieces.join(""), words(20));
  },

  "a long answer comes whole": async ({ client }) => {
    assert.equal(await client.complete("words: 3000 at once").text(), words(3000));
  },

  "a slow reader loses nothing": async ({ client }) => {
    const answer = client.complete("words: 3000 at once");
    for (let i = 0; i < 5; i += 1) {
      await answer.next();
      await sleep(30);
    }
    assert.equal(await answer.text(), words(3000));
  },

  "a hundred streams at once are not mixed": async ({ client }) => {
    const asked = Array.from({ length: 100 }, (_, i) => `say: ${i} ${"word ".repeat(i % 7)}${i}`);
    const answers = await Promise.all(asked.map((prompt) => client.complete(prompt).text()));
    assert.deepEqual(
      answers.map((answer) => `say: ${answer}`),
      asked,
    );
  },

  "a hedge and its loser are told": async ({ client }) => {
    const answer = client.complete({
      prompt: "hang at the first",
      execution: { hedgeDelay: durationFromMs(20) },
    });
    assert.equal(await answer.text(), "Hello, world");
    assert.equal(answer.completed?.model, "two/b");
    assert.deepEqual(answer.trailers?.get("x-pointsman-hedged"), ["true"]);
  },

  "an answer that breaks off is an error after its text": async ({ client }) => {
    const answer = client.complete("cut after half");
    const error = await failure(answer.text());
    checkError(error, "ANSWER_INTERRUPTED", status.UNAVAILABLE);
    assert.equal(answer.textSoFar, "half");
    assert.equal(answer.completed, undefined);
  },

  "an answer may start over where that is allowed": async ({ client }) => {
    const ask = () =>
      client.complete({
        prompt: "cut after half, at the first",
        execution: { switchPolicy: SwitchPolicy.RESTART },
      });
    assert.equal(await ask().text(), "Hello, world");
    const answer = ask();
    const discarded = failure(drained(answer.texts()));
    assert.ok((await discarded) instanceof TextDiscarded);
    assert.equal(await answer.text(), "Hello, world");
  },

  "leaving the loop stops the provider": async ({ client, leaves }) => {
    const prompt = "hang after half: the loop is left";
    for await (const { event } of client.complete(prompt)) {
      if (event.case === "delta") {
        leaves(prompt);
        break;
      }
    }
  },

  "a signal stops the provider before the first token": async ({ client, leaves }) => {
    const prompt = "hang: a signal comes before the first token";
    const controller = new AbortController();
    const answer = client.complete({ prompt, signal: controller.signal });
    while ((await answer.next()).value?.event.case !== "attemptStarted") {
      // go on
    }
    const ended = failure(answer.text());
    await sleep(150);
    leaves(prompt);
    controller.abort();
    assert.ok((await ended) instanceof Cancelled);
  },

  "a signal stops the provider in the middle": async ({ client, leaves }) => {
    const prompt = "hang after half: a signal comes in the middle";
    const controller = new AbortController();
    const answer = client.complete({ prompt, signal: controller.signal });
    await untilText(answer);
    const ended = failure(answer.text());
    leaves(prompt);
    controller.abort();
    assert.ok((await ended) instanceof Cancelled);
    assert.equal(answer.textSoFar, "half");
  },

  "a signal stops a single answer": async ({ client, leaves }) => {
    const prompt = "hang after half: a signal comes to a single answer";
    const controller = new AbortController();
    const ended = failure(client.generate({ prompt, signal: controller.signal }));
    await sleep(300);
    leaves(prompt);
    controller.abort();
    assert.ok((await ended) instanceof Cancelled);
  },

  "the connection goes on after errors and cancels": async ({ client }) => {
    for (let i = 0; i < 10; i += 1) {
      await failure(client.complete("fail everywhere").text());
      for await (const _ of client.complete("hang: again and again")) {
        break;
      }
      assert.equal(await client.complete("hello").text(), "Hello, world");
    }
  },

  "turns are answered in order and remembered": async ({ client }) => {
    await using chat = client.chat({ system: "Be brief." });
    assert.equal(await chat.turn("say: one").text(), "one");
    assert.equal(await chat.turn("say: two").text(), "two");
    assert.equal(await chat.turn("history").text(), "Be brief.|say: one|one|say: two|two|history");
    await using resumed = client.chat({ history: [messages.user("a"), messages.assistant("b")] });
    assert.equal(await resumed.turn("history").text(), "a|b|history");
  },

  "a turn that is stopped keeps its text, and the chat goes on": async ({ client, leaves }) => {
    const prompt = "hang after half: a turn is stopped";
    await using chat = client.chat();
    const turn = chat.turn(prompt);
    await untilText(turn);
    leaves(prompt);
    const usage = await turn.cancel();
    assert.ok(usage?.estimated && usage.outputTokens > 0n);
    assert.equal(await chat.turn("history").text(), `${prompt}|half|history`);
  },

  "a turn that fails does not end the chat": async ({ client }) => {
    await using chat = client.chat();
    const error = await failure(chat.turn("fail everywhere").text());
    checkError(error, "ALL_MODELS_FAILED", status.UNAVAILABLE);
    const odd = await failure(
      chat.turn({ prompt: "hi", constraints: { allowedModels: ["nobody/x"] } }).text(),
    );
    assert.equal(odd.violations[0]?.field, "turn.constraints.allowed_models");
    assert.equal(await chat.turn("hello").text(), "Hello, world");
  },

  "a turn's timeout and signal stop it, and no other": async ({ client, leaves }) => {
    await using chat = client.chat();
    const late = await failure(chat.turn({ prompt: "hang: a late turn", timeoutMs: 200 }).text());
    assert.ok(late instanceof DeadlineExceeded);
    const prompt = "hang after half: a signal comes to a turn";
    const controller = new AbortController();
    const turn = chat.turn({ prompt, signal: controller.signal });
    await untilText(turn);
    const ended = failure(turn.text());
    leaves(prompt);
    controller.abort();
    assert.ok((await ended) instanceof Cancelled);
    assert.equal(await chat.turn("hello").text(), "Hello, world");
  },

  "an idle chat closes in peace": async ({ client }) => {
    const chat = client.chat();
    await chat.turn("hello").text();
    const began = performance.now();
    await chat.close();
    assert.ok(performance.now() - began < 500);
  },

  "forty chats at once are not mixed": async ({ client }) => {
    const talk = async (client: PointsmanClient, name: number): Promise<string[]> => {
      await using chat = client.chat();
      const said = [];
      for (let i = 0; i < 3; i += 1) {
        said.push(await chat.turn(`say: ${name}-${i}`).text());
      }
      return said;
    };
    const all = await Promise.all(Array.from({ length: 40 }, (_, name) => talk(client, name)));
    all.forEach((said, name) => assert.deepEqual(said, [`${name}-0`, `${name}-1`, `${name}-2`]));
  },

  // the last: nothing is served after it
  "a drain ends what is under way, and no more": async ({ client, drain }) => {
    await using chat = client.chat();
    await chat.turn("hello").text();
    const answer = client.complete("words: 300");
    await untilText(answer);
    drain();
    const rest = answer.text();
    const idle = failure(chat.turn("hang: is this turn taken?").text());
    assert.equal(await rest, words(300));
    checkError(await idle, (await idle).reason, status.UNAVAILABLE);
    const refused = await failure(client.generate("hello"));
    assert.equal(refused.code, status.UNAVAILABLE);
  },
};

function words(count: number): string {
  return Array.from({ length: count }, (_, i) => `${i} `).join("");
}

async function drained(pieces: AsyncIterable<string>): Promise<void> {
  for await (const _ of pieces) {
    // go on
  }
}

async function untilText(answer: Answer): Promise<void> {
  while (answer.textSoFar === "") {
    await answer.next();
  }
}
