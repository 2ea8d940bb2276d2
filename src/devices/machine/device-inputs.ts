import type {InterruptController} from '#devices/interrupts';
import type {AttachedDevice} from './attached-device.ts';

type Inputs = Pick<InterruptController, 'setLine'>;

/** Sends the inputs that devices take to those devices, and the others to the interrupt controller. */
export class DeviceInputs implements Inputs {
	readonly #controller: Inputs;
	readonly #changed = new Map<number, () => void>();

	constructor(controller: Inputs) {
		this.#controller = controller;
	}

	/** Leads a device's inputs to it. */
	lead({placed, front, target, model, services}: AttachedDevice): void {
		for (const [name, input] of Object.entries(placed.inputs)) {
			const changed = () => front.inputChanged?.(name);
			this.#changed.set(
				input,
				// An owned device looks at its inputs on its own thread.
				model.owned === undefined ? () => target.guarded('inputChanged', changed) : services.notifyBack,
			);
		}
	}

	setLine(input: number, asserted: boolean): void {
		const changed = this.#changed.get(input);
		if (changed === undefined) this.#controller.setLine(input, asserted);
		else changed();
	}
}
