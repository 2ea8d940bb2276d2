import {numaNodes, type VmConfig} from '#main/config';
import {type Difference, differences} from './differences.ts';
import {snapshotError} from './errors.ts';
import type {MachineShape} from './machine-shape.ts';
import type {ReadManifest, SavedShape} from './manifest.ts';
import {printable} from './printable.ts';

/** Number of differences shown: the first of many say what is wrong. */
const mostShown = 6;

/** Compares a machine with the one that was saved, field by field. @throws VmmError SNAPSHOT_SHAPE_DIFFERS, SNAPSHOT_MEMORY_BACKING */
export function checkShape(
	shape: MachineShape,
	config: Pick<VmConfig, 'numa' | 'memory'>,
	{directory, manifest}: {readonly directory: string; readonly manifest: Pick<ReadManifest, 'machine' | 'machineText'>},
): void {
	const text = jsonOf(shape);
	// Leaf by leaf it would be a tenth of what a clone takes.
	const found = text === manifest.machineText ? [] : [...differences(manifest.machine, JSON.parse(text))];
	if (found.length > 0) {
		const shown = found.slice(0, mostShown).map(inWords);
		const more = found.length - shown.length;
		const rest = more > 0 ? [`and ${more} more`] : [];
		throw snapshotError('SNAPSHOT_SHAPE_DIFFERS', {directory, differences: [...shown, ...rest]});
	}
	const memories = numaNodes(config).map(({memory}) => memory);
	if (memories.some(({file}) => file !== undefined)) throw snapshotError('SNAPSHOT_MEMORY_BACKING', {option: 'file'});
	if (memories.some(({hugepages}) => hugepages)) throw snapshotError('SNAPSHOT_MEMORY_BACKING', {option: 'hugepages'});
}

/** As it would come back from a snapshot: a user's device may have anything in its configuration. */
export const asJson = (shape: MachineShape): SavedShape => JSON.parse(jsonOf(shape)) as SavedShape;

const jsonOf = (shape: MachineShape): string =>
	JSON.stringify(shape, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));

const inWords = ({path, one, other}: Difference) => `${printable(path)} ${text(one)}, asked for ${text(other)}`;

const text = (value: unknown): string => (value === undefined ? 'none' : printable(JSON.stringify(value)));
