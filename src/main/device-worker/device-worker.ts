import {MappedMemory, type MappedRange} from '#devices/guest-memory';
import {AttachedMachine, DeviceBacks, type MachineLayout} from '#devices/machine';
import {findDeviceModel} from '#devices/registry';
import type {SerialBack} from '#devices/serial-backends';
import {Doorbell} from '#support/mailbox';
import {EpollReactor} from '#support/reactor';
import {interruptController, Partition} from '#vcpu-worker/kvm';

/** What a device worker starts with. */
export interface DeviceWorkerData {
	readonly layout: MachineLayout;
	readonly memory: readonly MappedRange[];
	readonly vmFd: number;
	/** How long to look for work before sleeping, in nanoseconds. */
	readonly pollNs: number;
}

/** The device worker's answers to its owner. Ring the machine's doorbell descriptor after every call. */
export class DeviceWorker {
	readonly #data: DeviceWorkerData;
	readonly #reactor: EpollReactor;
	#backs: DeviceBacks | undefined;

	constructor(data: DeviceWorkerData) {
		this.#data = data;
		const {doorbell} = data.layout;
		const bell = new Doorbell(doorbell);
		this.#reactor = new EpollReactor({
			pollNs: data.pollNs,
			wakeFd: doorbell.wakeFd,
			polled: {poll: () => this.#backs?.poll() ?? false, sleeping: (asleep) => bell.sleeping(asleep)},
		});
	}

	/** Makes the backs. Call first. @throws VmmError when a host resource cannot be had */
	create(): void {
		const {layout, memory, vmFd} = this.#data;
		const machine = new AttachedMachine(layout, {
			findModel: findDeviceModel,
			interrupts: interruptController(Partition.fromFd(vmFd)),
			memory: new MappedMemory(memory),
		});
		this.#backs = new DeviceBacks(machine, this.#reactor);
	}

	/** The thread's main loop. */
	run(): Promise<void> {
		return this.#reactor.run();
	}

	/** Starts every back. */
	start(): void {
		this.#backs?.start();
	}

	/** Resolves when no back has anything in flight. */
	async stop(): Promise<void> {
		await this.#backs?.stop();
	}

	/** Offers console input to the device called `name`; returns how many bytes it took. */
	feed(name: string, bytes: Uint8Array): number {
		const back = this.#backs?.back(name) as SerialBack | undefined;
		return back === undefined ? bytes.length : back.feed(bytes);
	}

	/** Counters of the thread's reactor. */
	inspect(): EpollReactor['counters'] {
		return {...this.#reactor.counters};
	}

	/** Releases the backs and ends the thread. */
	dispose(): void {
		this.#backs?.dispose();
		this.#reactor.close();
	}
}
