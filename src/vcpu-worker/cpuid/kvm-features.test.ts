import test from 'ava';
import {kvmFeatures, maskKvmFeatures} from './kvm-features.ts';

const all = 0xffff_ffff;
const visible = (offered: number, options: Partial<Parameters<typeof maskKvmFeatures>[1]> = {}) => {
	const features = maskKvmFeatures(offered, {hypercalls: true, extendedDestinations: false, ...options});
	return kvmFeatures.filter(({bit}) => (features >>> bit) & 1).map(({name}) => name);
};

test('of everything KVM could offer, the guest sees the features that are good for it', (t) => {
	t.deepEqual(visible(all), [
		'CLOCKSOURCE',
		'NOP_IO_DELAY',
		'CLOCKSOURCE2',
		'STEAL_TIME',
		'PV_EOI',
		'PV_UNHALT',
		'PV_TLB_FLUSH',
		'PV_SEND_IPI',
		'POLL_CONTROL',
		'PV_SCHED_YIELD',
		'CLOCKSOURCE_STABLE',
	]);
});

test('nothing that KVM does not offer is invented', (t) => {
	t.deepEqual(visible(0), []);
	t.deepEqual(visible(0b1001), ['CLOCKSOURCE', 'CLOCKSOURCE2']);
});

test('where hypercalls do not work, the features that make them are hidden', (t) => {
	const hidden = visible(all).filter((name) => !visible(all, {hypercalls: false}).includes(name));
	t.deepEqual(hidden, ['PV_UNHALT', 'PV_SEND_IPI', 'PV_SCHED_YIELD']);
});

test('15-bit MSI destinations are offered by option alone, for they are the work of the VMM', (t) => {
	t.deepEqual(visible(0, {extendedDestinations: true}), ['MSI_EXT_DEST_ID']);
});

test('bits that nobody knows are hidden', (t) => {
	t.is(maskKvmFeatures(1 << 30, {hypercalls: true, extendedDestinations: false}), 0);
	t.is(new Set(kvmFeatures.map(({bit}) => bit)).size, kvmFeatures.length);
});
