import type {DeviceCommand} from '#devices/device';
import {attachNamespace, detachNamespace, mostNamespaceId} from '#devices/nvme';
import {attachUnit, detachUnit, ejectMedium, insertMedium, mostLun} from '#devices/storage/scsi';
import {measureDisk} from '#devices/storage/source';
import type {LinkCommand} from '#devices/virtio/net';
import {clockPolicies} from '#main/config';
import {nodeName} from '#support/inspect';
import {checkPath, linuxPaths} from '#support/options';
import {bytes, choice, diskLimits, file, integer, nicLimits, toggle, word} from './kinds.ts';
import {type Machine, operation} from './operation.ts';

/** An operation that changes what the machine does, and is answered with the state when that is done. */
const change = (name: string, help: string, act: (vm: Machine) => Promise<void>, letter?: string) =>
	operation({
		name,
		help,
		...(letter !== undefined && {letter}),
		params: {},
		result: '`state` of the machine then',
		async run(vm) {
			await act(vm);
			return {state: vm.state};
		},
	});

export const pause = change('pause', 'stop the processors', (vm) => vm.pause(), 'p');

export const resume = operation({
	name: 'resume',
	letter: 'r',
	help: "let the processors run; the guest's clocks continue where they were, or catch-up",
	params: {
		clock: {
			kind: choice(clockPolicies),
			flag: 'clock',
			placeholder: 'POLICY',
			optional: true,
			help: "what the guest's clocks do: continue where they were (without this flag; after a restore: as restore's --clock says), or catch-up with the real time that has passed",
		},
	},
	result: '`state` of the machine then',
	async run(vm, {clock}) {
		await vm.resume(clock === undefined ? {} : {clock});
		return {state: vm.state};
	},
});

export const reset = change('reset', 'start the guest again', (vm) => vm.reset());

export const nmi = change('nmi', 'send the boot processor a non-maskable interrupt', (vm) => vm.nmi(), 'n');

export const powerButton = change('power-button', 'press the power button: a guest that listens shuts down', (vm) =>
	vm.powerButton(),
);

/** Longest disk of any format. */
const mostDiskBytes = 2 ** 50;

/** One of a controller's disks. */
const disk = {
	kind: integer(0, 2 ** 31 - 1),
	flag: 'disk',
	placeholder: 'N',
	optional: true,
	help: 'its number among those of the controller, such as its NSID; 0 without this',
} as const;

export const resizeDisk = operation({
	name: 'resize-disk',
	help: 'tell the guest how long a disk is now: a raw file that truncate has made longer, or an image that gets longer by this',
	params: {
		device: {kind: word, placeholder: 'DEVICE', help: "the disk's name, such as virtio-blk, or its controller's"},
		size: {
			kind: bytes(mostDiskBytes),
			placeholder: 'SIZE',
			optional: true,
			help: "what an image of qcow2, VHD or VHDX gets, such as 20G; without it files are looked at. What cannot be is in the machine's log",
		},
		disk,
	},
	result: 'nothing: the guest is told later',
	async run(vm, {device, size, disk = 0}) {
		if (size !== undefined) await vm.update(`vm/devices/${nodeName(device)}/disks/${disk}/newSize`, `${size}`);
		await vm.control(device, measureDisk);
		return {};
	},
});

export const limitDisk = operation({
	name: 'limit-disk',
	help: 'change the limits of a disk; what is not named stays, and 0 takes a limit away',
	params: {
		device: {kind: word, placeholder: 'DEVICE', help: "the disk's name, such as virtio-blk, or its controller's"},
		limits: {
			kind: diskLimits('limit-disk'),
			placeholder: 'LIMITS',
			help: "as the disk's flag has them, for example bps=100M,iops=500",
		},
		disk,
	},
	result: 'nothing',
	async run(vm, {device, limits, disk = 0}) {
		for (const [key, limit] of Object.entries(limits))
			await vm.update(`vm/devices/${nodeName(device)}/disks/${disk}/limits/${key}`, `${limit}`);
		return {};
	},
});

export const limitNic = operation({
	name: 'limit-nic',
	help: 'change the limits of a NIC; what is not named stays, and 0 takes a limit away',
	params: {
		device: {kind: word, placeholder: 'DEVICE', help: "the NIC's name, such as virtio-net"},
		limits: {
			kind: nicLimits('limit-nic'),
			placeholder: 'LIMITS',
			help: "as the NIC's flag has them, for example bps_tx=10M,pps=5000",
		},
	},
	result: 'nothing',
	async run(vm, {device, limits}) {
		for (const [key, limit] of Object.entries(limits))
			await vm.update(`vm/devices/${nodeName(device)}/limits/${key}`, `${limit}`);
		return {};
	},
});

const linkStates = ['up', 'down'] as const;

export const setLink = operation({
	name: 'set-link',
	help: 'take the link of a NIC down, or up again: the guest is told, and no frame passes meanwhile',
	params: {
		device: {kind: word, placeholder: 'DEVICE', help: "the NIC's name, such as virtio-net"},
		link: {kind: choice(linkStates), placeholder: 'STATE', help: 'up or down'},
	},
	result: 'nothing',
	async run(vm, {device, link}) {
		const command: LinkCommand = {kind: 'link', up: link === 'up'};
		await vm.control(device, command);
		return {};
	},
});

/** An operation on one namespace of an NVMe controller. */
const onNamespace = (name: string, help: string, command: (nsid: number) => DeviceCommand) =>
	operation({
		name,
		help,
		params: {
			device: {kind: word, placeholder: 'DEVICE', help: "the controller's name"},
			nsid: {
				kind: integer(1, mostNamespaceId),
				placeholder: 'NSID',
				help: 'its number',
			},
		},
		result: 'nothing',
		async run(vm, {device, nsid}) {
			await vm.control(device, command(nsid));
			return {};
		},
	});

export const attach = onNamespace(
	'attach-namespace',
	'give the guest a namespace of an NVMe controller',
	attachNamespace,
);
export const detach = onNamespace(
	'detach-namespace',
	'take a namespace of an NVMe controller from the guest',
	detachNamespace,
);

/** Names one unit of a SCSI controller. */
const unitParams = {
	device: {kind: word, placeholder: 'DEVICE', help: "the controller's name"},
	lun: {kind: integer(0, mostLun), placeholder: 'LUN', help: 'its number'},
} as const;

/** An operation on one unit of a SCSI controller. */
const onUnit = (name: string, help: string, command: (lun: number) => DeviceCommand) =>
	operation({
		name,
		help,
		params: unitParams,
		result: 'nothing',
		async run(vm, {device, lun}) {
			await vm.control(device, command(lun));
			return {};
		},
	});

export const attachLun = onUnit('attach-lun', 'give the guest a disk of a SCSI controller', attachUnit);
export const detachLun = onUnit('detach-lun', 'take a disk of a SCSI controller from the guest', detachUnit);

/** Names a drive, whose medium the guest may have locked. */
const mediumParams = {
	...unitParams,
	force: {kind: toggle, flag: 'force', optional: true, help: 'whatever the guest has locked'},
} as const;
const lockHelp = 'a guest that has locked it is asked to give it';

export const insert = operation({
	name: 'insert-medium',
	help: `put into a drive what its image's path leads to now, or another file, in place of what is in it; ${lockHelp}`,
	params: {
		...mediumParams,
		file: {
			kind: file,
			flag: 'file',
			placeholder: 'PATH',
			optional: true,
			help: 'the image of the disc, from now on; the last one without this',
		},
	},
	result: 'nothing',
	async run(vm, {device, lun, force = false, file: path}) {
		const problem = path === undefined ? undefined : checkPath(linuxPaths, 'input', path, 'insert-medium --file');
		if (problem !== undefined) throw problem;
		await vm.control(device, insertMedium(lun, force, path));
		return {};
	},
});

export const eject = operation({
	name: 'eject-medium',
	help: `take the medium out of a drive; ${lockHelp}`,
	params: mediumParams,
	result: 'nothing',
	async run(vm, {device, lun, force = false}) {
		await vm.control(device, ejectMedium(lun, force));
		return {};
	},
});

export const quit = operation({
	name: 'quit',
	letter: 'q',
	help: 'end the machine and openvmm',
	params: {},
	result: 'nothing; the connection closes when the machine is over',
	ends: true,
	async run(_vm, _values, {quit: end}) {
		end();
		return {};
	},
});
