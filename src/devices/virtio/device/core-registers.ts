import type {QueueAddress, QueueRegisters} from './queue-registers.ts';
import {Status} from './registers.ts';
import type {VirtioCore} from './virtio-core.ts';

/** A register of 8 to 32 bits, as the driver has it on every transport. One without `write` is read-only. */
export interface CoreRegister {
	read(core: VirtioCore): number;
	write?(core: VirtioCore, value: number): void;
}

/** Registers of the queue that is selected; no queue reads zero. */
const ofQueue = (
	read: (queue: QueueRegisters, core: VirtioCore) => number,
	write?: (queue: QueueRegisters, value: number, core: VirtioCore) => void,
): CoreRegister => ({
	read: (core) => (core.selected === undefined ? 0 : read(core.selected, core)),
	...(write && {
		write: (core, value) => {
			if (core.selected !== undefined) write(core.selected, value, core);
		},
	}),
});

const address = (part: QueueAddress): CoreRegister =>
	ofQueue(
		(queue) => queue.address(part),
		(queue, value) => queue.setAddress(part, value),
	);

const field = (name: 'virtio.deviceSelect' | 'virtio.driverSelect' | 'virtio.queueSelect'): CoreRegister => ({
	read: ({state}) => state[name],
	write: ({state}, value) => {
		state[name] = value;
	},
});

function turnOn(queue: QueueRegisters, value: number, {status}: VirtioCore): void {
	if (value === 1 && (status & Status.FEATURES_OK) !== 0) queue.turnOn();
}

/** Actions of the registers; each transport says where they lie. */
export const coreRegisters = {
	deviceSelect: field('virtio.deviceSelect'),
	deviceFeatures: {read: ({state, offered}) => offered[state['virtio.deviceSelect']] ?? 0},
	driverSelect: field('virtio.driverSelect'),
	driverFeatures: {
		read: ({state}) => (state['virtio.features'][state['virtio.driverSelect']] ?? 0) >>> 0,
		write: (core, value) => core.writeFeatures(value),
	},
	queueCount: {read: ({queues}) => queues.length},
	status: {read: ({status}) => status, write: (core, value) => core.writeStatus(value)},
	/** For drivers that wait for a reset: what it was, until the device is done with the queues (virtio 1.2, 2.4.1). */
	statusWhenDone: {
		read: ({status, state}) => state['virtio.resetting'] & 0xff || status,
		write: (core, value) => core.writeStatus(value),
	},
	generation: {read: ({state}) => state['virtio.generation'] & 0xff},
	queueSelect: field('virtio.queueSelect'),
	queueSizeMost: ofQueue(({most}) => most),
	queueSize: ofQueue(
		({size}) => size,
		(queue, value) => {
			queue.size = value;
		},
	),
	/** A queue is turned on after features are agreed on, and off where the transport allows it (virtio 1.2, 4.2.2). */
	queueReady: ofQueue(
		({ready}) => (ready ? 1 : 0),
		(queue, value, core) => {
			if (value === 0) queue.turnOff();
			else turnOn(queue, value, core);
		},
	),
	/** On PCI a queue is turned off by a reset only (4.1.4.3.2). */
	queueEnable: ofQueue(({ready}) => (ready ? 1 : 0), turnOn),
	/** Reads 1 until nothing of the queue is in flight (4.1.4.3.1). */
	queueReset: ofQueue(
		({isResetting}) => (isResetting ? 1 : 0),
		(queue, value, core) => {
			if (value === 1) core.resetQueue(queue);
		},
	),
	descriptorsLow: address('descriptorsLow'),
	descriptorsHigh: address('descriptorsHigh'),
	driverLow: address('driverLow'),
	driverHigh: address('driverHigh'),
	deviceLow: address('deviceLow'),
	deviceHigh: address('deviceHigh'),
} satisfies Readonly<Record<string, CoreRegister>>;

export const constant = (value: number): CoreRegister => ({read: () => value});
