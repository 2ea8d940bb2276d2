import {concatBytes} from '#support/wire';
import type {ScsiRequest} from './scsi-request.ts';
import type {ScsiUnit, UnitKind} from './scsi-unit.ts';
import {Senses} from './sense.ts';
import {UnitFlag} from './unit-state.ts';

/** A bit of a page that the initiator may change, and what that is of the unit. */
interface Changeable {
	readonly byte: number;
	readonly bit: number;
	readonly flag: number;
	/** It says that the flag is off. */
	readonly isInverse?: true;
}

interface ModePage {
	readonly code: number;
	/** Bytes behind code and length, of a unit as new. */
	readonly body: readonly number[];
	readonly changeable?: Changeable;
}

/** Caching (SBC-3, 6.5.5): there is a write cache, WCE. */
const caching: ModePage = {
	code: 0x08,
	body: [0x04, ...new Array<number>(17).fill(0)],
	changeable: {byte: 0, bit: 0x04, flag: UnitFlag.WRITE_THROUGH, isInverse: true},
};
/** Control (SPC-4, 7.5.8): commands in any order; D_SENSE. */
const control: ModePage = {
	code: 0x0a,
	body: [0x00, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0],
	changeable: {byte: 0, bit: 0x04, flag: UnitFlag.DESCRIPTORS},
};
/** Read error recovery (MMC-6, 7.3): as usual. */
const recovery: ModePage = {code: 0x01, body: new Array<number>(10).fill(0)};
/** What a drive says of its speed, of 176 kB/s 50 times. */
const speed = [0x22, 0x60] as const;
/** Capabilities (MMC-3, 5.5.10): reads CD-R, CD-RW and DVD-ROM; a tray that ejects and locks; its most and its current speed. */
const capabilities: ModePage = {
	code: 0x2a,
	body: [0x0b, 0x00, 0x00, 0x00, 0x29, 0x00, ...speed, 0, 0, 0, 0, ...speed, 0, 0, 0, 0, 0, 0],
};
const capabilitiesLock = {byte: 4, bit: 0x02} as const;

const pagesOf: Readonly<Record<UnitKind, readonly ModePage[]>> = {
	disk: [caching, control],
	dvd: [recovery, control, capabilities],
};
const everyPage = 0x3f;

/** Page control (SPC-4, 6.11.1). */
const Control = {CURRENT: 0, CHANGEABLE: 1, DEFAULT: 2, SAVED: 3} as const;
const [protectedBit, forceAccess] = [0x80, 0x10];
const shortDescriptor = 8;
const longHeader = 8;

/** MODE SENSE (SPC-4, 6.11 and 6.12). */
export function modeSense(unit: ScsiUnit, request: ScsiRequest, isLong: boolean): void {
	const {cdb} = request;
	const [which, page, subpage] = [cdb.byte(2) >>> 6, cdb.byte(2) & 0x3f, cdb.byte(3)];
	const isEverySubpage = page === everyPage && subpage === 0xff;
	const found = pagesOf[unit.facts.kind].filter(({code}) => page === everyPage || code === page);
	if (which === Control.SAVED) request.fail(Senses.SAVING_UNSUPPORTED);
	else if (found.length === 0 || (subpage !== 0 && !isEverySubpage)) request.fail(Senses.INVALID_FIELD);
	else {
		const hasDescriptor = (cdb.byte(1) & 0x08) === 0 && unit.facts.kind === 'disk';
		const descriptor = hasDescriptor ? blockDescriptor(unit) : new Uint8Array();
		const pages = found.map((each) => pageBytes(unit, each, which));
		const length = descriptor.length + pages.reduce((sum, each) => sum + each.length, 0);
		const header = modeHeader(unit, length, descriptor.length, isLong);
		request.give(concatBytes(header, descriptor, ...pages), isLong ? cdb.u16(7) : cdb.byte(4));
	}
}

/** MODE SELECT (6.9 and 6.10). All is checked before anything changes. */
export function modeSelect(unit: ScsiUnit, request: ScsiRequest, isLong: boolean): void {
	const {cdb} = request;
	const length = isLong ? cdb.u16(7) : cdb.byte(4);
	const [pageFormat, savePages] = [0x10, 0x01];
	if ((cdb.byte(1) & savePages) !== 0 || (cdb.byte(1) & pageFormat) === 0) {
		request.fail(Senses.INVALID_FIELD);
		return;
	}
	if (length === 0) {
		request.good();
		return;
	}
	// A list has a header, a block descriptor and a few pages.
	const list = request.take(Math.min(length, 256));
	if (list === undefined) return;
	const changes = parseList(unit, list, isLong);
	if ('key' in changes) request.fail(changes);
	else {
		for (const {flag, isOn} of changes.flags) unit.set(flag, isOn);
		// What was written before the cache went is durable too (SBC-3, 4.11).
		const goesThrough = changes.flags.some(({flag, isOn}) => flag === UnitFlag.WRITE_THROUGH && isOn);
		if (goesThrough && unit.disk !== undefined) request.flush(unit.disk);
		else request.good();
	}
}

interface FlagChange {
	readonly flag: number;
	readonly isOn: boolean;
}
type ListFault = (typeof Senses)[keyof typeof Senses];

function parseList(unit: ScsiUnit, list: Uint8Array, isLong: boolean): {flags: readonly FlagChange[]} | ListFault {
	const view = new DataView(list.buffer, list.byteOffset, list.length);
	const headerBytes = isLong ? longHeader : 4;
	if (list.length < headerBytes) return Senses.LIST_LENGTH;
	const descriptors = isLong ? view.getUint16(6) : view.getUint8(3);
	if (headerBytes + descriptors > list.length) return Senses.LIST_LENGTH;
	if (descriptors !== 0) {
		const isOwn = descriptors === shortDescriptor && (view.getUint32(headerBytes + 4) & 0xff_ffff) === unit.blockBytes;
		if (!isOwn) return Senses.INVALID_PARAMETER;
	}
	const flags: FlagChange[] = [];
	for (let at = headerBytes + descriptors; at < list.length; ) {
		if (at + 2 > list.length) return Senses.LIST_LENGTH;
		const [code, length] = [view.getUint8(at) & 0x7f, view.getUint8(at + 1)];
		const page = pagesOf[unit.facts.kind].find((each) => each.code === code);
		if (page === undefined || length !== page.body.length) return Senses.INVALID_PARAMETER;
		if (at + 2 + length > list.length) return Senses.LIST_LENGTH;
		const own = pageBytes(unit, page, Control.CURRENT);
		const change = page.changeable;
		for (let index = 0; index < length; index++) {
			const differs = view.getUint8(at + 2 + index) ^ (own[2 + index] as number);
			const known = change?.byte === index ? change.bit : 0;
			if ((differs & ~known) !== 0) return Senses.INVALID_PARAMETER;
			if (change !== undefined && (differs & known) !== 0)
				flags.push({flag: change.flag, isOn: !unit.has(change.flag)});
		}
		at += 2 + length;
	}
	return {flags};
}

function pageBytes(unit: ScsiUnit, {code, body, changeable}: ModePage, which: number): Uint8Array {
	const bytes = Uint8Array.from(which === Control.CHANGEABLE ? body.map(() => 0) : body);
	const put = ({byte, bit}: {byte: number; bit: number}, isOn: boolean) => {
		bytes[byte] = isOn ? (bytes[byte] as number) | bit : (bytes[byte] as number) & ~bit;
	};
	if (changeable !== undefined && which === Control.CHANGEABLE) put(changeable, true);
	if (changeable !== undefined && which === Control.CURRENT)
		put(changeable, unit.has(changeable.flag) !== (changeable.isInverse ?? false));
	if (code === capabilities.code && which === Control.CURRENT) put(capabilitiesLock, unit.has(UnitFlag.LOCKED));
	return concatBytes(Uint8Array.of(code, bytes.length), bytes);
}

function modeHeader(unit: ScsiUnit, length: number, descriptors: number, isLong: boolean): Uint8Array {
	const isDisk = unit.facts.kind === 'disk';
	const specific = isDisk ? forceAccess | (unit.disk?.isReadOnly ? protectedBit : 0) : 0;
	if (!isLong) return Uint8Array.of(length + 3, 0, specific, descriptors);
	const total = length + longHeader - 2;
	return Uint8Array.of(total >>> 8, total & 0xff, 0, specific, 0, 0, 0, descriptors);
}

/** Short block descriptor (SBC-3, 6.5.2.2). */
function blockDescriptor(unit: ScsiUnit): Uint8Array {
	const view = new DataView(new ArrayBuffer(shortDescriptor));
	view.setUint32(0, Math.min(unit.blocks, 0xffff_ffff));
	view.setUint32(4, unit.blockBytes);
	return new Uint8Array(view.buffer);
}
