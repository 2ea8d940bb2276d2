import {errorTable} from '#support/errors';
import {printable} from './printable.ts';

const another = 'Use a snapshot that is whole, or make it again with save-snapshot';

/** Errors of snapshots. `errno` is the name of a system call's error. */
export const snapshotError = errorTable({
	SNAPSHOT_UNREADABLE: (c: {directory: string; file: string; errno: string}) => ({
		message: `The snapshot ${c.directory} cannot be read: ${c.file} gave ${c.errno}`,
		remedy: 'Name the folder that save-snapshot made',
	}),
	SNAPSHOT_DAMAGED: (c: {directory: string; file: string; cause: string}) => ({
		message: `The snapshot ${c.directory} is damaged: ${c.file} ${c.cause}`,
		remedy: another,
	}),
	SNAPSHOT_VERSION: (c: {directory: string; found: number; reads: number; madeBy: string}) => ({
		message: `The snapshot ${c.directory} has format version ${c.found}, made by openvmm ${printable(c.madeBy)}; this one reads version ${c.reads}`,
		remedy: 'Restore it with the openvmm that made it',
	}),
	SNAPSHOT_ARCHITECTURE: (c: {directory: string; found: string; host: string}) => ({
		message: `The snapshot ${c.directory} is of an ${printable(c.found)} machine, and this host is ${c.host}`,
		remedy: `Restore it on an ${printable(c.found)} host`,
	}),
	SNAPSHOT_SHAPE_DIFFERS: (c: {directory: string; differences: readonly string[]}) => ({
		message: `The snapshot ${c.directory} is of a machine of another shape: ${c.differences.join('; ')}`,
		remedy:
			'Leave out what shapes the machine, for the snapshot brings it: what has to be given again is only what is the host’s',
	}),
	SNAPSHOT_DEVICE_MISSING: (c: {directory: string; name: string; kind: string}) => ({
		message: `The snapshot ${c.directory} has a device ${c.name} of the kind ${c.kind}, which this program has not`,
		remedy: 'Give its module again, and its name if it has one: --device PATH,name=NAME',
	}),
	SNAPSHOT_HOST_SIDE_MISSING: (c: {directory: string; missing: readonly string[]}) => ({
		message: `Of the machine of the snapshot ${c.directory} what is the host's is in no snapshot, and is not given again: ${c.missing.map(printable).join(', ')}`,
		remedy:
			"Give it by the flags or devices that it was made with. A machine of openvmm run goes on with its image and folders by openvmm run --restore DIR [IMAGE] [-v HOST:GUEST]; a program's by VM.restore, with image, folders and disks",
	}),
	SNAPSHOT_HYPERVISOR_LACKS: (c: {directory: string; savedBy: string; kind: string; missing: readonly string[]}) => ({
		message: `The machine of the snapshot ${c.directory} ran on ${printable(c.savedBy)} and has what ${c.kind} does not have on this host: ${c.missing.map(printable).join(', ')}`,
		remedy:
			'Restore it with the hypervisor that it was saved with, on a host with the same kind of processor; a guest that is to move begins with --cpu x86-64-v2',
	}),
	SNAPSHOT_DISK_DIFFERS: (c: {
		directory: string;
		device: string;
		disk: string;
		bytes: number | undefined;
		room: number | undefined;
	}) => ({
		message: `The snapshot ${c.directory} has ${c.bytes === undefined ? 'nothing' : `a part of ${c.bytes} bytes`} of what ${printable(c.device)} has in memory as ${printable(c.disk)}, and the machine has ${c.room === undefined ? 'no such disk' : `room for ${c.room} bytes there`}`,
		remedy:
			'Give the device the disks that it had, made of the same layers: mem as long, memdiff with as much for its limit; over a file that it had alone memdiff may be new',
	}),
	SNAPSHOT_MEMORY_BACKING: (c: {option: string}) => ({
		message: `Restored memory is a private copy of the snapshot's, which excludes ${c.option}`,
		remedy: `Drop ${c.option} from --memory`,
	}),
	SNAPSHOT_TARGET_TAKEN: (c: {directory: string; found: string}) => ({
		message: `Cannot save a snapshot to ${c.directory}: it is ${c.found}`,
		remedy: 'Name a folder that does not exist, that is empty, or that holds an older snapshot',
	}),
	SNAPSHOT_WRITE_FAILED: (c: {directory: string; errno: string}) => ({
		message: `Saving a snapshot to ${c.directory} failed: ${c.errno}. The machine goes on, and what was there before is whole`,
		remedy: 'Make room on its file system, or name a folder elsewhere',
	}),
});
