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
		if (byte >= firstKeyboardCommand) this.#outbox.reply(this.#command(byte));
		else this.#outbox.reply(this.#argument(pending, byte));
	}

	#command(code: number): readonly number[] {
		const state = this.#state;
		switch (code) {
			case KeyboardCommand.ECHO:
				return [KeyboardCommand.ECHO];
			case KeyboardCommand.SET_LEDS:
			case KeyboardCommand.SELECT_SET:
			case KeyboardCommand.SET_TYPEMATIC:
				state.keyboardPending = code;
				return [Ps2.ACK];
			case KeyboardCommand.READ_ID:
				return [Ps2.ACK, ...keyboardId];
			case KeyboardCommand.ENABLE:
				this.#outbox.dropReports();
				state.keyboardScanning = 1;
				return [Ps2.ACK];
			case KeyboardCommand.DISABLE:
				this.#setDefaults();
				state.keyboardScanning = 0;
				return [Ps2.ACK];
			case KeyboardCommand.DEFAULTS:
				this.#setDefaults();
				return [Ps2.ACK];
			case Ps2.RESEND:
				return [state.keyboardLast];
			case Ps2.RESET:
				this.#setDefaults();
				state.keyboardLeds = 0;
				state.keyboardScanning = 1;
				return [Ps2.ACK, Ps2.TEST_PASSED];
			default:
				return this.#keyBehaviour(code);
		}
	}

	/** Every key makes and breaks, in each set; what a guest wants instead is taken and not done. */
	#keyBehaviour(code: number): readonly number[] {
		if (code < KeyboardCommand.ALL_KEYS_FIRST) return [Ps2.RESEND];
		if (code >= KeyboardCommand.SOME_KEYS_FIRST) this.#state.keyboardPending = code;
		return [Ps2.ACK];
	}

	#argument(command: number, value: number): readonly number[] {
		const state = this.#state;
		switch (command) {
			case 0:
				return [Ps2.RESEND];
			case KeyboardCommand.SET_LEDS:
				state.keyboardLeds = value & 0x07;
				return [Ps2.ACK];
			case KeyboardCommand.SET_TYPEMATIC:
				state.keyboardTypematic = value & 0x7f;
				return [Ps2.ACK];
			case KeyboardCommand.SELECT_SET:
				return this.#selectSet(value);
			default:
				// A list of keys, which ends with the next command.
				state.keyboardPending = command;
				return [Ps2.ACK];
		}
	}

	#selectSet(set: number): readonly number[] {
		if (set === 0) return [Ps2.ACK, this.#state.keyboardSet];
		if (set > 3) return [Ps2.RESEND];
		this.#outbox.dropReports();
		this.#state.keyboardSet = set;
		return [Ps2.ACK];
	}

	#setDefaults(): void {
		this.#outbox.dropReports();
		this.#state.keyboardSet = keyboardDefaults.set;
		this.#state.keyboardTypematic = keyboardDefaults.typematic;
	}
}
