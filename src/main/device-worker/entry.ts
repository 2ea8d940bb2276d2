import {leaveOwner, serveOwner} from '#support/rpc';
import {DeviceWorker} from './device-worker.ts';

serveOwner(new DeviceWorker({leave: leaveOwner}));
