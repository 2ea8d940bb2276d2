import {errorTable} from '#support/errors';

/** What can be wrong with an operation on a machine. */
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
	VM_DEBUGGED: (_: Record<never, never>) => ({
		message: 'Another debugger is attached to the machine',
		remedy: 'Detach it first',
	}),
});
