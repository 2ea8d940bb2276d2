import {ByteRing} from '#support/shared-memory';
import type {FieldsView} from '#support/wire';
import {highestResolution, idForRates, longestPacket, MouseCommand, MouseId, mouseDefaults} from './mouse-commands.ts';
import {clamp, scaled, writePacket} from './mouse-packet.ts';
import {Outbox} from './outbox.ts';
import {Ps2} from './ps2.ts';
import {type I8042Fields, I8042State} from './state.ts';

/** Input for the mouse, in the directions of USB HID: right, down, and the wheel away from the user are positive. */
export interface MouseMove {
	readonly dx?: number;
	readonly dy?: number;
	readonly wheel?: number;
	/** All buttons that are pressed now, left, right, middle, fourth, fifth from bit 0 on; without it, as before. */
	readonly buttons?: number;
}

/** Movement that nobody fetches adds up to this and no further. */
const mostMovement = 0x7fff;
const allButtons = 0x1f;

/**
 * The PS/2 mouse. Movement is collected and leaves in a packet as soon as there is room for one, so a guest that does
 * not read loses no button: it sees the latest state. The sample rate does not slow it down.
 */
export class Mouse {
	readonly #state: FieldsView<I8042Fields>;
	readonly #outbox: Outbox;
	/** The latest packet made. */
	readonly #packet = new Uint8Array(longestPacket);

	constructor(state: FieldsView<I8042Fields>) {
		this.#state = state;
		this.#outbox = new Outbox(new ByteRing(I8042State, state, 'mouseReply'), new ByteRing(I8042State, state, 'mouse'));
	}

	/** The next byte to send; -1 for none. */
	shift(): number {
		const byte = this.#outbox.shift();
		this.#report();
		return byte;
	}

	/** Takes input. */
	move({dx = 0, dy = 0, wheel = 0, buttons = this.#state.mouseButtons}: MouseMove): void {
		const state = this.#state;
		if ((buttons & allButtons) !== state.mouseButtons) state.mouseChanged = 1;
		state.mouseButtons = buttons & allButtons;
		if (state.mouseRemote === 0 && !this.#streams()) return;
		state.mouseX = add(state.mouseX, dx);
		state.mouseY = add(state.mouseY, -dy);
		state.mouseZ = add(state.mouseZ, -wheel);
		if (state.mouseX !== 0 || state.mouseY !== 0 || state.mouseZ !== 0) state.mouseChanged = 1;
		this.#report();
	}

	/** A byte from the controller. It interrupts the packets on their way, which count as one change still to report. */
	write(byte: number): void {
		if (this.#outbox.dropReports()) this.#state.mouseChanged = 1;
		this.#outbox.beginReply();
		if (byte === Ps2.RESEND) this.#resend();
		else {
			this.#state.mouseLastLength = 0;
			this.#answer(byte);
		}
		this.#report();
	}

	/** Goes on with the answer, and keeps it for a resend. */
	#reply(byte: number): void {
		const state = this.#state;
		state.mouseLast[state.mouseLastLength++] = byte;
		this.#outbox.reply(byte);
	}

	#answer(byte: number): void {
		const state = this.#state;
		const pending = state.mousePending;
		state.mousePending = 0;
		if (byte === Ps2.RESET) this.#reset();
		else if (state.mouseWrap === 1 && byte !== MouseCommand.LEAVE_WRAP_MODE) this.#reply(byte);
		else if (pending === 0) this.#command(byte);
		else this.#reply(this.#argument(pending, byte));
	}

	#command(code: number): void {
		const state = this.#state;
		switch (code) {
			case MouseCommand.READ_STATUS:
				this.#reply(Ps2.ACK);
				this.#reply(this.#status());
				this.#reply(state.mouseResolution);
				this.#reply(state.mouseRate);
				break;
			case MouseCommand.READ_DATA:
				this.#reply(Ps2.ACK);
				this.#replyPacket();
				break;
			case MouseCommand.READ_ID:
				this.#reply(Ps2.ACK);
				this.#reply(state.mouseId);
				break;
			case MouseCommand.SET_RESOLUTION:
			case MouseCommand.SET_RATE:
				state.mousePending = code;
				this.#reply(Ps2.ACK);
				break;
			default:
				this.#reply(this.#simpleCommand(code));
		}
	}

	/** Does a command that has neither an argument nor more to answer than this. */
	#simpleCommand(code: number): number {
		const state = this.#state;
		switch (code) {
			case MouseCommand.SCALING_1:
			case MouseCommand.SCALING_2:
				state.mouseScaling = code === MouseCommand.SCALING_2 ? 1 : 0;
				return Ps2.ACK;
			case MouseCommand.STREAM_MODE:
			case MouseCommand.REMOTE_MODE:
				state.mouseRemote = code === MouseCommand.REMOTE_MODE ? 1 : 0;
				this.#clearMovement();
				return Ps2.ACK;
			case MouseCommand.WRAP_MODE:
			case MouseCommand.LEAVE_WRAP_MODE:
				state.mouseWrap = code === MouseCommand.WRAP_MODE ? 1 : 0;
				this.#clearMovement();
				return Ps2.ACK;
			case MouseCommand.ENABLE:
			case MouseCommand.DISABLE:
				state.mouseReporting = code === MouseCommand.ENABLE ? 1 : 0;
				this.#clearMovement();
				return Ps2.ACK;
			case MouseCommand.DEFAULTS:
				this.#setDefaults();
				return Ps2.ACK;
			default:
				return Ps2.RESEND;
		}
	}

	#argument(command: number, value: number): number {
		const state = this.#state;
		if (command === MouseCommand.SET_RESOLUTION) {
			if (value > highestResolution) return Ps2.RESEND;
			state.mouseResolution = value;
			return Ps2.ACK;
		}
		const rates = state.mouseRates;
		const second = rates[0] as number;
		state.mouseId = idForRates(rates[1] as number, second, value) ?? state.mouseId;
		rates[0] = value;
		rates[1] = second;
		state.mouseRate = value;
		return Ps2.ACK;
	}

	#status(): number {
		const {mouseRemote, mouseReporting, mouseScaling, mouseButtons} = this.#state;
		const left = mouseButtons & 1;
		const right = (mouseButtons >> 1) & 1;
		const middle = (mouseButtons >> 2) & 1;
		return (mouseRemote << 6) | (mouseReporting << 5) | (mouseScaling << 4) | (left << 2) | (middle << 1) | right;
	}

	#reset(): void {
		this.#setDefaults();
		this.#state.mouseWrap = 0;
		this.#state.mouseId = MouseId.PLAIN;
		this.#reply(Ps2.ACK);
		this.#reply(Ps2.TEST_PASSED);
		this.#reply(this.#state.mouseId);
	}

	#setDefaults(): void {
		const state = this.#state;
		state.mouseReporting = 0;
		state.mouseRemote = 0;
		state.mouseScaling = 0;
		state.mouseResolution = mouseDefaults.resolution;
		state.mouseRate = mouseDefaults.rate;
		state.mouseRates.fill(0);
		this.#clearMovement();
	}

	#streams(): boolean {
		const {mouseReporting, mouseRemote, mouseWrap} = this.#state;
		return mouseReporting === 1 && mouseRemote === 0 && mouseWrap === 0;
	}

	/** Queues a packet if one is due and fits. */
	#report(): void {
		const state = this.#state;
		if (state.mouseChanged === 0 || !this.#streams()) return;
		const length = this.#makePacket(state.mouseScaling === 1);
		if (!this.#outbox.report(this.#packet, length)) return;
		state.mouseLast.set(this.#packet);
		state.mouseLastLength = length;
		this.#clearMovement();
	}

	#replyPacket(): void {
		const length = this.#makePacket(false);
		for (let at = 0; at < length; at++) this.#reply(this.#packet[at] as number);
		this.#clearMovement();
	}

	/** Makes the packet of the movement so far; returns its length. */
	#makePacket(scale: boolean): number {
		const {mouseId, mouseX, mouseY, mouseZ, mouseButtons} = this.#state;
		const x = scale ? scaled(mouseX) : mouseX;
		const y = scale ? scaled(mouseY) : mouseY;
		return writePacket(this.#packet, mouseId, x, y, mouseZ, mouseButtons);
	}

	#clearMovement(): void {
		const state = this.#state;
		state.mouseX = 0;
		state.mouseY = 0;
		state.mouseZ = 0;
		state.mouseChanged = 0;
	}

	/** Answers a request for a resend, which is itself not kept; before anything was sent, with the result of the self-test. */
	#resend(): void {
		const [state, outbox] = [this.#state, this.#outbox];
		const pending = state.mousePending;
		state.mousePending = 0;
		if (state.mouseWrap === 1) outbox.reply(Ps2.RESEND);
		else if (pending !== 0) outbox.reply(this.#argument(pending, Ps2.RESEND));
		else if (state.mouseLastLength === 0) {
			outbox.reply(Ps2.TEST_PASSED);
			outbox.reply(state.mouseId);
		} else {
			const length = Math.min(state.mouseLastLength, state.mouseLast.length);
			for (let at = 0; at < length; at++) outbox.reply(state.mouseLast[at] as number);
		}
	}
}

/** The sum in whole counts, held in bounds; what is not a number adds nothing. */
const add = (sum: number, change: number) => clamp(sum + (Math.trunc(change) || 0), -mostMovement, mostMovement);
