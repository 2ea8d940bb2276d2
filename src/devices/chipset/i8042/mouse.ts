import {ByteRing} from '#support/shared-memory';
import type {FieldsView} from '#support/wire';
import {highestResolution, idForRates, MouseCommand, MouseId, mouseDefaults} from './mouse-commands.ts';
import {clamp, mousePacket, scaled} from './mouse-packet.ts';
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
		const answer = this.#answer(byte);
		if (byte !== Ps2.RESEND) this.#remember(answer);
		this.#outbox.reply(answer);
		this.#report();
	}

	#answer(byte: number): readonly number[] {
		const state = this.#state;
		const pending = state.mousePending;
		state.mousePending = 0;
		if (byte === Ps2.RESET) return this.#reset();
		if (state.mouseWrap === 1 && byte !== MouseCommand.LEAVE_WRAP_MODE) return [byte];
		return pending === 0 ? this.#command(byte) : [this.#argument(pending, byte)];
	}

	#command(code: number): readonly number[] {
		const state = this.#state;
		switch (code) {
			case MouseCommand.READ_STATUS:
				return [Ps2.ACK, this.#status(), state.mouseResolution, state.mouseRate];
			case MouseCommand.READ_DATA:
				return [Ps2.ACK, ...this.#takePacket()];
			case MouseCommand.READ_ID:
				return [Ps2.ACK, state.mouseId];
			case Ps2.RESEND:
				return this.#latest();
			case MouseCommand.SET_RESOLUTION:
			case MouseCommand.SET_RATE:
				state.mousePending = code;
				return [Ps2.ACK];
			default:
				return [this.#simpleCommand(code)];
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
		const [second = 0, first = 0] = state.mouseRates;
		state.mouseId = idForRates(first, second, value) ?? state.mouseId;
		state.mouseRates.set([value, second]);
		state.mouseRate = value;
		return Ps2.ACK;
	}

	#status(): number {
		const {mouseRemote, mouseReporting, mouseScaling, mouseButtons} = this.#state;
		const [left, right, middle] = [mouseButtons & 1, (mouseButtons >> 1) & 1, (mouseButtons >> 2) & 1];
		return (mouseRemote << 6) | (mouseReporting << 5) | (mouseScaling << 4) | (left << 2) | (middle << 1) | right;
	}

	#reset(): readonly number[] {
		this.#setDefaults();
		this.#state.mouseWrap = 0;
		this.#state.mouseId = MouseId.PLAIN;
		return [Ps2.ACK, Ps2.TEST_PASSED, this.#state.mouseId];
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
		const packet = this.#packet(state.mouseScaling === 1);
		if (!this.#outbox.report(packet)) return;
		this.#remember(packet);
		this.#clearMovement();
	}

	#takePacket(): readonly number[] {
		const packet = this.#packet(false);
		this.#clearMovement();
		return packet;
	}

	#packet(scale: boolean): readonly number[] {
		const {mouseId, mouseX, mouseY, mouseZ, mouseButtons} = this.#state;
		const [x, y] = scale ? [scaled(mouseX), scaled(mouseY)] : [mouseX, mouseY];
		return mousePacket(mouseId, {x, y, z: mouseZ, buttons: mouseButtons});
	}

	#clearMovement(): void {
		const state = this.#state;
		state.mouseX = 0;
		state.mouseY = 0;
		state.mouseZ = 0;
		state.mouseChanged = 0;
	}

	/** What was sent last; before anything was, the result of the self-test. */
	#latest(): readonly number[] {
		const {mouseLast, mouseLastLength, mouseId} = this.#state;
		return mouseLastLength === 0 ? [Ps2.TEST_PASSED, mouseId] : [...mouseLast.subarray(0, mouseLastLength)];
	}

	#remember(sent: readonly number[]): void {
		this.#state.mouseLast.set(sent);
		this.#state.mouseLastLength = sent.length;
	}
}

/** The sum in whole counts, held in bounds; what is not a number adds nothing. */
const add = (sum: number, change: number) => clamp(sum + (Math.trunc(change) || 0), -mostMovement, mostMovement);
