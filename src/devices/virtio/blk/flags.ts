import {mostWorkers} from '#devices/device';
import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {givenPolicy, policyHelp, policyKeys} from '#devices/storage/backend';
import {diskForms, diskOption} from '#devices/storage/source';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue, parseKeyValues, parseNumber, type RawOptions} from '#support/options';
import {mostQueues} from './blk-back.ts';
import {virtioBlkId, virtioBlkKind} from './handle.ts';

const flag = 'virtio-blk';
const flagOption = `--${flag}`;
const keys = {
	ro: 'flag',
	pcie_port: 'value',
	num_queues: 'value',
	workers: 'value',
	serial: 'value',
	packed: 'flag',
	in_order: 'flag',
	...policyKeys,
} as const;

/** The flag that OpenVMM has for disks: all of them count, and those without a port are on MMIO. */
export const virtioBlkFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'DISK',
			repeat: true,
			help: `a virtio disk: ${diskForms}; then ro (it is only read), serial=TEXT (20 characters), pcie_port=PORT (without one it is on MMIO), num_queues=N (1, up to 16), workers=N (threads that serve the queues: 1, up to 8), packed=off (rings are split, whatever the driver knows), in_order (requests end in the order in which they came, if the driver wants that), ${policyHelp}, between commas; may be repeated`,
		},
	],
	devices(given) {
		let onMmio = 0;
		return given(flag).map((text): FlaggedDevice => {
			const {port, options} = parseBlkDisk(text);
			if (port !== undefined) return {port, options};
			const place = flaggedPlace(virtioBlkId, onMmio++);
			if (place !== undefined) return {kind: `${virtioBlkKind}-mmio`, options: {...options, ...place}};
			throw invalidValue(flagOption, text, `pcie_port=PORT: there is room for ${onMmio - 1} disks without one`);
		});
	},
};

/** Reads a disk as the flag has it. @param option - what asks for it @throws VmmError with a `CONFIG_` code */
export function parseBlkDisk(
	text: string,
	option = flagOption,
): {readonly port: string | undefined; readonly options: RawOptions} {
	const [, disk = '', rest] = /^([^,]*)(?:,(.*))?$/s.exec(text) ?? [];
	const given = rest === undefined ? undefined : parseKeyValues(rest, option, keys);
	const queues = parseNumber(given?.value('num_queues') ?? '1', `${option} num_queues`, 1, mostQueues);
	const workers = parseNumber(given?.value('workers') ?? '1', `${option} workers`, 1, Math.min(queues, mostWorkers));
	const serial = given?.value('serial');
	const policy = givenPolicy(given, option);
	return {
		port: given?.value('pcie_port'),
		options: {
			disk: diskOption.parse(disk, option),
			queues,
			workers,
			readOnly: given?.flag('ro') ?? false,
			...(serial !== undefined && {id: serial}),
			packed: given?.flag('packed') ?? true,
			...(given?.flag('in_order') === true && {inOrder: true}),
			...(policy !== undefined && {policy}),
		},
	};
}
