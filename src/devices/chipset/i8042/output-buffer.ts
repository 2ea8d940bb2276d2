import type {DeviceServices} from '#devices/device';
import type {InterruptLine} from '#devices/interrupts';
import type {FieldsView} from '#support/wire';
import type {Keyboard} from './keyboard.ts';
import type {Mouse} from './mouse.ts';
import {Mode, Source} from './registers.ts';
import type {I8042Fields} from './state.ts';
import {breakBit, breakPrefix, translate} from './translation.ts';

/**
 * The one byte that the guest can read, and the interrupt lines that tell of it. The controller's answer is next in
 * line, then the keyboard, then the mouse.
 */
export class OutputBuffer {
	readonly #state: FieldsView<I8042Fields>;
	readonly #keyboard: Keyboard;
	readonly #mouse: Mouse;
	readonly #keyboardLine: InterruptLine;
	readonly #mouseLine: InterruptLine;

	constructor(
		state: FieldsView<I8042Fields>,
		keyboard: Keyboard,
		mouse: Mouse,
		services: Pick<DeviceServices, 'line'>,
	) {
		this.#state = state;
		this.#keyboard = keyboard;
		this.#mouse = mouse;
		this.#keyboardLine = services.line('keyboard');
		this.#mouseLine = services.line('mouse');
	}

	/** Reads the data port. */
	take(): number {
		const {output} = this.#state;
		this.#state.source = Source.NONE;
		// Also when the same port's next byte is there at once: each byte is an edge.
		this.#drive();
		this.refill();
		return output;
	}

	/** Puts the controller's answer to a command in line, instead of an earlier one that was not read. */
	answer(byte: number, source: Source = Source.KEYBOARD): void {
		this.#state.answer = byte;
		this.#state.answerSource = source;
		this.refill();
	}

	/** Forgets what the guest could read. The devices keep what they have. */
	clear(): void {
		this.#state.source = Source.NONE;
		this.#state.answerSource = Source.NONE;
	}

	/** Moves the next byte in if there is room. To be called after every change of the mode or of a device. */
	refill(): void {
		if (this.#state.source === Source.NONE) this.#load();
		this.#drive();
	}

	#load(): void {
		const state = this.#state;
		if (state.answerSource !== Source.NONE) {
			state.output = state.answer;
			state.source = state.answerSource;
			state.answerSource = Source.NONE;
			return;
		}
		if ((state.mode & Mode.KEYBOARD_DISABLED) === 0 && this.#put(this.#fromKeyboard(), Source.KEYBOARD)) return;
		if ((state.mode & Mode.AUX_DISABLED) === 0) this.#put(this.#mouse.shift(), Source.AUX);
	}

	#put(byte: number, source: Source): boolean {
		if (byte < 0) return false;
		this.#state.output = byte;
		this.#state.source = source;
		return true;
	}

	#fromKeyboard(): number {
		const byte = this.#keyboard.shift();
		if (byte < 0 || (this.#state.mode & Mode.TRANSLATE) === 0) return byte;
		if (byte !== breakPrefix) return translate(byte);
		const code = this.#keyboard.shift();
		return code < 0 ? code : translate(code) | breakBit;
	}

	#drive(): void {
		const {source, mode} = this.#state;
		this.#keyboardLine.setLevel(source === Source.KEYBOARD && (mode & Mode.KEYBOARD_INTERRUPT) !== 0);
		this.#mouseLine.setLevel(source === Source.AUX && (mode & Mode.AUX_INTERRUPT) !== 0);
	}
}
