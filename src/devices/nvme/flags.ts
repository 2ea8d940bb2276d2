import {mostWorkers} from '#devices/device';
import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {givenPolicy, policyKeys} from '#devices/storage/backend';
import {diskOption} from '#devices/storage/source';
import {invalidValue, optionError, parseKeyValues, parseNumber} from '#support/options';
import {mostNamespaceId, mostNamespaces, type NamespaceConfig} from './handle.ts';

const [controllerFlag, diskFlag] = ['nvme-pci', 'disk'];
/** A serial number has no more. */
const mostIdLetters = 20;
const [controllerOption, diskFlagOption] = [`--${controllerFlag}`, `--${diskFlag}`];

/** The flags that OpenVMM has for controllers and their disks. */
export const nvmeFlags: DeviceFlags = {
	rows: [
		{
			name: controllerFlag,
			value: 'CONTROLLER',
			repeat: true,
			help: 'an NVMe controller: id=NAME,pcie_port=PORT, then workers=N (threads that serve its queues: 1, up to 8); its disks come by --disk; may be repeated',
		},
		{
			name: diskFlag,
			value: 'DISK',
			repeat: true,
			needs: controllerFlag,
			help: 'a disk of a controller, written as of --virtio-blk, then on=NAME (the id of the controller), nsid=N (its namespace: the next number unless given), ro (it is only read), off (the guest has it from attach-namespace on), the words of --virtio-blk for limits and errors (bps, iops, on_error, enospc), between commas; may be repeated',
		},
	],
	devices(given) {
		const controllers = given(controllerFlag).map(parseController);
		for (const [index, {id}] of controllers.entries())
			if (controllers.findIndex((other) => other.id === id) !== index)
				throw invalidValue(controllerOption, `id=${id}`, 'another id for each controller');
		for (const text of given(diskFlag)) {
			const {on, nsid, ...disk} = parseDisk(text);
			const controller = controllers.find(({id}) => id === on);
			if (controller === undefined)
				throw invalidValue(diskFlagOption, text, `on=NAME, with NAME the id of a controller of ${controllerOption}`);
			const {namespaces} = controller;
			if (namespaces.length === mostNamespaces)
				throw invalidValue(diskFlagOption, text, `another controller: ${on} has ${mostNamespaces} disks, and no more`);
			const number = nsid ?? Math.max(0, ...namespaces.map((other) => other.nsid)) + 1;
			if (number > mostNamespaceId || namespaces.some((other) => other.nsid === number))
				throw invalidValue(diskFlagOption, text, `an nsid up to ${mostNamespaceId} that no other disk of ${on} has`);
			namespaces.push({nsid: number, ...disk});
		}
		return controllers.map(({id, port, workers, namespaces}): FlaggedDevice => {
			return {name: id, port, options: {namespaces, serial: id, workers}};
		});
	},
};

/** A controller that a flag asks for, which disks are added to. */
interface FlaggedController {
	readonly id: string;
	readonly port: string;
	readonly workers: number;
	readonly namespaces: NamespaceConfig[];
}

function parseController(text: string): FlaggedController {
	const given = parseKeyValues(text, controllerOption, {id: 'value', pcie_port: 'value', workers: 'value'});
	const [id, port] = [given.value('id'), given.value('pcie_port')];
	if (id === undefined || id.length > mostIdLetters)
		throw invalidValue(
			controllerOption,
			text,
			`id=NAME with 1 to ${mostIdLetters} characters, which are its serial number too`,
		);
	if (port === undefined)
		throw optionError('CONFIG_REQUIRES', {option: controllerOption, first: text, needed: 'pcie_port=PORT'});
	const workers = parseNumber(given.value('workers') ?? '1', `${controllerOption} workers`, 1, mostWorkers);
	return {id, port, workers, namespaces: []};
}

function parseDisk(text: string) {
	const [, disk = '', rest = ''] = /^([^,]*),(.*)$/s.exec(text) ?? [];
	if (rest === '') throw invalidValue(diskFlagOption, text, 'DISK,on=NAME, for example mem:64M,on=nvme0');
	const given = parseKeyValues(rest, diskFlagOption, {
		on: 'value',
		nsid: 'value',
		ro: 'flag',
		off: 'flag',
		...policyKeys,
	});
	const nsid = given.value('nsid');
	const policy = givenPolicy(given, diskFlagOption);
	return {
		on: given.value('on'),
		nsid: nsid === undefined ? undefined : parseNumber(nsid, `${diskFlagOption} nsid`, 1, mostNamespaceId),
		disk: diskOption.parse(disk, diskFlagOption),
		readOnly: given.flag('ro') ?? false,
		...(given.flag('off') === true && {detached: true}),
		...(policy !== undefined && {policy}),
	};
}
