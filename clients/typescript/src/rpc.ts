// Calls over one gRPC channel, by the descriptors of the generated code.

import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Int32ValueSchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  Client,
  Metadata,
  type CallOptions as GrpcCallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";

import { Cancelled, fromServiceError } from "./errors.js";

/** What bounds a call. */
export interface CallOptions {
  /**
   * The most milliseconds that the call may take; the client's own where not given, no bound with
   * `Infinity`.
   */
  readonly timeoutMs?: number;
  /** Cancels the call, and with it the server's work for it; the call then fails as `Cancelled`. */
  readonly signal?: AbortSignal;
}

/** Where to connect, and how. */
export interface RpcSettings {
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly metadata: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly channelOptions: ChannelOptions;
}

/** One channel. It connects when first used. */
export class Rpc {
  readonly target: string;
  readonly timeoutMs: number;
  readonly #client: Client;
  readonly #metadata: Readonly<Record<string, string>>;

  constructor(settings: RpcSettings) {
    this.target = settings.target;
    this.timeoutMs = checkedTimeout(settings.timeoutMs);
    this.#client = new Client(settings.target, settings.credentials, settings.channelOptions);
    this.#metadata = settings.metadata;
  }

  /** Call a method with one request and one response. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const [input, output] = [method.input as I, method.output as O];
    const message = create(input, request);
    return this.#unary(pathOf(method), input, output, message, options);
  }

  /** Ask the standard health service; "" is the whole server. Returns a ServingStatus. */
  async health(service: string, options: CallOptions): Promise<number> {
    // Its request is one string field numbered 1, and its response one enum field numbered 1: the
    // well-known wrappers for strings and integers have that very shape on the wire.
    const request = create(StringValueSchema, { value: service });
    const path = "/grpc.health.v1.Health/Check";
    const response = await this.#unary(path, StringValueSchema, Int32ValueSchema, request, options);
    return response.value;
  }

  /** Call a method with one request and a stream of responses. */
  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    timeoutMs?: number,
  ): ClientReadableStream<MessageShape<O>> {
    const [input, output] = [method.input as I, method.output as O];
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => serialized(input, message),
      (bytes: Buffer) => fromBinary(output, bytes),
      create(input, request),
      this.#callMetadata(),
      this.#bounds(timeoutMs),
    );
    call.on("error", ignore); // whoever reads is told; unheard, it would end the process
    return call;
  }

  /** Call a method with a stream each way. It has no deadline. */
  bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
  ): ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
    const [input, output] = [method.input as I, method.output as O];
    const call = this.#client.makeBidiStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => serialized(input, message),
      (bytes: Buffer) => fromBinary(output, bytes),
      this.#callMetadata(),
    );
    call.on("error", ignore);
    return call;
  }

  /** Close the channel. Calls under way go on; new ones fail. */
  close(): void {
    this.#client.close();
  }

  #unary<I extends DescMessage, O extends DescMessage>(
    path: string,
    input: I,
    output: O,
    request: MessageShape<I>,
    { timeoutMs, signal }: CallOptions,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(cancelledBy(signal));
        return;
      }
      const done = (error: ServiceError | null, response?: MessageShape<O>): void => {
        signal?.removeEventListener("abort", abort);
        if (response !== undefined && error === null) {
          resolve(response);
        } else if (signal?.aborted) {
          reject(cancelledBy(signal));
        } else {
          reject(error === null ? error : fromServiceError(error, this.target));
        }
      };
      const call = this.#client.makeUnaryRequest(
        path,
        (message: MessageShape<I>) => serialized(input, message),
        (bytes: Buffer) => fromBinary(output, bytes),
        request,
        this.#callMetadata(),
        this.#bounds(timeoutMs),
        done,
      );
      const abort = (): void => call.cancel();
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #callMetadata(): Metadata {
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(this.#metadata)) {
      metadata.set(key, value);
    }
    return metadata;
  }

  #bounds(timeoutMs = this.timeoutMs): GrpcCallOptions {
    const timeout = checkedTimeout(timeoutMs);
    return timeout === Infinity ? {} : { deadline: Date.now() + timeout };
  }
}

/** The error of a call whose signal was aborted. */
export function cancelledBy(signal: AbortSignal): Cancelled {
  return new Cancelled("the caller's signal was aborted", undefined, { cause: signal.reason });
}

/** The timeout as it was given. Throws RangeError where it is none. */
export function checkedTimeout(timeoutMs: number): number {
  if (!(timeoutMs >= 0)) {
    throw new RangeError(`timeoutMs is ${timeoutMs}: give 0 or more, or Infinity for no bound`);
  }
  return timeoutMs;
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function serialized<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
  return Buffer.from(toBinary(schema, message));
}

function ignore(): void {
  // nothing to do
}
