import {ByteRing} from '#support/shared-memory';
import type {FieldsView} from '#support/wire';
import {keySequence} from './key-sequence.ts';
import {firstKeyboardCommand, KeyboardCommand, keyboardDefaults, keyboardId} from './keyboard-commands.ts';
import {Outbox} from './outbox.ts';
import {Ps2} from './ps2.ts';
import {type I8042Fields, I8042State} from './state.ts';

/** The PS/2 keyboard. It does not repeat held keys: who presses them does. */
export class Keyboard {
	readonly #state: FieldsView<I8042Fields>;
	readonly #outbox: Outbox;

	constructor(state: FieldsView<I8042Fields>) {
		this.#state = state;
		this.#outbox = new Outbox(
			new ByteRing(I8042State, state, 'keyboardReply'),
			new ByteRing(I8042State, state, 'keyboard'),
		);
	}

	/** The next byte to send; -1 for none. */
	shift(): number {
		const byte = this.#outbox.shift();
		if (byte >= 0 && byte !== Ps2.RESEND) this.#state.keyboardLast = byte;
		return byte;
	}

	/** A key went down or up. False when nobody will hear of it: no such key, keys are off, or the queue is full. */
	press(usage: number, down: boolean): boolean {
		const state = this.#state;
		if (state.keyboardScanning === 0) return false;
		const sequence = keySequence(usage, down, state.keyboardSet);
		if (sequence.length === 0) return false;
		const fitted = this.#outbox.report(sequence);
		if (!fitted) state.keysDropped++;
		return fitted;
	}

	/** A byte from the controller. */
	write(byte: number): void {
		const pending = this.#state.keyboardPending;
		this.#state.keyboardPending = 0;
		this.#outbox.beginReply();
		if (byte >= firstKeyboardCommand) this.#command(byte);
		else this.#outbox.reply(this.#argument(pending, byte));
	}

	/** Does a command, and answers it. */
	#command(code: number): void {
		const [state, outbox] = [this.#state, this.#outbox];
		switch (code) {
			case KeyboardCommand.ECHO:
				outbox.reply(KeyboardCommand.ECHO);
				break;
			case KeyboardCommand.READ_ID:
				outbox.reply(Ps2.ACK);
				for (const byte of keyboardId) outbox.reply(byte);
				break;
			case Ps2.RESEND:
				outbox.reply(state.keyboardLast);
				break;
			case Ps2.RESET:
				this.#setDefaults();
				state.keyboardLeds = 0;
				state.keyboardScanning = 1;
				outbox.reply(Ps2.ACK);
				outbox.reply(Ps2.TEST_PASSED);
				break;
			default:
				outbox.reply(this.#simpleCommand(code));
		}
	}

	/** Does a command that has no more to answer than this. */
	#simpleCommand(code: number): number {
		const state = this.#state;
		switch (code) {
			case KeyboardCommand.SET_LEDS:
			case KeyboardCommand.SELECT_SET:
			case KeyboardCommand.SET_TYPEMATIC:
				state.keyboardPending = code;
				return Ps2.ACK;
			case KeyboardCommand.ENABLE:
				this.#outbox.dropReports();
				state.keyboardScanning = 1;
				return Ps2.ACK;
			case KeyboardCommand.DISABLE:
				this.#setDefaults();
				state.keyboardScanning = 0;
				return Ps2.ACK;
			case KeyboardCommand.DEFAULTS:
				this.#setDefaults();
				return Ps2.ACK;
			default:
				return this.#keyBehaviour(code);
		}
	}

	/** Every key makes and breaks, in each set; what a guest wants instead is taken and not done. */
	#keyBehaviour(code: number): number {
		if (code < KeyboardCommand.ALL_KEYS_FIRST) return Ps2.RESEND;
		if (code >= KeyboardCommand.SOME_KEYS_FIRST) this.#state.keyboardPending = code;
		return Ps2.ACK;
	}

	/** Takes a command's argument; returns the last byte of the answer. */
	#argument(command: number, value: number): number {
		const state = this.#state;
		switch (command) {
			case 0:
				return Ps2.RESEND;
			case KeyboardCommand.SET_LEDS:
				state.keyboardLeds = value & 0x07;
				return Ps2.ACK;
			case KeyboardCommand.SET_TYPEMATIC:
				state.keyboardTypematic = value & 0x7f;
				return Ps2.ACK;
			case KeyboardCommand.SELECT_SET:
				return this.#selectSet(value);
			default:
				// A list of keys, which ends with the next command.
				state.keyboardPending = command;
				return Ps2.ACK;
		}
	}

	/** Set 0 asks which one is in use. Returns the last byte of the answer. */
	#selectSet(set: number): number {
		if (set === 0) {
			this.#outbox.reply(Ps2.ACK);
			return this.#state.keyboardSet;
		}
		if (set > 3) return Ps2.RESEND;
		this.#outbox.dropReports();
		this.#state.keyboardSet = set;
		return Ps2.ACK;
	}

	#setDefaults(): void {
		this.#outbox.dropReports();
		this.#state.keyboardSet = keyboardDefaults.set;
		this.#state.keyboardTypematic = keyboardDefaults.typematic;
	}
}
