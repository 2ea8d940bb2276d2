import {errorTable} from '#support/errors';

/** Errors of operations on a machine. */
export const vmError = errorTable({
	VM_RUNNING: (c: {wanted: string}) => ({
		message: `The machine runs, and ${c.wanted} can only be had while it stands still`,
		remedy: 'Pause it first',
	}),
	VM_STOPPED: (c: {wanted: string}) => ({message: `The machine is over: there is no ${c.wanted} any more`}),
	VM_DEVICE_UNKNOWN: (c: {device: string; devices: readonly string[]}) => ({
		message: `The machine has no device called ${c.device}`,
		remedy: `It has ${c.devices.join(', ')}`,
	}),
	DEVICE_COMMAND_REFUSED: (c: {device: string; command: string; cause: string}) => ({
		message: `The device ${c.device} cannot do ${c.command}: it ${c.cause}`,
		remedy: 'Name what it has: `openvmm inspect NAME vm/devices` tells',
	}),
	VM_CRASH_DUMPS_LIMIT: (c: {path: string; limit: number; waitMinutes: number}) => ({
		message: `The guest crashed again within the hour of ${c.limit} core dumps: this crash is not dumped to "${c.path}", nor any in the next ${c.waitMinutes} minutes`,
		remedy: 'dump-core writes one at any time; a guest that crashes in a loop is ended by --guest-crash-action exit',
	}),
	CPU_FEATURES_MISSING: (c: {cpu: string; kind: string; missing: readonly string[]}) => ({
		message: `--cpu ${c.cpu} has ${c.missing.join(', ')}, which guests of ${c.kind} do not find on this host`,
		remedy: 'Ask for a lower model or fewer features; `openvmm doctor` says which models each back end has here',
	}),
	VM_DEVICES_HUNG: (c: {tid: number; seconds: number}) => ({
		message: `The devices' thread (${c.tid}) hangs: it has not come back to its wait for ${c.seconds} seconds`,
		remedy:
			'Look for what blocks in the back end of a device of your own (--device); without one this is a bug in openvmm: please report it',
	}),
	VM_NOT_AT_REST: (c: {seconds: number}) => ({
		message: `Processors or devices of the machine have not come to rest within ${c.seconds} seconds`,
		remedy:
			'Look for code that does not come back in a device of your own (--device); without one this is a bug in openvmm: please report it',
	}),
	VM_DEBUGGED: (_: Record<never, never>) => ({
		message: 'Another debugger is attached to the machine',
		remedy: 'Detach it first',
	}),
	VM_CLOCK_TOO_FAR: (c: {since: string; most: number}) => ({
		message: `The machine has stood still since ${c.since}, and its clocks would be more than ${c.most} years on`,
		remedy: "Look at the host's clock, or let the guest's go on where they were (clock policy continue)",
	}),
});
