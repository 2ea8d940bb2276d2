import {array, bytes, packed, reserved, sparse, text, u8, u16, u32, u64} from '#support/wire';

/** A submission queue entry (NVM Express Base 2.0, 3.3.3.1). */
export const Command = packed('nvme_command', {
	opcode: u8,
	/** Fused operation in bits 1:0, kind of data pointer in 7:6. */
	flags: u8,
	id: u16,
	nsid: u32,
	dword2: u32,
	dword3: u32,
	metadata: reserved(8),
	prp1: u64.asNumber,
	prp2: u64.asNumber,
	dword10: u32,
	dword11: u32,
	dword12: u32,
	dword13: u32,
	dword14: u32,
	dword15: u32,
}).sized(64, 'NVM Express Base 2.0, 3.3.3.1');

export const fusedBits = 0x03;
export const pointerShift = 6;

/** A completion queue entry (3.3.3.2). */
export const CompletionEntry = packed('nvme_completion', {
	result: u32,
	resultHigh: u32,
	head: u16,
	queue: u16,
	id: u16,
	/** Phase tag in bit 0, status above. */
	status: u16,
}).sized(16, '3.3.3.2');

/** A scatter gather list descriptor (3.3.3.3). */
export const SglDescriptor = packed('nvme_sgl', {
	address: u64.asNumber,
	length: u32,
	reserved: reserved(3),
	/** Type in bits 7:4, subtype in 3:0. */
	type: u8,
}).sized(16, '3.3.3.3');

export const SglType = {DATA: 0x00, SEGMENT: 0x20, LAST_SEGMENT: 0x30} as const;

/** Identify Controller data (5.17.2.1). */
export const IdentifyController = sparse('nvme_id_ctrl', {
	vendor: u16.at(0),
	subsystemVendor: u16.at(2),
	/** Padded with spaces. */
	serial: text(20).at(4),
	model: text(40).at(24),
	firmware: text(8).at(64),
	arbitrationBurst: u8.at(72),
	mostTransfer: u8.at(77),
	controller: u16.at(78),
	version: u32.at(80),
	resumeLatency: u32.at(84),
	entryLatency: u32.at(88),
	events: u32.at(92),
	attributes: u32.at(96),
	type: u8.at(111),
	adminCommands: u16.at(256),
	abortLimit: u8.at(258),
	eventLimit: u8.at(259),
	firmwareUpdates: u8.at(260),
	logPages: u8.at(261),
	errorEntries: u8.at(262),
	powerStates: u8.at(263),
	warningTemperature: u16.at(266),
	criticalTemperature: u16.at(268),
	submissionEntry: u8.at(512),
	completionEntry: u8.at(513),
	namespaces: u32.at(516),
	commands: u16.at(520),
	fused: u16.at(522),
	format: u8.at(524),
	writeCache: u8.at(525),
	sgls: u32.at(536),
	mostNamespaces: u32.at(540),
	subsystem: text(256).at(768),
	/** Of power state 0, in units of 0.01 W. */
	mostPower: u16.at(2048),
}).sized(4096, '5.17.2.1');

/** Identify Controller data of the NVM command set (NVM Command Set 1.0, 4.1.5.2). */
export const IdentifyNvmController = sparse('nvme_id_ctrl_nvm', {
	/** Power of two of pages. */
	mostZeroes: u8.at(1),
	mostRanges: u8.at(3),
	mostRangeBlocks: u32.at(4),
	mostDeallocatedBlocks: u64.at(8),
}).sized(4096, 'NVM Command Set 1.0, 4.1.5.2');

/** Identify Namespace data (NVM Command Set 1.0, 4.1.5.1). */
export const IdentifyNamespace = sparse('nvme_id_ns', {
	size: u64.asNumber.at(0),
	capacity: u64.asNumber.at(8),
	used: u64.asNumber.at(16),
	features: u8.at(24),
	formats: u8.at(25),
	format: u8.at(26),
	deallocate: u8.at(33),
	preferredWrite: u16.at(64),
	preferredWriteAlignment: u16.at(66),
	preferredDeallocate: u16.at(68),
	preferredDeallocateAlignment: u16.at(70),
	attributes: u8.at(99),
	guid: bytes(16).at(104),
	/** Data size of the one format, as a power of two. */
	blockShift: u8.at(130),
}).sized(4096, 'NVM Command Set 1.0, 4.1.5.1');

/** Identify Namespace data that no command set has for itself (Base 2.0, 5.17.2.8). */
export const IdentifyIndependent = sparse('nvme_id_ns_indep', {
	features: u8.at(0),
	attributes: u8.at(8),
	status: u8.at(14),
}).sized(4096, '5.17.2.8');

/** SMART / Health Information (5.16.1.3). Counters have 128 bits, of which these are the low ones. */
export const HealthLog = sparse('nvme_smart_log', {
	warning: u8.at(0),
	temperature: u16.at(1),
	spare: u8.at(3),
	spareThreshold: u8.at(4),
	unitsRead: u64.asNumber.at(32),
	unitsWritten: u64.asNumber.at(48),
	reads: u64.asNumber.at(64),
	writes: u64.asNumber.at(80),
	mediaErrors: u64.asNumber.at(160),
	errors: u64.asNumber.at(176),
}).sized(512, '5.16.1.3');

/** One entry of the Error Information log (5.16.1.2). */
export const ErrorEntry = sparse('nvme_error_log', {
	number: u64.asNumber.at(0),
	queue: u16.at(8),
	command: u16.at(10),
	status: u16.at(12),
	/** Byte and bit of the command that is wrong: all ones where it is none. */
	location: u16.at(14),
}).sized(64, '5.16.1.2');

/** Firmware Slot Information (5.16.1.4). */
export const FirmwareLog = sparse('nvme_firmware_log', {active: u8.at(0), first: text(8).at(8)}).sized(512, '5.16.1.4');

/** A range of Dataset Management (NVM Command Set 1.0, 3.2.3). */
export const ClearedRange = packed('nvme_dsm_range', {attributes: u32, blocks: u32, first: u64.asNumber}).sized(
	16,
	'NVM Command Set 1.0, 3.2.3',
);

/** Commands Supported and Effects (Base 2.0, 5.16.1.6): admin commands, then I/O commands. */
export const EffectsLog = packed('nvme_effects_log', {
	admin: array(u32, 256),
	io: array(u32, 256),
	reserved: reserved(2048),
}).sized(4096, '5.16.1.6');
