import type {RamPages} from '#main/jobs';
import type {MachineToSave, SnapshotSource} from '../save-snapshot.ts';

const noDisks = {parts: [], pages: {ranges: [], banks: []}};

/** A machine that does not run, to be saved; with no disks in memory unless they are given. */
export const restingMachine = ({
	ram,
	disks = noDisks,
	...machine
}: Omit<MachineToSave, 'disks'> &
	Partial<Pick<MachineToSave, 'disks'>> & {readonly ram: RamPages}): SnapshotSource => ({
	ram,
	isRunning: () => false,
	writeLog: () => {
		throw new Error('nobody writes');
	},
	atRest: (work) => work({...machine, disks}),
});
