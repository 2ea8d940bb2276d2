import {loadDeviceModels} from '#devices/registry';
import {leaveOwner, serveOwner} from '#support/rpc';
import {warmBackEnd} from '#vcpu-worker/back-ends';
import {VcpuWorker} from '#vcpu-worker/worker';

serveOwner(new VcpuWorker(leaveOwner));
warmBackEnd();
// An owner that waits for this thread has yet to say which devices there are; most are ours.
loadDeviceModels([]).catch(() => {});
