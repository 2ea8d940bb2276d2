import {loadDeviceModels} from '#devices/registry';
import {connectOwner, leaveOwner, serveOwner} from '#support/rpc';
import {likelyBackEnd, warmBackEnd} from '#vcpu-worker/back-ends';
import {VcpuWorker} from '#vcpu-worker/worker';

/** Machines that need their threads at once have come to them long before. */
const idleMs = 250;

const worker = new VcpuWorker(leaveOwner, connectOwner);
serveOwner(worker);
warmBackEnd();
// An owner that waits for this thread has yet to say which devices there are; most are ours.
loadDeviceModels([]).catch(() => {});
setTimeout(rehearse, idleMs).unref();

/** What goes wrong then is met by the machine that comes. */
async function rehearse(): Promise<void> {
	const backEnd = await likelyBackEnd().catch(() => undefined);
	if (backEnd !== undefined) await worker.rehearse(backEnd).catch(() => {});
}
