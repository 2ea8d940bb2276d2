import type {DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {Keyboard} from './keyboard.ts';
import {Mouse, type MouseMove} from './mouse.ts';
import {OutputBuffer} from './output-buffer.ts';
import type {I8042Fields} from './state.ts';

/** Input for the keyboard and the mouse, from any thread. Every method is to be called under the device's lock. */
export class I8042Input {
	readonly #keyboard: Keyboard;
	readonly #mouse: Mouse;
	readonly #output: OutputBuffer;

	constructor(state: FieldsView<I8042Fields>, services: Pick<DeviceServices, 'line'>) {
		this.#keyboard = new Keyboard(state);
		this.#mouse = new Mouse(state);
		this.#output = new OutputBuffer(state, this.#keyboard, this.#mouse, services);
	}

	/**
	 * Presses or releases the key with USB HID usage ID `usage` (page 7); a held key repeats by being pressed again.
	 * False when the guest will not hear of it: no such key, keys are switched off, or the queue is full, which counts
	 * as dropped.
	 */
	pressKey(usage: number, down: boolean): boolean {
		const taken = this.#keyboard.press(usage, down);
		this.#output.refill();
		return taken;
	}

	/** Moves the mouse, turns its wheel, presses and releases its buttons. Movement is lost while reports are off. */
	moveMouse(move: MouseMove): void {
		this.#mouse.move(move);
		this.#output.refill();
	}
}
