import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";

import { AnswerState } from "../src/answer.js";
import { BrokenStream, CompletionEventSchema, type CompletionEvent } from "../src/index.js";
import { completed, decision, events, text } from "./fake_server.js";

function numbered(...whats: Parameters<typeof events> extends [number, ...infer W] ? W : never) {
  return events(0, ...whats).map((event) => create(CompletionEventSchema, event));
}

function fed(state: AnswerState, parts: CompletionEvent[]): boolean[] {
  return parts.map((event) => state.accept(event));
}

const discard = { case: "modelSwitched", value: { model: "two/b", discard: true } } as const;

test("an answer is the text of its deltas in order", () => {
  const state = new AnswerState();
  assert.deepEqual(fed(state, numbered(decision, text("a"), text("b"), completed)), [
    true,
    true,
    true,
    true,
  ]);
  assert.equal(state.text, "ab");
  assert.equal(state.decision?.model, "one/a");
  assert.equal(state.completed?.model, "one/a");
});

test("what was discarded is dropped, tool calls too", () => {
  const call = {
    case: "delta",
    value: { delta: { case: "toolCall", value: { callId: "c", name: "look" } } },
  } as const;
  const state = new AnswerState();
  fed(state, numbered(decision, text("dropped"), call, discard, text("kept")));
  assert.equal(state.text, "kept");
  assert.deepEqual(state.toolCalls, []);
});

test("an event of a kind that is not known is skipped, and counted", () => {
  const state = new AnswerState();
  const unknown = { case: undefined } as const;
  assert.deepEqual(fed(state, numbered(decision, unknown, text("a"))), [true, false, true]);
});

test("a missing or repeated event, and one after the end, break the stream", () => {
  const [first, second] = numbered(decision, text("a"));
  assert.ok(first && second);
  assert.throws(() => new AnswerState().accept(second), BrokenStream);
  const state = new AnswerState();
  state.accept(first);
  assert.throws(() => state.accept(first), BrokenStream);
  const ended = new AnswerState();
  fed(ended, numbered(decision, completed));
  const [late] = events(2, text("more")).map((event) => create(CompletionEventSchema, event));
  assert.ok(late);
  assert.throws(() => ended.accept(late), /after the answer was complete/);
});

test("an answer without end is refused", () => {
  const state = new AnswerState(10);
  fed(state, numbered(text("0123456789"), discard, text("0123456789")));
  const [more] = events(3, text("x")).map((event) => create(CompletionEventSchema, event));
  assert.ok(more);
  assert.throws(() => state.accept(more), /longer than 10 characters/);
});
