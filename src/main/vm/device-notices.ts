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
	pause(): Promise<void>;
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
	const isToPause = (): boolean => {
		let isAsked = false;
		for (const device of machine.devices) {
			const read = readers.get(device) ?? reader(device);
			readers.set(device, read);
			for (const notice of read()) {
				told({device: device.placed.name, ...notice});
				isAsked ||= notice.pauses;
			}
		}
		return isAsked;
	};
	let isOver = false;
	void ended.then(() => {
		isOver = true;
		// Whoever waits for ever keeps the whole machine in memory.
		events.stopWaiting();
	});
	for (let known = 0; !isOver; ) {
		await events.moreNotices(known);
		known = events.notices;
		if (isOver) return;
		if (isToPause()) {
			await pause().catch(() => {});
			// Those that came until it stood still are of the same trouble: they must not have it pause again when somebody has it go on.
			isToPause();
			known = events.notices;
		}
		await sleep(roundMs, undefined, {ref: false});
	}
}
