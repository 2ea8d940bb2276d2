export {ProgramCalls} from './program-calls.ts';
export {
	type CallLimits,
	type KeepObject,
	noProgram,
	type ProgramAnswer,
	type ProgramCaller,
	type ProgramHandle,
	type ProgramObject,
} from './program-object.ts';
export {ProgramObjects} from './program-objects.ts';
export {
	adoptWorker,
	connectOwner,
	type Leaving,
	leaveOwner,
	type SpawnedWorker,
	serveOwner,
	spawnWorker,
	threadLimits,
	withPort,
} from './thread-rpc.ts';
