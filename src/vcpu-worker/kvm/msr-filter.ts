import type {MsrRange} from '#vcpu-worker/hypervisor';
import {ArgumentBuffer} from './argument-buffer.ts';
import {MsrFilter} from './constants.ts';
import {kvmError} from './errors.ts';
import {kvmIoctl} from './ioctl.ts';
import {KvmMsrFilter} from './structs-vm.ts';

/** Consecutive MSRs, one decision each. */
export interface MsrFilterRange {
	/** First MSR. */
	readonly base: number;
	/** One entry for each MSR from `base` on: true leaves it to KVM, false refuses it. */
	readonly allow: readonly boolean[];
	/** Accesses that the decisions are about. */
	readonly access: 'read' | 'write' | 'both';
}

/** Most ranges of a filter (`KVM_MSR_FILTER_MAX_RANGES`). */
const maxFilterRanges = 16;
/** Most MSRs of a range: its bitmap has 0x600 bytes at most (`KVM_MSR_FILTER_MAX_BITMAP_SIZE`). */
const maxRangeMsrs = 0x600 * 8;

const accesses = {read: MsrFilter.READ, write: MsrFilter.WRITE, both: MsrFilter.READ | MsrFilter.WRITE} as const;

/**
 * Decides which MSR accesses KVM serves (KVM_X86_SET_MSR_FILTER). Refused ones fault in the guest, or exit when
 * `KvmVm.enableUserSpaceMsrs` asked for that. x2APIC MSRs are never filtered.
 * @param otherwise - what happens to MSRs outside every range
 * @throws KVM_IOCTL_FAILED when the host refuses the filter
 */
export function setMsrFilter(vmFd: number, ranges: readonly MsrFilterRange[], otherwise: 'allow' | 'deny'): void {
	// The bitmaps follow the struct in the same memory, so that they live as long as it does.
	const starts: number[] = [];
	let end = KvmMsrFilter.size;
	for (const {allow} of ranges) {
		starts.push(end);
		end += Math.ceil(allow.length / 64) * 8;
	}
	const buffer = new ArgumentBuffer(end);
	buffer.with(KvmMsrFilter, {
		flags: otherwise === 'allow' ? MsrFilter.DEFAULT_ALLOW : MsrFilter.DEFAULT_DENY,
		ranges: ranges.map(({base, allow, access}, index) => ({
			flags: accesses[access],
			nmsrs: allow.length,
			base,
			bitmap: BigInt(buffer.address + (starts[index] as number)),
		})),
	});
	for (const [index, {allow}] of ranges.entries()) setBits(buffer.bytes.subarray(starts[index]), allow);
	kvmIoctl(vmFd, 'KVM_X86_SET_MSR_FILTER', buffer, `${ranges.length} ranges`);
}

/**
 * The fewest ranges that refuse these MSRs and no other. One reaches over the gaps between several, for a filter has few.
 * @throws KVM_MSR_RANGES when it has too few
 */
export function refusing(msrs: readonly MsrRange[]): MsrFilterRange[] {
	const ranges: {base: number; allow: boolean[]; access: 'both'}[] = [];
	for (const {first, count} of msrs.toSorted((a, b) => a.first - b.first)) {
		for (let msr = first; msr < first + count; ) {
			let range = ranges.at(-1);
			if (range === undefined || msr >= range.base + maxRangeMsrs) {
				if (ranges.length === maxFilterRanges) throw kvmError('KVM_MSR_RANGES', {msr, ranges: maxFilterRanges});
				range = {base: msr, allow: [], access: 'both'};
				ranges.push(range);
			}
			const end = Math.min(first + count, range.base + maxRangeMsrs);
			while (range.base + range.allow.length < msr) range.allow.push(true);
			while (range.base + range.allow.length < end) range.allow.push(false);
			msr = end;
		}
	}
	return ranges;
}

/** One bit per decision, lowest first. */
function setBits(bitmap: Uint8Array, allow: readonly boolean[]): void {
	for (const [index, allowed] of allow.entries()) {
		if (allowed) bitmap[index >> 3] = (bitmap[index >> 3] as number) | (1 << (index & 7));
	}
}
