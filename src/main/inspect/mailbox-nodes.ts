import type {AttachedMachine} from '#devices/machine';
import {type Children, hex, leaf, object} from '#support/inspect';
import {inspectMailboxes, inspectWaker, type MailboxInspection} from '#support/mailbox';

/** `vm/mailboxes`: each vCPU's way to the first device worker, and what wakes them all. */
export const mailboxNodes = ({layout}: AttachedMachine): Children => ({
	...Object.fromEntries(
		layout.workers.map(({waker}, worker) => [
			worker === 0 ? 'waker' : `waker-${worker}`,
			object(() => ({...inspectWaker(waker)})),
		]),
	),
	...Object.fromEntries(
		inspectMailboxes(layout.mailbox).map((slot, caller) => [caller, object(() => slotNodes(slot, layout))]),
	),
});

/** The last request is shown for as long as there has been one. */
function slotNodes(slot: MailboxInspection, {devices, claims}: AttachedMachine['layout']): Children {
	const {state, calls, givenUp, device, region, offset, size, isWrite, value} = slot;
	if (calls === 0) return {state, calls};
	const claim = claims.find((candidate) => candidate.device === device && candidate.region === region);
	return {
		state,
		calls,
		givenUp,
		device: devices[device]?.name,
		region: claim?.name,
		access: `${isWrite ? 'write' : 'read'} of ${size} byte${size === 1 ? '' : 's'}`,
		offset: hex(offset),
		value: leaf(() => value, {format: 'hex', sensitive: true}),
	};
}
