/** Between the machine-neutral register types and KVM's structs. */

import {type DescriptorTable, type Segment, type SpecialRegisters, segmentNames} from '#devices/processor';
import type {PlainOf} from '#support/wire';
import type {KvmSegment, KvmSregs} from './structs-vcpu.ts';

type SegmentStruct = PlainOf<typeof KvmSegment>;
type SregsStruct = PlainOf<typeof KvmSregs>;
type SegmentName = (typeof segmentNames)[number];

const bit = (flag: boolean) => (flag ? 1 : 0);

function toSegment({base, limit, selector, type, present, dpl, db, s, l, g}: SegmentStruct): Segment {
	const flags = {present: present !== 0, db: db !== 0, s: s !== 0, l: l !== 0, g: g !== 0};
	return {base, limit, selector, type, dpl, ...flags};
}

/** A segment that is not present cannot be used: VT-x keeps the two apart, and KVM makes them agree when it reads. */
function fromSegment({base, limit, selector, type, present, dpl, db, s, l, g}: Segment): SegmentStruct {
	const flags = {present: bit(present), db: bit(db), s: bit(s), l: bit(l), g: bit(g), unusable: bit(!present)};
	return {base, limit, selector, type, dpl, avl: 0, ...flags};
}

const segments = <T>(convert: (name: SegmentName) => T) =>
	Object.fromEntries(segmentNames.map((name) => [name, convert(name)])) as Record<SegmentName, T>;

const table = ({base, limit}: DescriptorTable): DescriptorTable => ({base, limit});

/** From `struct kvm_sregs`. An interrupt being injected is left to the vCPU's events, which carry it too. */
export function toSpecialRegisters(sregs: SregsStruct): SpecialRegisters {
	const {gdt, idt, cr0, cr2, cr3, cr4, cr8, efer, apic_base: apicBase} = sregs;
	const control = {cr0, cr2, cr3, cr4, cr8, efer, apicBase};
	return {...segments((name) => toSegment(sregs[name])), gdt: table(gdt), idt: table(idt), ...control};
}

/** To `struct kvm_sregs`, with no interrupt being injected. */
export function fromSpecialRegisters(special: SpecialRegisters): SregsStruct {
	const {gdt, idt, cr0, cr2, cr3, cr4, cr8, efer, apicBase} = special;
	const control = {cr0, cr2, cr3, cr4, cr8, efer, apic_base: apicBase};
	const interrupt_bitmap = [0n, 0n, 0n, 0n];
	return {
		...segments((name) => fromSegment(special[name])),
		gdt: table(gdt),
		idt: table(idt),
		...control,
		interrupt_bitmap,
	};
}
