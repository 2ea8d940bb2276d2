import {stateError} from '#support/saved-state';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {MpState} from './constants.ts';
import {cpuidBuffer, maxCpuidEntries, readCpuid, writeCpuid} from './cpuid.ts';
import type {Msr} from './msrs.ts';
import {fromSpecialRegisters, toSpecialRegisters} from './registers.ts';
import {fromBase64, restoreBytes, saveBytes, toBase64} from './saved-bytes.ts';
import {KvmDebugregs, KvmRegs, KvmSregs, KvmVcpuEvents, KvmXcrs, KvmXsave} from './structs-vcpu.ts';
import {KvmCpuid2, KvmCpuidEntry2} from './structs-vm.ts';
import type {TscState} from './tsc.ts';
import type {VcpuSnapshot} from './vcpu-snapshot.ts';

const version = 1;
/** Larger than any processor's so far (AMX needs some 11 KiB). */
const maxXsaveBytes = 2 ** 20;
const lapicBytes = 1024;
const maxMsrs = 4096;

/** What a snapshot keeps of a vCPU. */
export interface VcpuState {
	readonly snapshot: VcpuSnapshot;
	readonly tsc: TscState;
	readonly cpuid: readonly CpuidEntry[];
}

/** A vCPU in a snapshot: kernel structs by their bytes, 64-bit values as hexadecimal text. */
export interface SavedVcpu {
	readonly version: number;
	readonly general: string;
	readonly special: string;
	readonly xcrs: string;
	readonly xsave: string;
	readonly debug: string;
	readonly events: string;
	readonly lapic: string;
	readonly mpState: number;
	readonly msrs: Readonly<Record<string, string>>;
	readonly tsc: {readonly khz: number; readonly value: string; readonly offset: string | null};
	readonly cpuid: string;
}

const hex = (value: number | bigint) => `0x${value.toString(16)}`;

/** The state as data that survives JSON. */
export function saveVcpuState({snapshot, tsc, cpuid}: VcpuState): SavedVcpu {
	const {general, special, xcrs, xsave, debug, events, lapic, mpState, msrs} = snapshot;
	return {
		version,
		general: saveBytes(KvmRegs, general),
		special: saveBytes(KvmSregs, fromSpecialRegisters(special)),
		xcrs: saveBytes(KvmXcrs, {nr_xcrs: xcrs.length, xcrs}),
		xsave: toBase64(xsave),
		debug: saveBytes(KvmDebugregs, debug),
		events: saveBytes(KvmVcpuEvents, events),
		lapic: toBase64(lapic),
		mpState,
		msrs: Object.fromEntries(msrs.map(({index, data}) => [hex(index), hex(data)])),
		tsc: {khz: tsc.khz, value: hex(tsc.value), offset: tsc.offset === undefined ? null : hex(tsc.offset)},
		cpuid: toBase64(writeCpuid(cpuid).bytes.subarray(0, KvmCpuid2.size + cpuid.length * KvmCpuidEntry2.size)),
	};
}

const wrong = (field: string) => stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field});
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === 'object' && value !== null;

/** The state that {@link saveVcpuState} gave. @throws VmmError STATE_VERSION_UNKNOWN, STATE_FIELD_WRONG */
export function parseVcpuState(saved: unknown): VcpuState {
	if (!isObject(saved)) throw wrong('all');
	if (saved['version'] !== version)
		throw stateError('STATE_VERSION_UNKNOWN', {struct: 'vcpu', found: saved['version'], version});
	const {nr_xcrs: count, xcrs} = restoreBytes(KvmXcrs, saved['xcrs']);
	const snapshot = {
		general: restoreBytes(KvmRegs, saved['general']),
		special: toSpecialRegisters(restoreBytes(KvmSregs, saved['special'])),
		xcrs: xcrs.slice(0, count),
		xsave: fromBase64(saved['xsave'], 'kvm_xsave', KvmXsave.size, maxXsaveBytes),
		debug: restoreBytes(KvmDebugregs, saved['debug']),
		events: restoreBytes(KvmVcpuEvents, saved['events']),
		lapic: fromBase64(saved['lapic'], 'kvm_lapic_state', lapicBytes, lapicBytes),
		mpState: parseMpState(saved['mpState']),
		msrs: parseMsrs(saved['msrs']),
	};
	return {snapshot, tsc: parseTsc(saved['tsc']), cpuid: parseCpuid(saved['cpuid'])};
}

function parseMpState(value: unknown): number {
	const state = Object.values<unknown>(MpState).find((known) => known === value);
	if (state === undefined) throw wrong('mpState');
	return state as number;
}

/** A number of at most 64 bits. */
function parseHex(text: unknown, field: string): bigint {
	if (typeof text !== 'string' || !/^0x[0-9a-f]{1,16}$/.test(text)) throw wrong(field);
	return BigInt(text);
}

function parseMsrs(saved: unknown): Msr[] {
	const entries = isObject(saved) ? Object.entries(saved) : [];
	if (!isObject(saved) || entries.length > maxMsrs) throw wrong('msrs');
	return entries.map(([index, data]) => {
		const number = parseHex(index, 'msrs');
		if (number > 0xffff_ffffn) throw wrong('msrs');
		return {index: Number(number), data: parseHex(data, `msrs ${index}`)};
	});
}

function parseTsc(saved: unknown): TscState {
	const {khz, value, offset} = isObject(saved) ? saved : {};
	if (!(typeof khz === 'number' && Number.isInteger(khz) && khz > 0 && khz < 2 ** 31)) throw wrong('tsc khz');
	return {
		khz,
		value: parseHex(value, 'tsc value'),
		offset: offset === null ? undefined : parseHex(offset, 'tsc offset'),
	};
}

function parseCpuid(saved: unknown): CpuidEntry[] {
	const buffer = cpuidBuffer();
	const most = KvmCpuid2.size + maxCpuidEntries * KvmCpuidEntry2.size;
	const bytes = fromBase64(saved, 'kvm_cpuid2', KvmCpuid2.size, most);
	buffer.bytes.fill(0).set(bytes);
	if (bytes.length !== KvmCpuid2.size + KvmCpuid2.read(buffer.view).nent * KvmCpuidEntry2.size) throw wrong('cpuid');
	return readCpuid(buffer);
}
