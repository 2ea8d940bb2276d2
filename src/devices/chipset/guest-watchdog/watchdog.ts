import type {DeviceServices} from '#devices/device';
import type {FieldsView} from '#support/wire';
import {allOnes, Config, configWritable, Register, resolutionSeconds, running} from './registers.ts';
import type {GuestWatchdogFields} from './state.ts';

const never = -1;

/** The watchdog over its shared state. Every method runs under the device's lock. */
export class Watchdog {
	readonly #state: FieldsView<GuestWatchdogFields>;
	readonly #services: Pick<DeviceServices, 'time' | 'request'>;

	constructor(state: FieldsView<GuestWatchdogFields>, services: Pick<DeviceServices, 'time' | 'request'>) {
		this.#state = state;
		this.#services = services;
	}

	/** The selected register. */
	read(): number {
		const {address, config, count} = this.#state;
		switch (address) {
			case Register.CONFIG:
				return config;
			case Register.RESOLUTION:
				return resolutionSeconds;
			case Register.COUNT:
				return count;
			default:
				return allOnes;
		}
	}

	/** Writes the selected register; true when the deadline changed. */
	write(value: number): boolean {
		const state = this.#state;
		if (state.address === Register.CONFIG) return this.#configure(value);
		if (state.address === Register.COUNT) {
			state.count = value;
			state.configuredCount = value;
		}
		return false;
	}

	/** The latest reset was the watchdog's. */
	setBootStatus(): void {
		this.#state.config |= Config.BOOT_STATUS;
	}

	/** Fires if it is time to. Returns the nanoseconds until then, or infinity. */
	serve(): number {
		const state = this.#state;
		if (state.deadlineNs < 0) return Number.POSITIVE_INFINITY;
		const leftNs = state.deadlineNs - this.#services.time.ranNs();
		if (leftNs > 0) return leftNs;
		state.deadlineNs = never;
		state.config &= ~running;
		state.expirations++;
		this.#services.request({kind: 'watchdog'});
		return Number.POSITIVE_INFINITY;
	}

	#configure(value: number): boolean {
		const state = this.#state;
		if ((value & ~(configWritable | Config.BOOT_STATUS)) !== 0) return false;
		const status = (value & Config.BOOT_STATUS) !== 0 ? 0 : state.config & Config.BOOT_STATUS;
		state.config = (value & configWritable) | status;
		if ((value & Config.CONFIGURED) === 0) state.count = 0;
		if ((value & running) === running) {
			state.deadlineNs = this.#services.time.ranNs() + state.count * resolutionSeconds * 1e9;
			state.count = state.configuredCount;
		} else state.deadlineNs = never;
		return true;
	}
}
