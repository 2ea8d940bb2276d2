import {setTimeout as sleep} from 'node:timers/promises';
import type {AnyDeviceType, DeviceNotice} from '#devices/device-type';
import type {AttachedDevice, AttachedMachine} from '#devices/machine';

/** A notice with the device that it is of. */
export interface NoticeOfDevice extends DeviceNotice {
	readonly device: string;
}

/** What the owner of a machine does with notices. */
export interface NoticeListener {
	told(notice: NoticeOfDevice): void;
	/** @param still - to be called when the machine stands still, before anybody has it go on */
	pause(still: () => void): Promise<void>;
}

/** Time between two rounds of telling: a guest can have as many errors as its disks are fast. */
const roundMs = 250;

/**
 * Tells of what happens to devices while their machine goes on, and has it pause where that is asked for.
 * @param ended - resolves when the machine has ended, after which nothing is told
 */
export async function tellNotices(
	machine: AttachedMachine,
	{told, pause}: NoticeListener,
	ended: Promise<unknown>,
): Promise<void> {
	const {events} = machine;
	const readers = new WeakMap<AttachedDevice, () => readonly DeviceNotice[]>();
	const reader = (device: AttachedDevice) => {
		const {report}: Partial<AnyDeviceType> = device.model;
		const {config, hostMemory} = device.placed;
		if (report === undefined || hostMemory === undefined) return () => [];
		const made = report(config, hostMemory);
		return () => made.notices();
	};
	let known = 0;
	const read = (): readonly NoticeOfDevice[] => {
		known = events.notices;
		return machine.devices.flatMap((device) => {
			const own = readers.get(device) ?? reader(device);
			readers.set(device, own);
			return own().map((notice) => ({device: device.placed.name, ...notice}));
		});
	};
	const tell = (notices: readonly NoticeOfDevice[]): void => {
		for (const notice of notices) told(notice);
	};
	let isOver = false;
	void ended.then(() => {
		isOver = true;
		// Whoever waits for ever keeps the whole machine in memory.
		events.stopWaiting();
	});
	while (!isOver) {
		await events.moreNotices(known);
		if (isOver) return;
		const notices = read();
		// Those that come until it stands still are of the same trouble: they must not have it pause again when somebody has it go on.
		const pausing = notices.some(({pauses}) => pauses) ? pause(() => tell(read())) : undefined;
		// Who is told may have it go on at once: that is after the pause.
		tell(notices);
		await pausing?.catch(() => {});
		await sleep(roundMs, undefined, {ref: false});
	}
}
