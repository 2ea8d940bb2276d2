export {adoptWorker, leaveOwner, localWorker, type SpawnedWorker, serveOwner, spawnWorker} from './thread-rpc.ts';
