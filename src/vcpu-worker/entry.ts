import {leaveOwner, serveOwner} from '#support/rpc';
import {warmBackEnd} from '#vcpu-worker/back-ends';
import {VcpuWorker} from '#vcpu-worker/worker';

serveOwner(new VcpuWorker(leaveOwner));
warmBackEnd();
