import type {AttachedMachine} from '#devices/machine';
import {describeFunctions} from '#devices/pci/fabric';
import {byteCount, type Children, hex, nodeName, object} from '#support/inspect';

/** `vm/pci`: PCI functions as the guest has them now; empty without PCI Express. */
export const pciNodes = ({pci}: AttachedMachine): Children =>
	Object.fromEntries(
		describeFunctions(pci?.complexes ?? []).map(({name, bars, on, ...facts}) => [
			nodeName(name),
			object(() => ({
				...facts,
				on: on.join(' ') || 'nothing',
				bars: object(() => Object.fromEntries(bars.map((bar) => [bar.index, object(() => barNodes(bar))]))),
			})),
		]),
	);

const barNodes = ({base, size, decoded}: ReturnType<typeof describeFunctions>[number]['bars'][number]): Children => ({
	base: hex(base),
	size: byteCount(size),
	decoded,
});
