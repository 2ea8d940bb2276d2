import {type Disk, DiskOperation} from '#devices/storage/disk';
import {packed, reserved, u8, u32, u64} from '#support/wire';
import {mostFilledBlocks, mostTransferBytes} from './identification.ts';
import {Opcode, ServiceAction} from './opcodes.ts';
import {primaryCommands} from './primary-commands.ts';
import type {ScsiRequest} from './scsi-request.ts';
import type {ScsiCommand, ScsiCommands, ScsiUnit} from './scsi-unit.ts';
import {Senses} from './sense.ts';

/** READ CAPACITY (10) parameter data (SBC-3, 5.16.2). */
const Capacity10 = packed('read_capacity_10', {last: u32.be, blockBytes: u32.be}).sized(8, 'SBC-3, 5.16.2');
/** READ CAPACITY (16) parameter data (5.17.2). */
const Capacity16 = packed('read_capacity_16', {
	last: u64.be,
	blockBytes: u32.be,
	protection: u8,
	physicalExponent: u8,
	provisioning: u8,
	alignment: u8,
	rest: reserved(16),
}).sized(32, 'SBC-3, 5.17.2');
/** LBPME: blocks can be unmapped. */
const isProvisioned = 0x80;

/** GET LBA STATUS parameter data with one descriptor (5.6.2): blocks are mapped, as far as is known. */
const LbaStatus = packed('get_lba_status', {
	length: u32.be,
	reserved: reserved(4),
	first: u64.be,
	blocks: u32.be,
	status: u8,
	rest: reserved(3),
}).sized(24, 'SBC-3, 5.6.2');

/** Bits of the second byte of commands on blocks. */
const [protectBits, forceAccess, byteCheck] = [0xe0, 0x08, 0x06];

const read: ScsiCommand = {needsMedium: true, run: (unit, request) => transfer(unit, request, DiskOperation.READ)};
const write: ScsiCommand = {needsMedium: true, run: (unit, request) => transfer(unit, request, DiskOperation.WRITE)};
const writeAndVerify: ScsiCommand = {needsMedium: true, run: runWriteAndVerify};
const verify: ScsiCommand = {needsMedium: true, run: runVerify};
const synchronizeCache: ScsiCommand = {needsMedium: true, run: runSynchronizeCache};
const writeSame: ScsiCommand = {needsMedium: true, run: runWriteSame};

/** READ of any length, which drives of discs have too. */
export const readCommands: readonly (readonly [opcode: number, command: ScsiCommand])[] = [
	[Opcode.READ_10, read],
	[Opcode.READ_12, read],
];
export const readCapacity10: ScsiCommand = {needsMedium: true, run: runReadCapacity10};
export const verify10: ScsiCommand = verify;
export const synchronizeCache10: ScsiCommand = synchronizeCache;

/** Commands of a disk (SBC-3, 5). */
export const blockCommands: ScsiCommands = new Map([
	...primaryCommands,
	...readCommands,
	[Opcode.READ_6, read],
	[Opcode.READ_16, read],
	[Opcode.WRITE_6, write],
	[Opcode.WRITE_10, write],
	[Opcode.WRITE_12, write],
	[Opcode.WRITE_16, write],
	[Opcode.WRITE_AND_VERIFY_10, writeAndVerify],
	[Opcode.WRITE_AND_VERIFY_12, writeAndVerify],
	[Opcode.WRITE_AND_VERIFY_16, writeAndVerify],
	[Opcode.VERIFY_10, verify],
	[Opcode.VERIFY_12, verify],
	[Opcode.VERIFY_16, verify],
	[Opcode.SYNCHRONIZE_CACHE_10, synchronizeCache],
	[Opcode.SYNCHRONIZE_CACHE_16, synchronizeCache],
	[Opcode.WRITE_SAME_10, writeSame],
	[Opcode.WRITE_SAME_16, writeSame],
	[Opcode.UNMAP, {needsMedium: true, run: runUnmap}],
	[Opcode.READ_CAPACITY_10, readCapacity10],
	[Opcode.SERVICE_ACTION_IN_16, {needsMedium: true, run: runServiceAction}],
	[Opcode.START_STOP_UNIT, {run: runStartStop}],
]);

/** Says whether the range that a command names is within the disk; where not, the command has then failed. */
function isWithin({blocks}: ScsiUnit, request: ScsiRequest): boolean {
	const {cdb} = request;
	if (cdb.lba + cdb.blocks <= blocks) return true;
	request.fail(Senses.OUT_OF_RANGE);
	return false;
}

function transfer(unit: ScsiUnit, request: ScsiRequest, operation: 0 | 1, isVerified = false): void {
	const {cdb} = request;
	const flags = cdb.length === 6 ? 0 : cdb.byte(1);
	// Blocks have no protection information, whose checks could be asked for.
	if ((flags & protectBits) !== 0) {
		request.fail(Senses.INVALID_FIELD);
		return;
	}
	if (!isWithin(unit, request)) return;
	const [offset, length] = [cdb.lba * unit.blockBytes, cdb.blocks * unit.blockBytes];
	const isDurable =
		isVerified || (flags & forceAccess) !== 0 || (operation === DiskOperation.WRITE && unit.isWriteThrough);
	if (length > mostTransferBytes) request.fail(Senses.INVALID_FIELD);
	else if (length === 0) request.good();
	else request.transfer(unit.disk as Disk, operation, offset, length, isDurable);
}

/** Bytes that are to be compared, rather than checked, would have to be kept (BYTCHK). */
const compares = (request: ScsiRequest): boolean => (request.cdb.byte(1) & byteCheck) !== 0;

/** What is durable is verified. */
function runWriteAndVerify(unit: ScsiUnit, request: ScsiRequest): void {
	if (compares(request)) request.fail(Senses.INVALID_FIELD);
	else transfer(unit, request, DiskOperation.WRITE, true);
}

function runVerify(unit: ScsiUnit, request: ScsiRequest): void {
	if (compares(request) || (request.cdb.byte(1) & protectBits) !== 0) request.fail(Senses.INVALID_FIELD);
	else if (isWithin(unit, request)) request.good();
}

/** The cache is the host's, and is made durable in whole, whatever the range. */
function runSynchronizeCache(unit: ScsiUnit, request: ScsiRequest): void {
	if (isWithin(unit, request)) request.flush(unit.disk as Disk);
}

/** 5.44 and 5.45. */
function runWriteSame(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const disk = unit.disk as Disk;
	const {blockBytes} = unit;
	const flags = cdb.byte(1);
	const [anchor, unmap, logicalBlock, physicalBlock, noData] = [0x10, 0x08, 0x02, 0x04, 0x01];
	const hasNoData = (flags & noData) !== 0;
	const isKnown = (flags & (protectBits | anchor | logicalBlock | physicalBlock)) === 0;
	const most = mostFilledBlocks(disk.geometry.mostClearedBytes, blockBytes);
	if (!isKnown || (hasNoData && cdb.length !== 16) || cdb.blocks === 0 || cdb.blocks > most) {
		request.fail(Senses.INVALID_FIELD);
		return;
	}
	if (!isWithin(unit, request)) return;
	const block = hasNoData ? undefined : request.take(blockBytes);
	if (block === undefined && !hasNoData) return;
	if (disk.isReadOnly) request.fail(Senses.WRITE_PROTECTED);
	else {
		request.isDurable = unit.isWriteThrough;
		request.mayUnmap = (flags & unmap) !== 0;
		const [offset, length] = [cdb.lba * blockBytes, cdb.blocks * blockBytes];
		if (block === undefined || block.every((byte) => byte === 0)) request.zero(disk, offset, length);
		else request.fill(disk, offset, length, block);
	}
}

/** 5.28. */
function runUnmap(unit: ScsiUnit, request: ScsiRequest): void {
	const anchor = 0x01;
	const disk = unit.disk as Disk;
	if ((request.cdb.byte(1) & anchor) !== 0) request.fail(Senses.INVALID_FIELD);
	else if (disk.isReadOnly) request.fail(Senses.WRITE_PROTECTED);
	else request.unmap(disk, unit.blockBytes, request.cdb.u16(7));
}

/** The last block; of a disc that has become shorter than one the first, which cannot be read. */
const lastOf = (blocks: number): number => Math.max(0, blocks - 1);

function runReadCapacity10(unit: ScsiUnit, request: ScsiRequest): void {
	const {blocks, blockBytes} = unit;
	request.give(Capacity10.encode({last: Math.min(lastOf(blocks), 0xffff_ffff), blockBytes}), Capacity10.size);
}

function runServiceAction(unit: ScsiUnit, request: ScsiRequest): void {
	const {cdb} = request;
	const {blocks, blockBytes} = unit;
	const action = cdb.byte(1) & 0x1f;
	const {physicalSectorBytes, discardBytes} = (unit.disk as Disk).geometry;
	if (action === ServiceAction.READ_CAPACITY_16) {
		const data = Capacity16.encode({
			last: BigInt(lastOf(blocks)),
			blockBytes,
			physicalExponent: Math.max(0, Math.floor(Math.log2(physicalSectorBytes / blockBytes))),
			provisioning: discardBytes > 0 ? isProvisioned : 0,
		});
		request.give(data, cdb.u32(10));
	} else if (action !== ServiceAction.GET_LBA_STATUS) request.fail(Senses.INVALID_FIELD);
	else if (cdb.lba >= blocks) request.fail(Senses.OUT_OF_RANGE);
	else {
		const data = LbaStatus.encode({
			length: LbaStatus.size - 4,
			first: BigInt(cdb.lba),
			blocks: Math.min(blocks - cdb.lba, 0xffff_ffff),
		});
		request.give(data, cdb.u32(10));
	}
}

/** 5.25: a disk that is stopped has nothing in its cache. It needs no start, and there is nothing to eject. */
function runStartStop(unit: ScsiUnit, request: ScsiRequest): void {
	const [start, loadOrEject] = [0x01, 0x02];
	const flags = request.cdb.byte(4);
	if ((flags & loadOrEject) !== 0) request.fail(Senses.INVALID_FIELD);
	else if ((flags & start) === 0 && unit.disk !== undefined) request.flush(unit.disk);
	else request.good();
}
