import {mostWorkers} from '#devices/device';
import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {
	type ControllerFlag,
	diskFlag,
	diskFlagOption,
	type FlaggedDisk,
	flaggedDisks,
} from '#devices/storage/disk-flag';
import {invalidValue, optionError, parseKeyValues, parseNumber} from '#support/options';
import {mostNamespaceId, mostNamespaces, type NamespaceConfig} from './handle.ts';

const controllerFlag: ControllerFlag = 'nvme-pci';
/** A serial number has no more. */
const mostIdLetters = 20;
const controllerOption = `--${controllerFlag}`;

/** The flags that OpenVMM has for controllers and their disks. */
export const nvmeFlags: DeviceFlags = {
	rows: [
		{
			name: controllerFlag,
			value: 'CONTROLLER',
			repeat: true,
			help: 'an NVMe controller: id=NAME,pcie_port=PORT, then workers=N (threads that serve its queues: 1, up to 8); its disks come by --disk; may be repeated',
		},
		diskFlag,
	],
	devices(given) {
		const disks = flaggedDisks(given);
		const controllers = given(controllerFlag).map(parseController);
		for (const {id, namespaces} of controllers)
			for (const disk of disks(id)) namespaces.push(asNamespace(id, namespaces, disk));
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

function asNamespace(
	on: string,
	others: readonly NamespaceConfig[],
	{text, disk, readOnly, dvd, detached, policy, nsid, lun}: FlaggedDisk,
): NamespaceConfig {
	if (dvd || lun !== undefined)
		throw invalidValue(diskFlagOption, text, `neither dvd nor lun: ${on} is an NVMe controller`);
	if (others.length === mostNamespaces)
		throw invalidValue(diskFlagOption, text, `another controller: ${on} has ${mostNamespaces} disks, and no more`);
	const number =
		nsid === undefined
			? Math.max(0, ...others.map((other) => other.nsid)) + 1
			: parseNumber(nsid, `${diskFlagOption} nsid`, 1, mostNamespaceId);
	if (number > mostNamespaceId || others.some((other) => other.nsid === number))
		throw invalidValue(diskFlagOption, text, `an nsid up to ${mostNamespaceId} that no other disk of ${on} has`);
	return {nsid: number, disk, readOnly, ...(detached && {detached: true}), ...(policy !== undefined && {policy})};
}
