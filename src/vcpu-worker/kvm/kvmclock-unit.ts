import type {VmTime} from '#devices/vm-time';
import {stateError} from '#support/saved-state';
import type {StateUnit} from '#support/state-units';
import type {KvmVm} from './kvm-vm.ts';

/** Nanoseconds that 64 bits hold. */
const maxClock = 2n ** 64n - 1n;

/**
 * KVM's paravirtual clock (Documentation/virt/kvm/x86/msr.rst, KVM_GET_CLOCK). It goes on by itself while the guest stands
 * still, and is set to go by VM time whenever the guest goes on.
 */
export function kvmclockUnit(vm: Pick<KvmVm, 'getClock' | 'setClock'>, time: VmTime): StateUnit {
	/** The clock, and VM time at that moment. */
	let held: {readonly clock: bigint; readonly atNs: number} | undefined;
	const heldNow = ({clock, atNs}: NonNullable<typeof held>) =>
		BigInt.asUintN(64, clock + BigInt(Math.round(time.nowNs() - atNs)));
	return {
		name: 'kvmclock',
		needs: ['time'],
		start() {
			if (held !== undefined) vm.setClock({clock: heldNow(held)});
			held = undefined;
		},
		stop() {
			held = {clock: vm.getClock().clock, atNs: time.nowNs()};
		},
		save: () => String(held === undefined ? vm.getClock().clock : heldNow(held)),
		restore(saved) {
			const isClock = typeof saved === 'string' && /^\d{1,20}$/.test(saved) && BigInt(saved) <= maxClock;
			if (!isClock) throw stateError('STATE_FIELD_WRONG', {struct: 'kvmclock', field: 'nanoseconds'});
			held = {clock: BigInt(saved), atNs: time.nowNs()};
		},
	};
}
