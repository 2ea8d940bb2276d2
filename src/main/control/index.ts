export {ControlClient} from './control-client.ts';
export {type ControlOptions, type ControlServer, serveControl} from './control-server.ts';
export {entryFiles} from './entry-files.ts';
export {controlError} from './errors.ts';
export {
	connectListed,
	connectMachine,
	findMachine,
	hasEnded,
	isRunning,
	type ListedMachine,
	listMachines,
	type MachineChoice,
	runningNames,
} from './find-machine.ts';
export {claimEntry, type EntryOptions, type MachineEntry} from './machine-entry.ts';
export {isMachineName, nameExpected} from './machine-name.ts';
export {type CommandDefaults, imageText, type MachineDescription} from './machine-record.ts';
export {isAlive} from './process-identity.ts';
export {removeEntry} from './stale-entries.ts';
