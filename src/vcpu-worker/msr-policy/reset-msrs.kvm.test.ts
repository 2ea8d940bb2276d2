import test from 'ava';
import {guestCpuid, isAmdHost} from '#vcpu-worker/cpuid';
import {getMsrs, msrIndexList, setMsrs, supportedCpuid} from '#vcpu-worker/kvm';
import {startGuest} from '#vcpu-worker/kvm/testing';
import {Msr} from '#vcpu-worker/registers';
import {resetMsrs} from './index.ts';

test('KVM takes every value after reset, and keeps it', (t) => {
	using guest = startGuest({code: [0xf4]});
	const offered = supportedCpuid(guest.kvmFd);
	const place = {apicId: 0, threadBits: 0, socketShift: 0};
	guest.vcpu.setCpuid(guestCpuid(offered, {x2apic: true, tscDeadline: true})(place));
	const listed = new Set(msrIndexList(guest.kvmFd));
	const values = resetMsrs({isAmd: isAmdHost(offered), listed});
	t.deepEqual(setMsrs(guest.vcpu.fd, values).failed, []);
	// The time stamp counter goes on by itself.
	const steady = values.filter(({index}) => index !== Msr.IA32_TIME_STAMP_COUNTER);
	const read = getMsrs(
		guest.vcpu.fd,
		steady.map(({index}) => index),
	);
	t.deepEqual(
		read.done.map(({index, data}) => ({index, data})),
		steady,
	);
});
