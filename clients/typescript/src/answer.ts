// Answers as they come: the events of one completion, and what they amount to.

import { BrokenStream, Cancelled, PointsmanError, TextDiscarded } from "./errors.js";
import type { Decision } from "./gen/pointsman/v1/decision_pb.js";
import type { ToolCall } from "./gen/pointsman/v1/message_pb.js";
import type { Completed, CompletionEvent } from "./gen/pointsman/v1/router_service_pb.js";

/** The most characters that one answer may hold: many times what any model writes. */
export const MAX_ANSWER_CHARS = 16 * 1024 * 1024;

/** What the events of one completion amount to so far. Does no I/O. */
export class AnswerState {
  decision: Decision | undefined;
  completed: Completed | undefined;
  text = "";
  toolCalls: ToolCall[] = [];
  #nextSequence = 0n;
  #charsLeft: number;

  constructor(private readonly maxChars = MAX_ANSWER_CHARS) {
    this.#charsLeft = maxChars;
  }

  /**
   * Take the next event in; false where its kind is not known and it must be skipped.
   *
   * @throws BrokenStream an event is missing, or one came that must not.
   */
  accept({ sequence, event }: CompletionEvent): boolean {
    if (sequence !== this.#nextSequence) {
      throw new BrokenStream(
        `event ${this.#nextSequence} of the answer is missing: ${sequence} came`,
      );
    }
    if (this.completed !== undefined) {
      throw new BrokenStream("an event came after the answer was complete");
    }
    this.#nextSequence += 1n;
    switch (event.case) {
      case "decision":
        this.decision = event.value;
        break;
      case "delta":
        this.#add(event.value.delta);
        break;
      case "modelSwitched":
        if (event.value.discard) {
          this.text = "";
          this.toolCalls = [];
          this.#charsLeft = this.maxChars;
        }
        break;
      case "completed":
        this.completed = event.value;
        break;
      default:
        break;
    }
    return event.case !== undefined;
  }

  #add(delta: Extract<CompletionEvent["event"], { case: "delta" }>["value"]["delta"]): void {
    if (delta.case === "text") {
      this.#charsLeft -= delta.value.length;
      this.text += delta.value;
    } else if (delta.case === "toolCall") {
      this.#charsLeft -= delta.value.argumentsJson.length;
      this.toolCalls.push(delta.value);
    }
    if (this.#charsLeft < 0) {
      throw new BrokenStream(`the answer is longer than ${this.maxChars} characters`);
    }
  }
}

/**
 * The answer to one prompt, while it comes. Iterate over it once, or take its text.
 *
 * Nothing is sent before it is first read. Iteration yields every event whose kind is known; it
 * ends once the answer is complete, and throws a `PointsmanError` in any other case: an answer that
 * was cut never looks complete. Leaving the loop early stops the answer, on the server too.
 */
export abstract class Answer implements AsyncIterableIterator<CompletionEvent, undefined> {
  readonly #state = new AnswerState();
  readonly #unread: CompletionEvent[] = [];
  #error: PointsmanError | undefined;
  #stopped = false;
  #before: Promise<unknown> = Promise.resolve();

  /** Which model was chosen, and why. Undefined before the first event. */
  get decision(): Decision | undefined {
    return this.#state.decision;
  }

  /** Model, finish reason, usage and cost. Undefined until the answer is whole. */
  get completed(): Completed | undefined {
    return this.#state.completed;
  }

  /** The text read so far, without what was discarded. Whole only once `completed` is there. */
  get textSoFar(): string {
    return this.#state.text;
  }

  /** The tool calls read so far, without those discarded. */
  get toolCalls(): readonly ToolCall[] {
    return this.#state.toolCalls;
  }

  /**
   * Read to the end and return the whole text.
   *
   * @throws PointsmanError there is no whole answer.
   */
  async text(): Promise<string> {
    while (!(await this.next()).done) {
      // the state gathers what comes
    }
    if (this.completed === undefined) {
      throw new Cancelled("reading was stopped before the answer was whole");
    }
    return this.textSoFar;
  }

  /**
   * Yield the text piece by piece, as it comes.
   *
   * @throws TextDiscarded the pieces yielded so far no longer count, which only happens where
   *   `execution.switchPolicy` is `SwitchPolicy.RESTART`. Iterate anew for what replaces them.
   * @throws PointsmanError there is no whole answer.
   */
  async *texts(): AsyncGenerator<string, void, undefined> {
    let yielded = false;
    let readOn = false;
    try {
      for (let step = await this.next(); !step.done; step = await this.next()) {
        const { event } = step.value;
        if (event.case === "delta" && event.value.delta.case === "text") {
          yielded = true;
          yield event.value.delta.value;
        } else if (yielded && event.case === "modelSwitched" && event.value.discard) {
          readOn = true;
          throw new TextDiscarded(`${event.value.model} starts over`);
        }
      }
    } finally {
      if (!readOn) {
        await this.return();
      }
    }
  }

  /** The next event. Calls wait for each other. */
  next(): Promise<IteratorResult<CompletionEvent, undefined>> {
    const result = this.#before.then(() => this.#next());
    this.#before = result.catch(() => undefined);
    return result;
  }

  /** Stop the answer if it is still coming. A loop that is left early does this by itself. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#stopped = true;
    this.stop();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next events from the server, or undefined where no more come. */
  protected abstract read(): Promise<readonly CompletionEvent[] | undefined>;

  /** Stop what is still coming, if anything is. Idempotent. */
  protected abstract stop(): void;

  async #next(): Promise<IteratorResult<CompletionEvent, undefined>> {
    if (this.#error !== undefined) {
      throw this.#error;
    }
    try {
      const event = this.#stopped ? undefined : await this.#nextKnown();
      if (event !== undefined) {
        return { done: false, value: event };
      }
    } catch (error) {
      if (this.#stopped) {
        return { done: true, value: undefined };
      }
      if (error instanceof PointsmanError) {
        this.#error = error;
        this.stop();
      }
      throw error;
    }
    return { done: true, value: undefined };
  }

  async #nextKnown(): Promise<CompletionEvent | undefined> {
    for (;;) {
      for (let event = this.#unread.shift(); event !== undefined; event = this.#unread.shift()) {
        if (this.#state.accept(event)) {
          return event;
        }
      }
      const events = await this.read();
      if (events === undefined) {
        if (this.completed === undefined && !this.#stopped) {
          throw new BrokenStream("the stream ended before the answer was complete");
        }
        return undefined;
      }
      this.#unread.push(...events);
    }
  }
}
