export {
	adoptWorker,
	type Leaving,
	leaveOwner,
	type SpawnedWorker,
	serveOwner,
	spawnWorker,
} from './thread-rpc.ts';
