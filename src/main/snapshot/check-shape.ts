import {type NumaConfig, numaNodes, type VmConfig} from '#main/config';
import {snapshotError} from './errors.ts';
import type {MachineShape} from './manifest.ts';
import type {OpenSnapshot} from './open-snapshot.ts';

/** What of a configuration a snapshot can only be restored with as it was. The devices are compared one by one later. */
export const machineShape = ({processors, memory, irqchip, pcie, numa}: VmConfig): MachineShape => ({
	processors: processors.count,
	memoryBytes: memory.sizeBytes,
	irqchip,
	...(pcie && {pcie: JSON.stringify(pcie)}),
	...(numa && {numa: JSON.stringify(guestNuma(numa))}),
});

/** What the guest sees of its nodes. */
const guestNuma = ({nodes, distances}: NumaConfig) => ({
	nodes: nodes.map(({memory, vps}) => ({bytes: memory.sizeBytes, vps})),
	distances,
});

/** @throws VmmError SNAPSHOT_SHAPE_DIFFERS, SNAPSHOT_MEMORY_BACKING */
export function checkShape(config: VmConfig, {directory, manifest}: OpenSnapshot): void {
	const asked = machineShape(config);
	const names = new Set(Object.keys({...manifest.machine, ...asked}) as (keyof MachineShape)[]);
	const differences = [...names]
		.filter((name) => asked[name] !== manifest.machine[name])
		.map((name) => `${name} ${manifest.machine[name] ?? 'none'}, asked for ${asked[name] ?? 'none'}`);
	if (differences.length > 0) throw snapshotError('SNAPSHOT_SHAPE_DIFFERS', {directory, differences});
	const memories = numaNodes(config).map(({memory}) => memory);
	if (memories.some(({file}) => file !== undefined)) throw snapshotError('SNAPSHOT_MEMORY_BACKING', {option: 'file'});
	if (memories.some(({hugepages}) => hugepages)) throw snapshotError('SNAPSHOT_MEMORY_BACKING', {option: 'hugepages'});
}
