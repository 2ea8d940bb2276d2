import type {PcieConfig} from '#main/config';
import {placed, portOf, type SharedFolders, windowBytes} from './shared-folders.ts';

/** Name of the root complex with folders whose files are mapped. */
const complexName = 'folders';
const mib = 2 ** 20;

type Pcie = Partial<PcieConfig>;

/** PCI Express with a port for each folder whose files are mapped; as it was where there is none. @throws VmmError VM_OPTION_INVALID, CONFIG_VALUE_INVALID */
export function withFolderPorts(folders: SharedFolders, pcie: Pcie | undefined): Pcie | undefined {
	const mapped = placed(folders).flatMap(([path, folder], index) => {
		const bytes = windowBytes(path, folder);
		return bytes === undefined ? [] : [{port: portOf(index), bytes}];
	});
	if (mapped.length === 0) return pcie;
	const {rootComplexes = [], rootPorts = []} = pcie ?? {};
	// A BAR is as long as a power of two, and lies at a multiple of that.
	const room = mapped.reduce((sum, {bytes}) => sum + 2 * 2 ** Math.ceil(Math.log2(Math.max(bytes, mib))), 0);
	const complex = {
		name: complexName,
		segment: 1 + Math.max(-1, ...rootComplexes.map(({segment}) => segment)),
		startBus: 0,
		endBus: mapped.length,
		lowMmioBytes: 64 * mib,
		highMmioBytes: room + 64 * mib,
		preserveBars: false,
	};
	const ports = mapped.map(({port}) => ({rootComplex: complexName, name: port, hotplug: false, acs: 0, pasid: false}));
	return {...pcie, rootComplexes: [...rootComplexes, complex], rootPorts: [...rootPorts, ...ports]};
}

/** PCI Express that is said again of a machine that goes on, with what that had for folders. */
export function againFolderPorts(pcie: Pcie, {rootComplexes = [], rootPorts = []}: Pcie = {}): Pcie {
	return {
		...pcie,
		rootComplexes: [...(pcie.rootComplexes ?? []), ...rootComplexes.filter(({name}) => name === complexName)],
		rootPorts: [...(pcie.rootPorts ?? []), ...rootPorts.filter((port) => port.rootComplex === complexName)],
	};
}
