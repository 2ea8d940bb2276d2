import type {InterruptInputs} from '#devices/interrupts';
import type {AttachedDevice} from './attached-device.ts';

/** Sends the inputs that devices take to those devices, and the others to the interrupt controller. */
export class DeviceInputs implements InterruptInputs {
	readonly #controller: InterruptInputs;
	readonly #changed = new Map<number, (rises: boolean) => void>();

	constructor(controller: InterruptInputs) {
		this.#controller = controller;
	}

	/** Leads a device's inputs to it. */
	lead({placed, target, model, services}: AttachedDevice): void {
		for (const [name, input] of Object.entries(placed.inputs)) {
			if (model.owned !== undefined) {
				this.#changed.set(input, services.notifyBack);
				continue;
			}
			const [changed, rose] = [
				() => target.front.inputChanged?.(name, false),
				() => target.front.inputChanged?.(name, true),
			];
			this.#changed.set(input, (rises) => target.guarded('inputChanged', rises ? rose : changed));
		}
	}

	setLine(input: number, asserted: boolean): void {
		const changed = this.#changed.get(input);
		if (changed === undefined) this.#controller.setLine(input, asserted);
		else changed(false);
	}

	rise(input: number): void {
		const changed = this.#changed.get(input);
		if (changed === undefined) this.#controller.rise(input);
		else changed(true);
	}
}
