import {concatBytes, packed, reserved, text, u8, u16, u32, u64} from '#support/wire';
import {mostUnmapRanges} from './scsi-request.ts';
import type {ScsiUnit, UnitFacts, UnitKind} from './scsi-unit.ts';

/** Most bytes that one command moves. */
export const mostTransferBytes = 4 * 2 ** 20;
/** Longest range that one WRITE SAME fills: of other blocks than zeros it takes many requests of the disk. */
const mostFilledBytes = 2 ** 25;

/** Names as OpenVMM's. */
const vendor = 'Msft    ';
const products: Readonly<Record<UnitKind, string>> = {disk: 'Virtual Disk    ', dvd: 'Virtual DVD-ROM '};
/** Peripheral device types (SPC-4, 6.6.2). */
export const peripheral: Readonly<Record<UnitKind, number>> = {disk: 0x00, dvd: 0x05};
/** SPC-4, and the versions of SAM-5, SPC-4, SBC-3 or MMC-6 (SPC-4, table 143). */
const [spc4, samVersion, spcVersion] = [0x06, 0x00a0, 0x0460];
const kindVersions: Readonly<Record<UnitKind, number>> = {disk: 0x04c0, dvd: 0x04e0};

/** Standard INQUIRY data (SPC-4, 6.6.2). */
const InquiryData = packed('inquiry_data', {
	peripheral: u8,
	removable: u8,
	version: u8,
	format: u8,
	additional: u8,
	flags: reserved(2),
	queuing: u8,
	vendor: text(8),
	product: text(16),
	revision: text(4),
	vendorSpecific: reserved(22),
	sam: u16.be,
	spc: u16.be,
	kind: u16.be,
	versions: reserved(10),
}).sized(74, 'SPC-4, 6.6.2');

/** Header of a page of vital product data (7.8.2). */
const PageHeader = packed('vpd_page', {peripheral: u8, page: u8, length: u16.be}).sized(4, 'SPC-4, 7.8.2');

/** Block Limits (SBC-3, 6.6.3), in blocks. */
const BlockLimits = packed('block_limits', {
	zeroLength: u8,
	compare: u8,
	granularity: u16.be,
	mostTransfer: u32.be,
	bestTransfer: u32.be,
	prefetch: u32.be,
	mostUnmapped: u32.be,
	mostRanges: u32.be,
	unmapGranularity: u32.be,
	unmapAlignment: u32.be,
	mostFilled: u64.be,
	rest: reserved(20),
}).sized(60, 'SBC-3, 6.6.3');

/** Block Device Characteristics (6.6.2). */
const Characteristics = packed('block_device_characteristics', {rotation: u16.be, rest: reserved(58)}).sized(60);
/** Nothing turns. */
const nonRotating = 1;

/** Logical Block Provisioning (6.6.4). */
const Provisioning = packed('logical_block_provisioning', {threshold: u8, abilities: u8, type: u8, rest: u8}).sized(4);
/** UNMAP, WRITE SAME (16) and WRITE SAME (10) give up room. */
const canUnmap = 0xe0;
const provisioningType = {FULL: 0, THIN: 2} as const;

/** Header of a designator (SPC-4, 7.8.6). */
const Designator = packed('designator', {codeSet: u8, type: u8, reserved: reserved(1), length: u8}).sized(4);
const codeSet = {BINARY: 1, ASCII: 2} as const;
const designator = {T10_VENDOR: 1, NAA: 3} as const;

export const Page = {
	SUPPORTED: 0x00,
	SERIAL: 0x80,
	IDENTIFICATION: 0x83,
	BLOCK_LIMITS: 0xb0,
	CHARACTERISTICS: 0xb1,
	PROVISIONING: 0xb2,
} as const;

type PageBody = (unit: ScsiUnit) => Uint8Array;
const anyPages: Readonly<Record<number, PageBody>> = {
	[Page.SERIAL]: ({facts}) => new TextEncoder().encode(nameOf(facts)),
	[Page.IDENTIFICATION]: ({facts}) => designators(facts),
};
const pages: Readonly<Record<UnitKind, Readonly<Record<number, PageBody>>>> = {
	disk: {
		...anyPages,
		[Page.BLOCK_LIMITS]: limits,
		[Page.CHARACTERISTICS]: () => Characteristics.encode({rotation: nonRotating}),
		[Page.PROVISIONING]: ({disk}) => {
			const hasRoomToGive = (disk?.geometry.discardBytes ?? 0) > 0;
			return Provisioning.encode({
				abilities: hasRoomToGive ? canUnmap : 0,
				type: hasRoomToGive ? provisioningType.THIN : provisioningType.FULL,
			});
		},
	},
	dvd: anyPages,
};

/** Standard INQUIRY data of a unit. */
export function inquiryData(kind: UnitKind): Uint8Array {
	const [removableBit, format, commandQueuing] = [0x80, 0x02, 0x02];
	return InquiryData.encode({
		peripheral: peripheral[kind],
		removable: kind === 'dvd' ? removableBit : 0,
		version: spc4,
		format,
		additional: InquiryData.size - 5,
		queuing: commandQueuing,
		vendor,
		product: products[kind],
		revision: '1.0 ',
		sam: samVersion,
		spc: spcVersion,
		kind: kindVersions[kind],
	});
}

/** The same of a unit that is not there, though one could be (qualifier 011b). */
export const absentInquiry = (): Uint8Array =>
	InquiryData.encode({peripheral: 0x7f, version: spc4, format: 0x02, additional: InquiryData.size - 5});

/** A page of vital product data, or undefined where the unit has none of that number. */
export function vitalPage(unit: ScsiUnit, page: number): Uint8Array | undefined {
	const {kind} = unit.facts;
	const own = pages[kind];
	const body = page === Page.SUPPORTED ? supported(own) : own[page]?.(unit);
	if (body === undefined) return undefined;
	return concatBytes(PageHeader.encode({peripheral: peripheral[kind], page, length: body.length}), body);
}

const supported = (own: Readonly<Record<number, PageBody>>): Uint8Array =>
	Uint8Array.from([Page.SUPPORTED, ...Object.keys(own).map(Number)].sort((one, other) => one - other));

const nameOf = ({serial, lun}: UnitFacts): string => `${serial}-${lun}`;

/** Ids that stay the same in every machine whose device has this name: a guest finds its disks again. */
function designators(facts: UnitFacts): Uint8Array {
	const name = new TextEncoder().encode(vendor + nameOf(facts));
	const digest = process
		.getBuiltinModule('node:crypto')
		.createHash('sha256')
		.update(`unit ${nameOf(facts)}`)
		.digest();
	const naa = Uint8Array.from(digest.subarray(0, 8));
	const locallyAssigned = 0x30;
	naa[0] = locallyAssigned | ((naa[0] as number) & 0x0f);
	return concatBytes(
		Designator.encode({codeSet: codeSet.BINARY, type: designator.NAA, length: naa.length}),
		naa,
		Designator.encode({codeSet: codeSet.ASCII, type: designator.T10_VENDOR, length: name.length}),
		name,
	);
}

function limits({disk, blockBytes}: ScsiUnit): Uint8Array {
	const {physicalSectorBytes = blockBytes, discardBytes = 0, mostClearedBytes = 0} = disk?.geometry ?? {};
	const inBlocks = (bytes: number) => Math.floor(bytes / blockBytes);
	const [wholeRangesOnly, alignmentValid] = [0x01, 0x8000_0000];
	const unmaps = discardBytes > 0;
	return BlockLimits.encode({
		// A WRITE SAME of no blocks is refused, rather than of all to the end.
		zeroLength: wholeRangesOnly,
		granularity: inBlocks(physicalSectorBytes),
		mostTransfer: inBlocks(mostTransferBytes),
		bestTransfer: 0,
		mostUnmapped: unmaps ? inBlocks(mostClearedBytes) : 0,
		mostRanges: unmaps ? mostUnmapRanges : 0,
		unmapGranularity: unmaps ? inBlocks(Math.max(discardBytes, blockBytes)) : 0,
		unmapAlignment: unmaps ? alignmentValid : 0,
		mostFilled: BigInt(mostFilledBlocks(mostClearedBytes, blockBytes)),
	});
}

/** Blocks that one WRITE SAME fills at most. */
export const mostFilledBlocks = (mostClearedBytes: number, blockBytes: number): number =>
	Math.floor(Math.min(mostFilledBytes, mostClearedBytes) / blockBytes);
