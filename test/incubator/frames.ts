/** The wire between the incubator's session and the agent inside: frames on a byte stream. */

const HEADER_BYTES = 9;
/** Longer frames mean that the two sides have lost each other. */
const MAX_PAYLOAD_BYTES = 1 << 20;

/** Interval at which the agent says that it is there, with a `ready` frame. */
export const HEARTBEAT_MS = 5000;

/** Subject of a frame. Payloads are raw bytes for the streams and JSON for the rest. */
export const FRAME = {
	/** Agent: ready for commands. */
	ready: 0,
	/** Session: start a command ({@link StartRequest}). */
	start: 1,
	/** Session: bytes for the command's stdin; an empty frame closes it. */
	stdin: 2,
	/** Session: a signal for the command and its children (its name). */
	signal: 3,
	/** Agent: bytes that the command wrote. */
	stdout: 4,
	stderr: 5,
	/** Agent: the command has ended ({@link ExitReport}); no more frames carry its id. */
	exit: 6,
} as const;

/** Request to start a command. */
export interface StartRequest {
	readonly argv: readonly string[];
	readonly cwd: string;
	readonly env: Readonly<Record<string, string>>;
	/** Gives the command a terminal of this size, for interactive use. */
	readonly terminal?: {readonly columns: number; readonly rows: number};
}

/** End of a command: an exit status, a signal, or the reason why it could not start. */
export interface ExitReport {
	readonly status: number | null;
	readonly signal: string | null;
	readonly error?: string;
}

/** One message; `id` names the command. */
export interface Frame {
	readonly kind: number;
	readonly id: number;
	readonly payload: Uint8Array;
}

/** The bytes of one frame. */
export function encodeFrame(kind: number, id: number, payload: Uint8Array = new Uint8Array()): Uint8Array {
	const header = Buffer.alloc(HEADER_BYTES);
	header.writeUInt32LE(payload.length, 0);
	header.writeUInt32LE(id, 4);
	header.writeUInt8(kind, 8);
	return Buffer.concat([header, payload]);
}

/** A frame whose payload is `value` as JSON. */
export function encodeJsonFrame(kind: number, id: number, value: unknown): Uint8Array {
	return encodeFrame(kind, id, Buffer.from(JSON.stringify(value)));
}

/** Cuts a byte stream into frames, however the bytes are split. */
export class FrameReader {
	#pending: Buffer = Buffer.alloc(0);

	/** Takes the next bytes and returns the frames that they complete; throws on an impossible length. */
	push(bytes: Uint8Array): Frame[] {
		this.#pending = Buffer.concat([this.#pending, bytes]);
		const frames: Frame[] = [];
		for (;;) {
			if (this.#pending.length < HEADER_BYTES) {
				return frames;
			}
			const length = this.#pending.readUInt32LE(0);
			if (length > MAX_PAYLOAD_BYTES) {
				throw new Error(`Frame of ${length} bytes is longer than ${MAX_PAYLOAD_BYTES}`);
			}
			const end = HEADER_BYTES + length;
			if (this.#pending.length < end) {
				return frames;
			}
			frames.push({
				kind: this.#pending.readUInt8(8),
				id: this.#pending.readUInt32LE(4),
				payload: this.#pending.subarray(HEADER_BYTES, end),
			});
			this.#pending = this.#pending.subarray(end);
		}
	}
}
