import type {DeviceBack, OwnedDevice} from '#devices/device';

/** An owned device in the place of a back, which is told of its inputs when they have changed. */
export class OwnedBack implements DeviceBack {
	readonly device: OwnedDevice;
	readonly #inputs: readonly string[];
	readonly #isAsserted: (name: string) => boolean;
	/** Inputs that are high as far as the device knows. */
	readonly #asserted = new Set<string>();

	constructor(device: OwnedDevice, inputs: readonly string[], isAsserted: (name: string) => boolean) {
		this.device = device;
		this.#inputs = inputs;
		this.#isAsserted = isAsserted;
	}

	async open(): Promise<void> {
		await this.device.open?.();
	}

	start(): void {
		this.device.start?.();
	}

	async stop(): Promise<void> {
		await this.device.stop?.();
	}

	inFlight(): string | undefined {
		return this.device.inFlight?.();
	}

	/** An input may have changed. */
	notified(): void {
		for (const name of this.#inputs) {
			const asserted = this.#isAsserted(name);
			if (asserted === this.#asserted.has(name)) continue;
			this.#note(name, asserted);
			this.device.inputChanged?.(name, asserted);
		}
	}

	queueReady(queue: number): boolean | undefined {
		return this.device.queueReady?.(queue);
	}

	feed(bytes: Uint8Array): number {
		return this.device.feed?.(bytes) ?? bytes.length;
	}

	reset(): void {
		this.#asserted.clear();
		this.device.reset();
	}

	async restore(version: number, bytes: Uint8Array): Promise<void> {
		// It knew them when it was saved.
		for (const name of this.#inputs) this.#note(name, this.#isAsserted(name));
		await this.device.restore(version, bytes);
	}

	dispose(): void | Promise<void> {
		return this.device.dispose?.();
	}

	#note(name: string, asserted: boolean): void {
		if (asserted) this.#asserted.add(name);
		else this.#asserted.delete(name);
	}
}
