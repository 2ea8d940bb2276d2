import {catchStrays} from '#devices/machine';
import {leaveOwner, serveOwner} from '#support/rpc';
import {DeviceWorker} from './device-worker.ts';

catchStrays();
serveOwner(new DeviceWorker({leave: leaveOwner}));
