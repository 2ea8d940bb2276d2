import type {AnyDeviceModel, ConfigChange, DeclaredModel, DeviceInstance} from '#devices/device';
import {MappedMemory, type MemoryHandle, type MemoryRange, PinCount} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {
	type AttachedMachine,
	DeviceBacks,
	type MachineLayout,
	type ModelFinder,
	type PlacedDevice,
	withConfig,
} from '#devices/machine';
import {completeModel} from '#devices/pci/function';
import {findDeviceModel} from '#devices/registry';
import {FakeReactor, oneThreadMachine} from '#devices/testing';
import {complexOf, rootPortOf} from './test-machine.ts';

const usualRam: readonly MemoryRange[] = [{gpa: 0, length: 0x10_0000}];
/** More than any test has the worker put off. */
const turns = 20;

/** Part of one of the device's workers. */
interface WorkerPart {
	readonly machine: AttachedMachine;
	readonly backs: DeviceBacks;
	readonly reactor: FakeReactor;
}

/** A machine with one device that has workers, RAM of 1 MiB, and the part of each of its device workers, all on the same thread. */
export class WorkedMachine {
	readonly #ram: MemoryHandle;
	readonly memory: MappedMemory;
	readonly reactor = new FakeReactor();
	/** Levels of inputs as they changed, and messages as `message DATA`. */
	readonly interrupts: string[] = [];
	readonly failures: string[] = [];
	/** The first worker's. */
	readonly backs: DeviceBacks;
	readonly workers: readonly WorkerPart[];
	readonly machine: ReturnType<typeof oneThreadMachine>['machine'];
	readonly bus: ReturnType<typeof oneThreadMachine>['bus'];
	readonly #model: AnyDeviceModel;
	readonly #findModel: ModelFinder;

	/** @param isFunction - it sits behind a port, alone on bus 1 */
	constructor(model: DeclaredModel, config: object, isFunction: boolean, ram = usualRam) {
		this.#ram = plainMemory(...ram);
		this.memory = new MappedMemory(this.#ram);
		const completed: AnyDeviceModel = completeModel(model);
		this.#model = completed;
		this.#findModel = (kind) => (kind === completed.kind ? completed : findDeviceModel(kind));
		const it: DeviceInstance = {
			name: 'it',
			kind: completed.kind,
			config,
			...(isFunction && {place: {on: 'rp0', devfn: 0}}),
		};
		const count = completed.workers?.(config) ?? 1;
		const parts = {
			findModel: this.#findModel,
			memory: this.memory,
			interrupts: tellingInterrupts({
				setLine: (input, up) => void this.interrupts.push(`${input} ${up ? 'up' : 'down'}`),
				send: (_low, _high, data) => void this.interrupts.push(`message ${data}`),
			}),
		};
		const devices = isFunction ? [complexOf(), rootPortOf('rp0', 0), it] : [it];
		const made = oneThreadMachine(devices, {...parts, workers: count});
		({machine: this.machine, bus: this.bus} = made);
		this.workers = Array.from({length: count}, (_, worker) => {
			// As a thread of its own has it.
			const {machine} = worker === 0 ? this : oneThreadMachine([], {...parts, layout: made.layout});
			const reactor = worker === 0 ? this.reactor : new FakeReactor();
			const failed = ({message}: Error) => void this.failures.push(message);
			return {machine, reactor, backs: new DeviceBacks(machine, reactor, failed, {worker})};
		});
		this.backs = (this.workers[0] as WorkerPart).backs;
	}

	/** Opens what the backs have of the host. Rejects with what they do, and has then let go of all. */
	async open(): Promise<void> {
		const opening = Promise.all(this.workers.map(({backs}) => backs.open()));
		let isOver = false;
		const ends = () => {
			isOver = true;
		};
		void opening.then(ends, ends);
		while (!isOver) await this.run();
		try {
			await opening;
		} catch (cause) {
			await this.dispose();
			throw cause;
		}
	}

	/**
	 * Has the device go on with another configuration, on all its workers, or all with the one before, as a machine's owner does.
	 * @param starts - it goes on then
	 * @returns the number of what has come or gone
	 */
	async reconfigure(change: ConfigChange, starts = true): Promise<number> {
		await this.stop();
		const before = this.machine.layout;
		const placed = before.devices.find(({name}) => name === 'it') as PlacedDevice;
		const changed = this.#model.reconfigure?.(placed.config, change, placed.hostMemory);
		if (changed === undefined) throw new Error('it stays as it is');
		try {
			await this.#follow(withConfig(before, placed, changed.config));
			return changed.number;
		} catch (error) {
			await this.#follow(before);
			throw error;
		} finally {
			if (starts) this.start();
		}
	}

	async #follow(layout: MachineLayout): Promise<void> {
		const all = this.workers.map(({backs, machine}) => {
			machine.change(structuredClone(layout), this.#findModel);
			return backs.change();
		});
		let isOver = false;
		const settled = Promise.allSettled(all).then((outcomes) => {
			isOver = true;
			return outcomes;
		});
		while (!isOver) await this.run();
		const failed = (await settled).find(({status}) => status === 'rejected');
		if (failed?.status === 'rejected') throw failed.reason;
	}

	/** Resolves when the backs have let go of all that they had of the host. */
	async dispose(): Promise<void> {
		await Promise.all(this.workers.map(({backs}) => backs.dispose()));
	}

	/** How often RAM is pinned. */
	get pins(): number {
		return this.#ram.ranges.reduce((sum, {ledger}) => sum + new PinCount(ledger).count, 0);
	}

	/** Starts the backs of all workers. */
	start(): void {
		for (const {backs} of this.workers) backs.start();
	}

	/** Resolves when no worker has anything in flight. */
	async stop(): Promise<void> {
		await Promise.all(this.workers.map(({backs}) => backs.stop()));
	}

	/** Lets the device workers do what there is to do. */
	async run(): Promise<void> {
		for (let turn = 0; turn < turns; turn++) {
			for (let worker = 0; worker < this.workers.length; worker++) this.turn(worker);
			await new Promise(setImmediate);
		}
	}

	/** Lets one worker have a turn. */
	turn(worker: number): void {
		const {backs, reactor} = this.workers[worker] as WorkerPart;
		backs.poll();
		reactor.turn();
	}
}
