export {
	adoptWorker,
	type Leaving,
	leaveOwner,
	type SpawnedWorker,
	serveOwner,
	spawnWorker,
	threadLimits,
	withPorts,
} from './thread-rpc.ts';
