import {stopTimeout} from '#devices/machine';
import {findKernelNotes} from './kernel-notes.ts';
import type {TearDownStep} from './tear-down.ts';
import type {VmParts} from './vm-parts.ts';

/**
 * Lists what is done for a machine's end, in this order.
 * @param halt - has a guest that runs stand still
 * @param besideEnded - waits for the operations beside the others
 */
export function endSteps(
	{machine, devices, notices, vcpus, sampler, ram, release, limits}: VmParts,
	halt: (() => Promise<void>) | undefined,
	besideEnded: () => Promise<void>,
): readonly TearDownStep[] {
	return [
		{
			name: 'what is in flight',
			limitMs: limits.restMs,
			run: async () => {
				if (halt !== undefined) await devices.supervise(halt());
				checkNoneLate(machine);
			},
		},
		// The devices' memory goes with their thread.
		{name: 'what devices tell', run: () => notices.tell()},
		{name: 'a profile', run: () => sampler.end(() => findKernelNotes({ram})), limitMs: limits.restMs},
		{name: "the devices' thread", run: () => devices.supervise(devices.dispose())},
		// A busy host takes its time for each of many.
		{name: "the processors' threads", run: () => vcpus.dispose(), progress: () => vcpus.endedCount},
		// Given up by now. One that does not come back has its own hold on what it uses.
		{name: 'what is done meanwhile', run: besideEnded, limitMs: 2 * limits.restMs},
		{name: 'what the host gave', run: () => release(), needsAll: true},
	];
}

/** @throws VmmError DEVICE_STOP_TIMEOUT when what a device has in flight may still use the machine's memory */
function checkNoneLate(machine: VmParts['machine']): void {
	const {late} = machine;
	if (late.length > 0) throw stopTimeout(late.map(({placed: {name}}) => ({name, inFlight: undefined})));
}
