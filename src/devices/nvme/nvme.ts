import type {AccessSize, DeviceModel, DoorbellDeclaration} from '#devices/device';
import type {OpenDisk} from '#devices/storage/backend';
import type {DiskChange} from '#devices/storage/disk-set';
import {openDisk} from '#devices/storage/source';
import {errorTable} from '#support/errors';
import {type SavedFields, stateError} from '#support/saved-state';
import {Controller, headDoorbell, tailDoorbell} from './controller.ts';
import {mostNamespaceId, mostNamespaces, type NvmeConfig, nvmeKind, refusesNamespace} from './handle.ts';
import {pciIds} from './identify.ts';
import {changeNamespaces, hostBytes, savedMemory} from './namespaces.ts';
import {NvmeBack} from './nvme-back.ts';
import {NvmeFront, vectorNames} from './nvme-front.ts';
import {Register} from './registers.ts';
import {leftWords, mostAborts, mostLeft, type NvmeFields, NvmeState} from './state.ts';

const nvmeError = errorTable({
	NVME_IMPOSSIBLE: (c: {cause: string}) => ({
		message: `There is no such NVMe controller: ${c.cause}`,
		remedy: `Give it a serial number of 1 to 20 characters and up to ${mostNamespaces} namespaces, each with a number of its own from 1 to ${mostNamespaceId}`,
	}),
});

/** Places of BARs as OpenVMM's. */
const registersBar = {index: 0, size: 0x1_0000, kind: 'memory64'} as const;
const msixBar = 4;
/** A doorbell's width, and the distance to the next. */
const doorbellBytes: AccessSize = 4;

/**
 * In version 2 commands may be left for later; in 3 it does not say any more whose RAM the data of disks in memory are in; in 4 commands of
 * I/O queues may be aborted.
 */
const versions = {
	version: 4,
	upgrade: ({disk: _, ...fields}: SavedFields, from: number): SavedFields => {
		for (const [field, since] of Object.entries({left: 2, leftCount: 2, aborts: 4}))
			if (from < since && field in fields) throw stateError('STATE_FIELD_UNKNOWN', {struct: nvmeKind, field});
		return {
			left: Buffer.alloc(4 * mostLeft * leftWords).toString('base64'),
			leftCount: 0,
			aborts: Array.from({length: mostAborts}, () => ({phase: 0, command: 0, id: 0, result: 0})),
			...fields,
		};
	},
};

/** An NVMe controller (NVM Express Base 2.0, NVM Command Set 1.0) with the ids and limits of OpenVMM's, over disks that are opened so. */
export const nvmeOver = (open: OpenDisk): DeviceModel<NvmeConfig, NvmeFields, 'pci'> => ({
	kind: nvmeKind,
	state: NvmeState,
	versions,
	attach: {
		pci: {
			...pciIds,
			class: 0x01_0802,
			bars: [registersBar],
			interrupts: {vectors: vectorNames, msix: {bar: msixBar}},
		},
	},
	workers: ({workers}) => workers,
	hostMemory: (config) => {
		check(config);
		return hostBytes(config);
	},
	savedMemory,
	doorbells: ({queues}) =>
		Array.from({length: queues + 1}, (_, queue) =>
			[tailDoorbell(queue), headDoorbell(queue)].map(
				(index): DoorbellDeclaration => ({
					region: 0,
					offset: Register.DOORBELLS + doorbellBytes * index,
					size: doorbellBytes,
					queue,
					stores: {field: 'doorbells', index},
				}),
			),
		).flat(),
	refuses: refusesNamespace,
	reconfigure: (config, change, memory) => changeNamespaces(config, change as DiskChange, memory as SharedArrayBuffer),
	front: (config, state, services) => new NvmeFront(config, new Controller(config, state), services),
	back: (config, state, services) => new NvmeBack(config, new Controller(config, state), services, open),
});

/** The same over any disk. */
export const nvme = nvmeOver(openDisk);

/** @throws VmmError NVME_IMPOSSIBLE */
function check({namespaces, serial}: NvmeConfig): void {
	const impossible = (cause: string) => nvmeError('NVME_IMPOSSIBLE', {cause});
	if (!/^[ -~]{1,20}$/.test(serial)) throw impossible(`its serial number is ${JSON.stringify(serial)}`);
	if (namespaces.length > mostNamespaces) throw impossible(`it is to have ${namespaces.length} namespaces`);
	for (const [index, {nsid}] of namespaces.entries()) {
		if (!isWhole(nsid, 1, mostNamespaceId)) throw impossible(`it is to have the namespace ${nsid}`);
		if (namespaces.findIndex((other) => other.nsid === nsid) !== index)
			throw impossible(`it is to have the namespace ${nsid} twice`);
	}
}

const isWhole = (value: number, least: number, most: number): boolean =>
	Number.isInteger(value) && value >= least && value <= most;
