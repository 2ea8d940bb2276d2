export {
	adoptWorker,
	connectOwner,
	type Leaving,
	leaveOwner,
	type SpawnedWorker,
	serveOwner,
	spawnWorker,
	threadLimits,
} from './thread-rpc.ts';
