import type {ErrorData} from '#support/errors';

/**
 * The control protocol: a stream of JSON values, one per line. The server begins with a {@link Hello}; then the client
 * sends {@link Request}s and gets a {@link Response} with the same id for each, in order.
 */
export const protocolName = 'openvmm-control';

/** Counts up when a client of before would misunderstand something; new methods and new fields do not count. */
export const protocolVersion = 1;

/** Longest request in bytes, its line feed included. */
export const maxRequestBytes = 64 * 1024;

/** Requests of a connection that wait for the one before them; what a client sends beyond that waits in its socket. */
export const maxWaiting = 8;

/** Milliseconds between two {@link Progress} of a request at least. */
export const progressMs = 200;

/** Connections at one time; each holds its waiting requests and one response at most. */
export const maxClients = 32;

/** Introduces the machine that the client has reached. */
export interface Hello {
	readonly hello: {
		readonly protocol: typeof protocolName;
		readonly version: number;
		/** Process of the machine. */
		readonly pid: number;
		/** Name that its owner gave it. */
		readonly name?: string;
		/** Methods that a client may call. */
		readonly methods: readonly string[];
	};
}

/** Request of a client. */
export interface Request {
	/** Comes back with the response. */
	readonly id: number | string;
	readonly method: string;
	readonly params?: Readonly<Record<string, unknown>>;
	/** Asks for {@link Progress} before the response. */
	readonly progress?: boolean;
}

/** How far a request is that asked to be told. */
export interface Progress {
	readonly id: Request['id'];
	readonly progress: {readonly done: number; readonly total: number};
}

/** The id is null when the request has none that can be read. */
export type Response =
	| {readonly id: Request['id'] | null; readonly result: unknown}
	| {readonly id: Request['id'] | null; readonly error: ErrorData};
