import {setTimeout as sleep} from 'node:timers/promises';
import type {AnyDeviceType, DeviceNotice} from '#devices/device-type';
import type {AttachedDevice, AttachedMachine, PlacedDevice} from '#devices/machine';

/** A notice with the device that it is of. */
export interface NoticeOfDevice extends DeviceNotice {
	readonly device: string;
}

/** Time between two rounds of telling: a guest can have as many errors as its disks are fast. */
const roundMs = 250;
/** Rounds at the end: a device tells so much of a round. */
const lastRounds = 8;

/** Tells a machine's owner of what happens to its devices. */
export class DeviceNotices {
	readonly #machine: AttachedMachine;
	readonly #told: (notice: NoticeOfDevice) => void;
	/** With the devices as they were when these were made: of another configuration they may have more to tell. */
	readonly #readers = new WeakMap<AttachedDevice, {readonly placed: PlacedDevice; readonly read: Reader}>();
	#known = 0;

	/** @param told - called with each */
	constructor(machine: AttachedMachine, told: (notice: NoticeOfDevice) => void) {
		this.#machine = machine;
		this.#told = told;
	}

	/** Tells of what there is now: of the last, before the devices end. */
	tell(): void {
		for (let round = 0; round < lastRounds; round++) {
			const notices = this.#read();
			for (const notice of notices) this.#told(notice);
			if (notices.length === 0) return;
		}
	}

	/**
	 * Tells of it while the machine goes on, and has it pause where that is asked for.
	 * @param pause - pauses the machine. `still` is to be called when it stands still, before anybody has it go on
	 * @param ended - resolves when the machine has ended, after which nothing is told
	 */
	async follow(pause: (still: () => void) => Promise<void>, ended: Promise<unknown>): Promise<void> {
		const {events} = this.#machine;
		let isOver = false;
		void ended.then(() => {
			isOver = true;
			// Whoever waits for ever keeps the whole machine in memory.
			events.stopWaiting();
		});
		let isMore = false;
		while (!isOver) {
			// A device that has told something may have kept the rest for the next round.
			if (!isMore) await events.moreNotices(this.#known);
			if (isOver) return;
			const notices = this.#read();
			isMore = notices.length > 0;
			// Those that come until it stands still are of the same trouble: they must not have it pause again when somebody has it go on.
			const pausing = notices.some(({pauses}) => pauses) ? pause(() => this.tell()) : undefined;
			// Who is told may have it go on at once: that is after the pause.
			for (const notice of notices) this.#told(notice);
			await pausing?.catch(() => {});
			await sleep(roundMs, undefined, {ref: false});
		}
	}

	#read(): readonly NoticeOfDevice[] {
		this.#known = this.#machine.events.notices;
		return this.#machine.devices.flatMap((device) => {
			return this.#readOf(device).map((notice) => ({device: device.placed.name, ...notice}));
		});
	}

	#readOf(device: AttachedDevice): readonly DeviceNotice[] {
		const {placed} = device;
		const known = this.#readers.get(device);
		if (known?.placed === placed) return known.read();
		const read = readerOf(device);
		this.#readers.set(device, {placed, read});
		if (known === undefined) return read();
		// What there was before is told by the one before.
		read();
		return known.read();
	}
}

type Reader = () => readonly DeviceNotice[];

function readerOf({model, placed: {config, hostMemory}}: AttachedDevice): Reader {
	const {report}: Partial<AnyDeviceType> = model;
	if (report === undefined || hostMemory === undefined) return () => [];
	const made = report(config, hostMemory);
	return () => made.notices();
}
