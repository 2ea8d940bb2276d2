import type {DeviceInstance} from '#devices/device';
import {possibleAcs} from '#devices/pci/config-space';
import {downstreamPortKind, type PciePortConfig, rootPortKind, upstreamPortKind} from '#devices/pci/port';
import {type RootComplexConfig, rootComplexKind} from '#devices/pci/root-complex';
import {downstreamPortNames, type PcieConfig, type PcieRootPortConfig} from '#main/config';
import {assignNumbers} from './port-numbers.ts';

/** Lists a machine's root complexes, ports and switches. @throws VmmError with a `PCIE_` code for impossible port numbers */
export function describePcie(pcie: PcieConfig | undefined, complexes: readonly RootComplexConfig[]): DeviceInstance[] {
	if (pcie === undefined) return [];
	let slots = 0;
	const portConfig = ({
		hotplug,
		button,
		acs,
		pasid,
	}: Pick<PcieRootPortConfig, 'hotplug' | 'button' | 'acs' | 'pasid'>) =>
		({
			...(hotplug && {slot: ++slots, ...(button && {button})}),
			acs: acs & possibleAcs,
			prefixes: pasid,
		}) satisfies PciePortConfig;
	const device = (name: string, kind: string, config: object, on?: string, devfn = 0): DeviceInstance => {
		return {name, kind, config, options: {...config}, ...(on !== undefined && {place: {on, devfn}})};
	};
	const {rootComplexes, rootPorts, switches} = pcie;
	const ports = rootComplexes.flatMap(({name: complex}) => {
		const own = rootPorts.filter(({rootComplex}) => rootComplex === complex);
		return assignNumbers(own).map(({port, devfn}) => device(port.name, rootPortKind, portConfig(port), complex, devfn));
	});
	return [
		...rootComplexes.map(({name}, index) => device(name, rootComplexKind, complexes[index] as RootComplexConfig)),
		...ports,
		...switches.flatMap((options) => {
			const {port, name} = options;
			const names = downstreamPortNames(options).map((own) => ({name: own}));
			return [
				device(name, upstreamPortKind, portConfig({...options, hotplug: false}), port),
				...assignNumbers(names).map(({port: own, devfn}) =>
					device(own.name, downstreamPortKind, portConfig(options), name, devfn),
				),
			];
		}),
	];
}
