// The client: one channel to one server.

import type {
  DescMessage,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { credentials, type ChannelCredentials } from "@grpc/grpc-js";

import { Chat } from "./chat.js";
import { Completion } from "./completion.js";
import { BrokenStream } from "./errors.js";
import { AdminService, type GetServerInfoResponse } from "./gen/pointsman/v1/admin_service_pb.js";
import type {
  Classification,
  ClassificationOverridesSchema,
} from "./gen/pointsman/v1/classification_pb.js";
import type { Decision, RoutingConstraintsSchema } from "./gen/pointsman/v1/decision_pb.js";
import type { GenerationOptionsSchema, Message } from "./gen/pointsman/v1/message_pb.js";
import type { Model } from "./gen/pointsman/v1/registry_pb.js";
import { RegistryService } from "./gen/pointsman/v1/registry_service_pb.js";
import {
  RouterService,
  type CallContextSchema,
  type ExecutionOptionsSchema,
  type GenerateResponse,
} from "./gen/pointsman/v1/router_service_pb.js";
import { conversation, type Prompt } from "./messages.js";
import { checkedTimeout, Rpc, type CallOptions } from "./rpc.js";

/** Where a server listens where it is not told otherwise. */
export const DEFAULT_ADDRESS = "127.0.0.1:50051";

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_PAGES = 1000;
const SERVING = 1;

/** How a client connects, and what bounds its calls. */
export interface ClientOptions {
  /** The most milliseconds that a call or a chat's turn may take where it does not say; 120,000. */
  readonly timeoutMs?: number;
  /** TLS credentials. Without them nothing is encrypted, the key included. */
  readonly credentials?: ChannelCredentials;
  /** Sent with every call as a bearer token. */
  readonly apiKey?: string;
  /** The largest message sent or received; 4 MiB. */
  readonly maxMessageBytes?: number;
}

/** What holds for an answer, or every turn of a chat. What is not set is the router's choice. */
export interface RoutingOptions {
  /** Instructions that precede the conversation. */
  readonly system?: string;
  /** Whom the call is for. */
  readonly context?: MessageInitShape<typeof CallContextSchema>;
  /** What the model must meet: which, how dear, where. */
  readonly constraints?: MessageInitShape<typeof RoutingConstraintsSchema>;
  /** How it should generate: length, temperature, tools, a schema. */
  readonly generation?: MessageInitShape<typeof GenerationOptionsSchema>;
}

/** What `classify` may be told. */
export type ClassifyOptions = Prompt &
  CallOptions & {
    readonly system?: string;
    /** What the caller already knows of the prompt. */
    readonly overrides?: MessageInitShape<typeof ClassificationOverridesSchema>;
    /** Return the scores of all labels. */
    readonly includeScores?: boolean;
  };

/** What `route` may be told. */
export type RouteOptions = Prompt &
  CallOptions &
  RoutingOptions & {
    /** What the caller already knows of the prompt. */
    readonly overrides?: MessageInitShape<typeof ClassificationOverridesSchema>;
    /** Have the decision list its candidates and reasons. */
    readonly explain?: boolean;
  };

/** What `complete` and `generate` may be told. */
export type CompleteOptions = RouteOptions & {
  /** How the call may trade money for speed. */
  readonly execution?: MessageInitShape<typeof ExecutionOptionsSchema>;
  /** A UUIDv4 that makes the call safe to retry, on servers that keep answers. */
  readonly requestId?: string;
};

/** What `chat` may be told. */
export interface ChatOptions extends RoutingOptions {
  /** What was said before. */
  readonly history?: readonly Message[];
  /** How turns may trade money for speed. */
  readonly execution?: MessageInitShape<typeof ExecutionOptionsSchema>;
}

/**
 * A client of one pointsman server. It connects when first used; `close` it at the end.
 *
 * All methods fail with a `PointsmanError`.
 */
export class PointsmanClient {
  readonly #rpc: Rpc;

  /**
   * @param address "host:port", or any name that gRPC resolves, such as "unix:/run/pointsman.sock".
   */
  constructor(address: string = DEFAULT_ADDRESS, options: ClientOptions = {}) {
    const maxBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#rpc = new Rpc({
      target: address,
      credentials: options.credentials ?? credentials.createInsecure(),
      metadata: options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` },
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      channelOptions: {
        "grpc.max_receive_message_length": maxBytes,
        "grpc.max_send_message_length": maxBytes,
      },
    });
  }

  /** The server's address. */
  get address(): string {
    return this.#rpc.target;
  }

  /** Say what a prompt asks for. Calls no model. */
  async classify(what: string | ClassifyOptions): Promise<Classification> {
    const options: ClassifyOptions = spelled(what);
    const { overrides, includeScores = false } = options;
    const request = {
      messages: conversation(options, options.system),
      includeScores,
      ...(overrides && { overrides }),
    };
    const response = await this.#rpc.unary(RouterService.method.classify, request, options);
    return present(response.classification, "classification");
  }

  /** Choose a model for a prompt, and call none. */
  async route(what: string | RouteOptions): Promise<Decision> {
    const options: RouteOptions = spelled(what);
    const request = routing(options);
    const { decision } = await this.#rpc.unary(RouterService.method.route, request, options);
    return present(decision, "decision");
  }

  /** Route a prompt and return the answer once it is whole. */
  async generate(what: string | CompleteOptions): Promise<GenerateResponse> {
    const options: CompleteOptions = spelled(what);
    const response = await this.#rpc.unary(
      RouterService.method.generate,
      completing(options),
      options,
    );
    present(response.completed, "completed");
    return response;
  }

  /** Route a prompt and stream the answer; nothing is sent before the answer is read. */
  complete(what: string | CompleteOptions): Completion {
    const options: CompleteOptions = spelled(what);
    const request = completing(options);
    const timeoutMs = checkedTimeout(options.timeoutMs ?? this.#rpc.timeoutMs);
    const start = () =>
      this.#rpc.serverStream(RouterService.method.complete, request, timeoutMs);
    return new Completion(start, this.address, options.signal);
  }

  /** Hold a conversation over one stream. The stream has no deadline; each turn has one. */
  chat(options: ChatOptions = {}): Chat {
    const { history = [], system, context, constraints, generation, execution } = options;
    const setup = {
      history: conversation({ messages: history }, system),
      ...(context && { context }),
      ...(constraints && { constraints }),
      ...(generation && { generation }),
      ...(execution && { execution }),
    };
    const start = () => this.#rpc.bidi(RouterService.method.chat);
    return new Chat(start, setup, this.address, this.#rpc.timeoutMs);
  }

  /** List all models by name. `timeoutMs` bounds each page. */
  async models(options?: CallOptions): Promise<Model[]> {
    const models: Model[] = [];
    let pageToken = "";
    for (let pages = 0; pages < MAX_PAGES; pages += 1) {
      const page = await this.#rpc.unary(RegistryService.method.listModels, { pageToken }, options);
      models.push(...page.models);
      pageToken = page.nextPageToken;
      if (pageToken === "") {
        return models;
      }
    }
    throw new BrokenStream(`the list of models goes on after ${MAX_PAGES} pages`);
  }

  /** Say what the server runs. Operators may have put this on another port. */
  serverInfo(options?: CallOptions): Promise<GetServerInfoResponse> {
    return this.#rpc.unary(AdminService.method.getServerInfo, {}, options);
  }

  /** Say whether the server, or one service of it, takes calls. */
  async health(service = "", options: CallOptions = {}): Promise<boolean> {
    return (await this.#rpc.health(service, options)) === SERVING;
  }

  /** Call any other unary method of the API, such as `FeedbackService.method.reportOutcome`. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>> {
    return this.#rpc.unary(method, request, options);
  }

  /** Close the channel. Calls under way go on; new ones fail. Idempotent. */
  close(): void {
    this.#rpc.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function spelled<T extends object>(what: string | T): T | { prompt: string } {
  return typeof what === "string" ? { prompt: what } : what;
}

function routing(options: RouteOptions) {
  const { system, context, overrides, constraints, generation, explain = false } = options;
  return {
    messages: conversation(options, system),
    explain,
    ...(context && { context }),
    ...(overrides && { overrides }),
    ...(constraints && { constraints }),
    ...(generation && { generation }),
  };
}

function completing(options: CompleteOptions) {
  const { execution, requestId = "" } = options;
  return { ...routing(options), requestId, ...(execution && { execution }) };
}

function present<T>(part: T | undefined, name: string): T {
  if (part === undefined) {
    throw new BrokenStream(`the server's response has no ${name}`);
  }
  return part;
}
