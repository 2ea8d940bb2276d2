import {guestWatchdogKind, watchdogReset} from '#devices/chipset/guest-watchdog';
import type {MachineEvent} from '#devices/device';
import type {GuestAction} from '#main/config';
import type {VmEnd} from './vm-end.ts';
import type {VmParts} from './vm-parts.ts';

const guestPanic = 'the guest reported a panic';

/** Consequences of a guest's stopping by itself. */
export interface AfterEvent {
	readonly action: GuestAction;
	/** The machine's end, where the action ends it with this status. */
	end(status: number): VmEnd;
	/** Rest of the work when the action was to start again. */
	readonly afterReset?: () => void;
	/** It has crashed, for this reason. */
	readonly crash?: string;
}

/** Decides what follows an event that the guest asked the machine for. */
export function afterEvent(event: MachineEvent, {machine, actions}: VmParts): AfterEvent {
	const exit = (status: number): VmEnd => ({kind: 'exit', status});
	switch (event.kind) {
		case 'crash': {
			const end = (status: number): VmEnd => ({kind: 'crash', reason: guestPanic, status});
			return {action: actions.crash, end, crash: guestPanic};
		}
		case 'watchdog': {
			const afterReset = () => {
				for (const {placed} of machine.devices)
					if (placed.kind === guestWatchdogKind) machine.control(placed.name, watchdogReset);
			};
			return {action: actions.watchdog, end: (status) => ({kind: 'watchdog', status}), afterReset};
		}
		case 'exit':
			return {action: {exit: event.status}, end: exit};
		case 'reset':
			return {action: actions.reset, end: exit};
		default: {
			const {kind} = event;
			return {action: actions.shutdown, end: (status) => (status === 0 ? {kind} : exit(status))};
		}
	}
}
