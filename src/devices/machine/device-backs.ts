import type {DeviceBack} from '#devices/device';
import {MailboxServer} from '#support/mailbox';
import type {Reactor} from '#support/reactor';
import type {AttachedDevice, AttachedMachine} from './attached-machine.ts';
import {DeviceHeader} from './layout.ts';

interface Running {
	readonly device: AttachedDevice;
	readonly back: DeviceBack;
}

const notifiedWord = DeviceHeader.word('notified');

/** The device worker's part of a machine: the backs of all devices, and the remote accesses. */
export class DeviceBacks {
	readonly #running: readonly Running[];
	readonly #remote: MailboxServer;

	constructor(machine: AttachedMachine, reactor: Reactor) {
		this.#running = machine.devices.flatMap((device) => {
			const {model, placed, state, services, target} = device;
			const locked = <R>(action: () => R): R => target.locked(action);
			const back = model.back?.(placed.config, state, {...services, reactor, locked});
			return back === undefined ? [] : [{device, back}];
		});
		this.#remote = new MailboxServer(machine.layout.mailbox, (device, region, offset, size, isWrite, value) => {
			// The slot is in memory that only our own threads write, so the index is ours.
			const {target} = machine.devices[device] as AttachedDevice;
			if (!isWrite) return target.read(region, offset, size);
			target.write(region, offset, size, value);
			return value;
		});
	}

	/** Serves remote accesses and tells notified backs; true when there was anything. */
	poll(): boolean {
		let found = this.#remote.poll();
		for (const {device, back} of this.#running) {
			if (Atomics.load(device.header.$atomic, notifiedWord) === 0) continue;
			Atomics.store(device.header.$atomic, notifiedWord, 0);
			back.notified();
			found = true;
		}
		return found;
	}

	/** The back of a device, by the device's name. */
	back(name: string): DeviceBack | undefined {
		return this.#running.find(({device}) => device.placed.name === name)?.back;
	}

	start(): void {
		for (const {back} of this.#running) back.start();
	}

	/** Resolves when no back has anything in flight. */
	async stop(): Promise<void> {
		await Promise.all(this.#running.map(({back}) => back.stop()));
	}

	dispose(): void {
		for (const {back} of this.#running) back.dispose();
	}
}
