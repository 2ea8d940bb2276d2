import {serveOwner} from '#support/rpc';
import {VcpuWorker} from '#vcpu-worker/worker';

serveOwner(new VcpuWorker());
