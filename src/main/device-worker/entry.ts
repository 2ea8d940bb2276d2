import {serveOwner} from '#support/rpc';
import {DeviceWorker} from './device-worker.ts';

serveOwner(new DeviceWorker());
