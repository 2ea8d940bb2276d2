import {buildDriver} from './driver.ts';
import {CaseInput, CaseResult, gateCount, memory, Selector} from './layout.ts';

const pageBytes = 0x1000;
const windowBytes = 0x1_0000;
const int3 = 0xcc;
/** Bits of a page table's entry. */
const Page = {present: 1, writable: 2, user: 4} as const;
/** Pages of the data window that are not there, may not be written, and are the supervisor's. */
export const specialPages = {absent: memory.data + 0xa000, readOnly: memory.data + 0xb000, inner: memory.data + 0xd000};
/** Type of a descriptor: present, data that can be written or code that can be read, accessed. */
const [dataType, codeType, outer, ldtType, taskType] = [0x93, 0x9b, 0x60, 0x82, 0x89];
const [big, small] = [0xc, 0];
const gateTarget = 0x4000;
const taskLimit = 0x67;
const {data, code, stack} = memory;

/** A descriptor: type is the byte with P, DPL and S, `flags` G, D, L. */
function descriptor(base: number, limit: number, type: number, flags = 0): bigint {
	const low = (limit & 0xffff) | ((base & 0xffff) << 16);
	const high = ((base >>> 16) & 0xff) | (type << 8) | (limit & 0xf_0000) | (flags << 20) | (base & 0xff00_0000);
	return BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n);
}

/** A call gate with so many parameters, to code that is full of INT3. */
const callGate = (selector: number, type: number, count: number): bigint =>
	BigInt((selector << 16) | gateTarget) | (BigInt((type << 8) | count) << 32n);

const [wide, narrow] = [4, 0];
const descriptors: ReadonlyMap<number, bigint> = new Map([
	[Selector.driverCode, descriptor(0, 0xf_ffff, codeType, big)],
	[Selector.flat, descriptor(0, 0xf_ffff, dataType, big)],
	[Selector.data, descriptor(data, 0xffff, dataType | outer, wide)],
	[Selector.flatOuter, descriptor(0, 0xf_ffff, dataType | outer, big)],
	[Selector.stack16Outer, descriptor(stack, 0xffff, dataType | outer, narrow)],
	[Selector.stack32Outer, descriptor(stack, 0xffff, dataType | outer, wide)],
	[Selector.stack32, descriptor(stack, 0xffff, dataType, wide)],
	[Selector.stack16, descriptor(stack, 0xffff, dataType, narrow)],
	[Selector.code32, descriptor(code, 0xffff, codeType, wide)],
	[Selector.code32Outer, descriptor(code, 0xffff, codeType | outer, wide)],
	[Selector.code16, descriptor(code, 0xffff, codeType, narrow)],
	[Selector.code16Outer, descriptor(code, 0xffff, codeType | outer, narrow)],
	[Selector.readOnly, descriptor(data, 0xffff, 0x91 | outer, wide)],
	[Selector.executeOnly, descriptor(code, 0xffff, 0x99 | outer, wide)],
	[Selector.absent, descriptor(data, 0xffff, (dataType | outer) & 0x7f, wide)],
	[Selector.localTable, descriptor(memory.localDescriptors, 0x17, ldtType)],
	[Selector.task, descriptor(memory.task, taskLimit, taskType)],
	[Selector.idleTask, descriptor(memory.task, taskLimit, taskType | outer)],
	[Selector.conforming, descriptor(code, 0xffff, 0x9f, wide)],
	[Selector.innerData, descriptor(data, 0xffff, dataType, wide)],
	[Selector.absentCode, descriptor(code, 0xffff, (codeType | outer) & 0x7f, wide)],
	[Selector.driverCode16, descriptor(0, 0xffff, codeType, small)],
	[Selector.realData, descriptor(0, 0xffff, dataType, small)],
	[Selector.gate32, callGate(Selector.code32, 0xec, 3)],
	[Selector.gate16, callGate(Selector.code16, 0xe4, 2)],
	[Selector.outerGate, callGate(Selector.code32Outer, 0xec, 1)],
	[Selector.absentGate, callGate(Selector.code32, 0x6c, 0)],
]);
const localDescriptors = [
	descriptor(data, 0xffff, dataType | outer, wide),
	descriptor(code, 0xffff, codeType | outer, wide),
	descriptor(data, 0xffff, (dataType | outer) & 0x7f, wide),
];
/** Vectors that a program may ask for: INT3, INTO and those that are no exception. */
const isOpen = (vector: number): boolean => vector === 3 || vector === 4 || vector >= 0x30;

/** Puts the driver, its tables and cases in memory. */
export function fillMemory(ram: Uint8Array, cases: readonly Uint8Array[]): void {
	const driver = buildDriver(cases.length);
	ram.set(driver.bytes, memory.driver);
	ram.set(driver.realBytes, memory.realCode);
	const view = new DataView(ram.buffer, ram.byteOffset, ram.byteLength);
	for (const [selector, value] of descriptors) view.setBigUint64(memory.descriptors + selector, value, true);
	for (const [index, value] of localDescriptors.entries())
		view.setBigUint64(memory.localDescriptors + index * 8, value, true);
	for (let vector = 0; vector < gateCount; vector++) {
		const type = isOpen(vector) ? 0xee : 0x8e;
		const handler = driver.handlers[vector] as number;
		view.setUint32(memory.gates + vector * 8, (handler & 0xffff) | (Selector.driverCode << 16), true);
		view.setUint32(memory.gates + vector * 8 + 4, (handler & 0xffff_0000) | (type << 8), true);
	}
	for (const [vector, handler] of driver.realHandlers.entries()) view.setUint32(vector * 4, handler, true);
	view.setUint32(memory.task + 4, memory.driverStack, true);
	view.setUint32(memory.task + 8, Selector.flat, true);
	// There is no map of ports.
	view.setUint16(memory.task + 0x66, taskLimit + 1, true);
	fillPageTables(view);
	ram.fill(int3, code, code + windowBytes);
	for (const [index, bytes] of cases.entries()) ram.set(bytes, memory.cases + index * CaseInput.size);
}

function fillPageTables(view: DataView): void {
	const {present, writable, user} = Page;
	view.setUint32(memory.pageDirectory, memory.pageTable | present | writable | user, true);
	const map = (from: number, bytes: number, bits: number) => {
		for (let at = from; at < from + bytes; at += pageBytes)
			view.setUint32(memory.pageTable + (at / pageBytes) * 4, at | bits, true);
	};
	map(memory.realCode, pageBytes, present);
	map(memory.descriptors, 2 * pageBytes, present | writable);
	map(memory.flatStack - pageBytes, 2 * pageBytes, present | writable);
	// Operands at the end of a window of 64 KiB reach into the next page.
	map(data, 3 * windowBytes + pageBytes, present | writable | user);
	map(code, windowBytes, present | user);
	map(memory.driver, windowBytes, present);
	map(memory.driverStack - pageBytes, pageBytes, present | writable);
	map(specialPages.absent, pageBytes, 0);
	map(specialPages.readOnly, pageBytes, present | user);
	map(specialPages.inner, pageBytes, present | writable);
}

/** What the driver has kept. */
export function resultsOf(ram: Uint8Array, count: number): readonly Uint8Array[] {
	const first = memory.cases + count * CaseInput.size;
	return Array.from({length: count}, (_, index) => {
		const at = first + index * CaseResult.size;
		return ram.slice(at, at + CaseResult.size);
	});
}

/** Bytes of RAM for so many cases. */
export const ramBytesFor = (count: number): number =>
	Math.ceil((memory.cases + count * (CaseInput.size + CaseResult.size)) / 2 ** 20) * 2 ** 20 + 2 ** 20;
