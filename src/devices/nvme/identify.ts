import {mostTransferShift} from './data-pointer.ts';
import {offeredEvents} from './events.ts';
import {temperature} from './features.ts';
import {mostNamespaceId, mostNamespaces, type NvmeConfig} from './handle.ts';
import {mostClearedRanges} from './io-request.ts';
import {IdentifyController, IdentifyIndependent, IdentifyNamespace, IdentifyNvmController} from './layout.ts';
import type {Namespace, Namespaces} from './namespaces.ts';
import {everyNamespace} from './opcodes.ts';
import {pageBytes, version} from './registers.ts';
import {mostAborts, mostEventRequests} from './state.ts';
import {CommandStatus} from './status.ts';

/** Ids on PCI, as OpenVMM's. */
export const pciIds = {vendor: 0x1414, device: 0xc03e} as const;

export const firmware = '1.0';
const model = 'OpenVMM NVMe';

/** Structures by Controller or Namespace Structure (NVM Express Base 2.0, 5.17.1). */
const Structure = {
	NAMESPACE: 0x00,
	CONTROLLER: 0x01,
	ACTIVE_NAMESPACES: 0x02,
	DESCRIPTORS: 0x03,
	NVM_NAMESPACE: 0x05,
	NVM_CONTROLLER: 0x06,
	NVM_ACTIVE_NAMESPACES: 0x07,
	INDEPENDENT: 0x08,
} as const;

const nvmSet = 0;
/** Kinds of namespace identification descriptors (5.17.2.3), and their bytes. */
const [guidType, guidBytes, setType, setBytes] = [2, 16, 4, 1];
/** What stands before the bytes of a descriptor. */
const descriptorBytes = 4;
/** SGLs without any alignment. */
const sglSupport = 0x1;
const doorbellBuffers = 0x100;
/** Optional I/O commands: Dataset Management, Write Zeroes, Save and Select of features. */
const ioCommands = 0x4 | 0x8 | 0x10;
/** Log pages: effects of commands, and offsets. */
const logAbilities = 0x2 | 0x4;
/** A volatile write cache, whose Flush takes all namespaces too. */
const writeCache = 0x1 | 0x6;
/** One firmware slot, which is only read. */
const firmwareSlots = 0x3;
const ioController = 1;
/** Of a namespace: the preferred sizes and alignments are there. */
const hasPreferred = 0x10;
/** Of a namespace: it is write-protected. */
const protectedNow = 0x1;
/** Of a namespace: it can be accessed. */
const isReady = 0x1;
/** Deallocated blocks may read as anything; Write Zeroes may deallocate. */
const deallocateByZeroes = 0x8;

const padded = (text: string, length: number): string => text.padEnd(length).slice(0, length);

/** Says what the controller and its namespaces are. */
export class Identify {
	readonly #config: NvmeConfig;
	readonly #namespaces: Namespaces;

	constructor(config: NvmeConfig, namespaces: Namespaces) {
		this.#config = config;
		this.#namespaces = namespaces;
	}

	/** @param set - command set, where the structure is of one */
	data(structure: number, nsid: number, set: number): Uint8Array | CommandStatus {
		switch (structure) {
			case Structure.CONTROLLER:
				return this.#controller();
			case Structure.ACTIVE_NAMESPACES:
				return this.#active(nsid);
			case Structure.NVM_ACTIVE_NAMESPACES:
				return set === nvmSet ? this.#active(nsid) : CommandStatus.INVALID_FIELD;
			case Structure.NVM_CONTROLLER:
				return set === nvmSet ? this.#nvmController() : CommandStatus.INVALID_FIELD;
			case Structure.NAMESPACE:
				return this.#ofNamespace(
					nsid,
					(namespace) => this.#namespace(namespace),
					() => IdentifyNamespace.encode({}),
				);
			case Structure.NVM_NAMESPACE:
				if (set !== nvmSet) return CommandStatus.INVALID_FIELD;
				return this.#ofNamespace(
					nsid,
					() => new Uint8Array(pageBytes),
					() => new Uint8Array(pageBytes),
				);
			case Structure.DESCRIPTORS:
				return this.#ofNamespace(
					nsid,
					(namespace) => this.#descriptors(namespace),
					() => CommandStatus.INVALID_FIELD,
				);
			case Structure.INDEPENDENT:
				return this.#ofNamespace(nsid, independent, () => IdentifyIndependent.encode({}));
			default:
				return CommandStatus.INVALID_FIELD;
		}
	}

	#controller(): Uint8Array {
		const {serial} = this.#config;
		return IdentifyController.encode({
			vendor: pciIds.vendor,
			subsystemVendor: pciIds.vendor,
			serial: padded(serial, 20),
			model: padded(model, 40),
			firmware: padded(firmware, 8),
			arbitrationBurst: 6,
			mostTransfer: mostTransferShift,
			version,
			events: offeredEvents,
			type: ioController,
			adminCommands: doorbellBuffers,
			abortLimit: mostAborts - 1,
			eventLimit: mostEventRequests - 1,
			firmwareUpdates: firmwareSlots,
			logPages: logAbilities,
			warningTemperature: temperature.WARNING,
			criticalTemperature: temperature.CRITICAL,
			submissionEntry: 0x66,
			completionEntry: 0x44,
			namespaces: mostNamespaceId,
			mostNamespaces,
			commands: ioCommands,
			writeCache,
			sgls: sglSupport,
			subsystem: `nqn.2014-08.org.nvmexpress:uuid:${asUuid(hash(`subsystem ${serial}`))}`,
			mostPower: 2500,
		});
	}

	/** Limits of what is cleared, of the namespace that has the lowest. */
	#nvmController(): Uint8Array {
		const of = (bytes: (namespace: Namespace) => number) => Math.min(2 ** 31, ...this.#namespaces.all.map(bytes));
		const clearedBytes = of(({disk}) => disk.geometry.mostClearedBytes);
		const blocks = of(({disk, blockShift}) => disk.geometry.mostClearedBytes / 2 ** blockShift);
		return IdentifyNvmController.encode({
			mostZeroes: Math.floor(Math.log2(clearedBytes / pageBytes)),
			mostRanges: mostClearedRanges,
			mostRangeBlocks: blocks,
			mostDeallocatedBlocks: blocks * mostClearedRanges,
		});
	}

	/** Ids that are larger than one, ascending: as many as a page holds. */
	#active(nsid: number): Uint8Array | CommandStatus {
		if (nsid >= everyNamespace - 1) return CommandStatus.INVALID_NAMESPACE;
		const data = new Uint32Array(pageBytes / Uint32Array.BYTES_PER_ELEMENT);
		const ids = this.#namespaces.attached.map((each) => each.nsid).filter((id) => id > nsid);
		data.set(ids.slice(0, data.length));
		return new Uint8Array(data.buffer);
	}

	#ofNamespace(
		nsid: number,
		data: (namespace: Namespace) => Uint8Array,
		inactive: () => Uint8Array | CommandStatus,
	): Uint8Array | CommandStatus {
		if (nsid === 0 || nsid > mostNamespaceId) return CommandStatus.INVALID_NAMESPACE;
		const namespace = this.#namespaces.find(nsid);
		return namespace === undefined ? inactive() : data(namespace);
	}

	#namespace({nsid, disk, blockShift}: Namespace): Uint8Array {
		const size = disk.bytes / 2 ** blockShift;
		const {physicalSectorBytes, discardBytes} = disk.geometry;
		const inBlocks = (bytes: number) => Math.max(1, bytes / 2 ** blockShift) - 1;
		return IdentifyNamespace.encode({
			size,
			capacity: size,
			used: size,
			features: hasPreferred,
			deallocate: deallocateByZeroes,
			preferredWrite: inBlocks(physicalSectorBytes),
			preferredWriteAlignment: inBlocks(physicalSectorBytes),
			preferredDeallocate: inBlocks(discardBytes),
			preferredDeallocateAlignment: inBlocks(discardBytes),
			attributes: disk.isReadOnly ? protectedNow : 0,
			guid: this.#guid(nsid),
			blockShift,
		});
	}

	#descriptors({nsid}: Namespace): Uint8Array {
		const data = new Uint8Array(pageBytes);
		data.set([guidType, guidBytes]);
		data.set(this.#guid(nsid), descriptorBytes);
		data.set([setType, setBytes], descriptorBytes + guidBytes);
		data[2 * descriptorBytes + guidBytes] = nvmSet;
		return data;
	}

	/** Follows from the controller's serial number: a guest finds its disks again after a restore. */
	#guid(nsid: number): Uint8Array {
		return hash(`namespace ${nsid} of ${this.#config.serial}`);
	}
}

function independent({disk}: Namespace): Uint8Array {
	return IdentifyIndependent.encode({
		features: hasPreferred,
		attributes: disk.isReadOnly ? protectedNow : 0,
		status: isReady,
	});
}

const hash = (text: string): Uint8Array =>
	new Uint8Array(process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest()).subarray(0, 16);

/** Of these 16 bytes, as UUIDs that anybody makes are (RFC 9562, 5.8). */
function asUuid(bytes: Uint8Array): string {
	const own = Uint8Array.from(bytes);
	own[6] = ((own[6] as number) & 0x0f) | 0x80;
	own[8] = ((own[8] as number) & 0x3f) | 0x80;
	return Buffer.from(own)
		.toString('hex')
		.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
