import test from 'ava';
import {extendedDestination} from './interrupt-controller.ts';

const hex = (low: number, high = 0) => extendedDestination(low, high).toString(16);

test('bits 11 to 5 of an address are bits 14 to 8 of the APIC id, which KVM wants in the upper half', (t) => {
	t.deepEqual([hex(0xfeef_ffe0), hex(0xfee2_c020), hex(0xfee0_0800)], ['7f00', '100', '4000']);
});

test('messages to ids of 8 bits are left alone, whatever their hint and mode', (t) => {
	t.deepEqual([hex(0xfeef_f000), hex(0xfeef_f00c)], ['0', '0']);
});

test('so are messages that have an upper half already, and those for an IOMMU', (t) => {
	t.deepEqual([hex(0xfeef_ffe0, 0x1200), hex(0xfeef_fff0)], ['1200', '0']);
});
