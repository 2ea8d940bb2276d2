export {adoptWorker, leaveOwner, type SpawnedWorker, serveOwner, spawnWorker} from './thread-rpc.ts';
