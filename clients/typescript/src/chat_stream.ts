// The bidirectional stream under a chat: reads, writes, and how it ends.

import type { ClientDuplexStream } from "@grpc/grpc-js";

import {
  BrokenStream,
  Cancelled,
  fromServiceError,
  isServiceError,
  type PointsmanError,
} from "./errors.js";
import type { ChatRequest, ChatResponse } from "./gen/pointsman/v1/router_service_pb.js";

const END_GRACE_MS = 1000;

export type ChatCall = ClientDuplexStream<ChatRequest, ChatResponse>;

/** One open call of RouterService.Chat. Once it has failed, it fails in the same way for good. */
export class ChatStream {
  readonly #call: ChatCall;
  readonly #target: string;
  readonly #responses: AsyncIterator<ChatResponse>;
  #answered = false;
  #error: PointsmanError | undefined;

  constructor(call: ChatCall, target: string) {
    this.#call = call;
    this.#target = target;
    this.#responses = call.iterator({ destroyOnReturn: false });
  }

  /** Why it has ended for good; undefined while it goes on. */
  get error(): PointsmanError | undefined {
    return this.#error;
  }

  /** Wait for the server's next message. */
  async read(): Promise<ChatResponse> {
    if (this.#error !== undefined) {
      throw this.#error;
    }
    let ending: PointsmanError;
    try {
      const { done, value } = await this.#responses.next();
      if (!done) {
        this.#answered = true;
        return value;
      }
      ending = new BrokenStream("the server ended the chat");
    } catch (error) {
      if (!isServiceError(error)) {
        throw error;
      }
      ending = fromServiceError(error, this.#target, { answered: this.#answered });
    }
    throw this.fail(ending);
  }

  /** Send a message; throws the error that has ended the stream, if one has. */
  write(request: ChatRequest): void {
    if (this.#error !== undefined) {
      throw this.#error;
    }
    this.#call.write(request);
  }

  /** End the stream for a reason; returns the reason that was first. */
  fail(error: PointsmanError): PointsmanError {
    this.#error ??= error;
    this.#call.cancel();
    return this.#error;
  }

  /** End the stream: in peace by saying so and hearing the server out, otherwise at once. */
  async close(inPeace: boolean): Promise<void> {
    if (inPeace && this.#error === undefined) {
      this.#call.end();
      // a server that does not end it in turn is not waited for
      const enough = setTimeout(() => this.#call.cancel(), END_GRACE_MS);
      await this.#hearOut();
      clearTimeout(enough);
    }
    this.fail(new Cancelled("the chat is closed"));
  }

  async #hearOut(): Promise<void> {
    try {
      for (;;) {
        await this.read();
      }
    } catch {
      // that was the end
    }
  }
}
