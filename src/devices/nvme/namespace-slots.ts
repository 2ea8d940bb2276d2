import type {NamespaceConfig} from './handle.ts';
import type {ControllerState, NamespaceTold} from './state.ts';

/** What is in a slot has gone, and nobody has taken it since: the driver can still read that. */
const gone = 0x8000_0000;

/** The number of the namespace that is in a slot, or was. */
export const numberIn = ({nsid}: NamespaceTold): number => (nsid & ~gone) >>> 0;

/**
 * The place of a namespace in the state, where its bits are too: its own as long as the controller has it, wherever the configuration has it; -1 where
 * it has none.
 */
export const slotOf = ({namespaces}: ControllerState, nsid: number): number =>
	namespaces.findIndex((told) => told.nsid === nsid);

/** Gives a namespace of the configuration a slot: there are as many as a controller has namespaces. Under the device's lock. */
export function takeSlot(state: ControllerState, {nsid, detached}: NamespaceConfig): number {
	const unused = slotOf(state, 0);
	// Where none is free a snapshot holds what never was.
	const slot =
		unused >= 0
			? unused
			: Math.max(
					0,
					state.namespaces.findIndex((told) => told.nsid >= gone),
				);
	if (detached === true) state.detachedNamespaces |= 1 << slot;
	(state.namespaces[slot] as NamespaceTold).nsid = nsid;
	return slot;
}

/** A namespace has gone: nothing of it holds for what comes. Under the device's lock. */
export function leaveSlot(state: ControllerState, slot: number): void {
	const told = state.namespaces[slot] as NamespaceTold;
	Object.assign(told, {nsid: (told.nsid | gone) >>> 0, bytes: 0, blockBytes: 0, mover: 0});
	state.detachedNamespaces &= ~(1 << slot);
}
