export {
	adoptWorker,
	type Leaving,
	leaveOwner,
	localWorker,
	type SpawnedWorker,
	serveOwner,
	spawnWorker,
} from './thread-rpc.ts';
