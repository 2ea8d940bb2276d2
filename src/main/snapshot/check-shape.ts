import type {VmConfig} from '#main/config';
import {snapshotError} from './errors.ts';
import type {MachineShape} from './manifest.ts';
import type {OpenSnapshot} from './open-snapshot.ts';

/** What of a configuration a snapshot can only be restored with as it was. The devices are compared one by one later. */
export const machineShape = ({processors, memory, irqchip, pcie}: VmConfig): MachineShape => ({
	processors: processors.count,
	memoryBytes: memory.sizeBytes,
	irqchip,
	...(pcie && {pcie: JSON.stringify(pcie)}),
});

/** @throws VmmError SNAPSHOT_SHAPE_DIFFERS, SNAPSHOT_MEMORY_BACKING */
export function checkShape(config: VmConfig, {directory, manifest}: OpenSnapshot): void {
	const asked = machineShape(config);
	const differences = (Object.keys(asked) as (keyof MachineShape)[])
		.filter((name) => asked[name] !== manifest.machine[name])
		.map((name) => `${name} ${manifest.machine[name]}, asked for ${asked[name]}`);
	if (differences.length > 0) throw snapshotError('SNAPSHOT_SHAPE_DIFFERS', {directory, differences});
	const {file, hugepages} = config.memory;
	if (file !== undefined) throw snapshotError('SNAPSHOT_MEMORY_BACKING', {option: 'file'});
	if (hugepages) throw snapshotError('SNAPSHOT_MEMORY_BACKING', {option: 'hugepages'});
}
