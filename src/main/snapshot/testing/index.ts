import type {RamPages} from '#main/jobs';
import type {MachineToSave, SnapshotSource} from '../save-snapshot.ts';

/** A machine that does not run, to be saved. */
export const restingMachine = ({ram, ...machine}: MachineToSave & {readonly ram: RamPages}): SnapshotSource => ({
	ram,
	isRunning: () => false,
	writeLog: () => {
		throw new Error('nobody writes');
	},
	atRest: (work) => work(machine),
});
