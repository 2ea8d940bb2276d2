import {stateError} from '#support/saved-state';
import type {Partition} from '#vcpu-worker/kvm';
import type {StateUnit} from './state-unit.ts';

/** Nanoseconds that 64 bits hold. */
const maxClock = 2n ** 64n - 1n;

/** KVM's paravirtual clock (Documentation/virt/kvm/x86/msr.rst, KVM_GET_CLOCK): stands still while the guest does. */
export function clockUnit(partition: Partition): StateUnit {
	let held: bigint | undefined;
	return {
		name: 'clock',
		needs: [],
		start() {
			if (held !== undefined) partition.setClock({clock: held});
			held = undefined;
		},
		stop() {
			held = partition.getClock().clock;
		},
		save: () => String(held ?? partition.getClock().clock),
		restore(saved) {
			const isClock = typeof saved === 'string' && /^\d{1,20}$/.test(saved) && BigInt(saved) <= maxClock;
			if (!isClock) throw stateError('STATE_FIELD_WRONG', {struct: 'clock', field: 'nanoseconds'});
			held = BigInt(saved);
		},
	};
}
