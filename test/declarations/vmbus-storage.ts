import {IoVectors} from '#devices/guest-memory';
import {bytes, packed, reserved, u8, u16, u32} from '#support/wire';
import type {GuestPages, VmbusChannel, VmbusDevice, VmbusModel, VmbusPacket, VmbusServices} from './vmbus.ts';

/** Carries out SCSI commands. */
export interface ScsiTarget {
	/** @param data - memory to be read or written */
	execute(lun: number, cdb: Uint8Array, data: IoVectors): Promise<ScsiResult>;
}

export interface ScsiResult {
	/** SAM-5, 5.3.1. */
	readonly status: number;
	/** Number of bytes moved. */
	readonly length: number;
	/** Reason of the failure (SPC-4, 4.5). */
	readonly sense?: Uint8Array;
}

/** `enum vstor_packet_operation` of Linux (drivers/scsi/storvsc_drv.c), from which all of the protocol is here. */
export const Operation = {
	COMPLETE_IO: 1,
	EXECUTE_SRB: 3,
	BEGIN_INITIALIZATION: 7,
	END_INITIALIZATION: 8,
	QUERY_PROTOCOL_VERSION: 9,
	QUERY_PROPERTIES: 10,
	ENUMERATE_BUS: 11,
	CREATE_SUB_CHANNELS: 13,
} as const;
/** NTSTATUS ([MS-ERREF], 2.3.1). */
export const NtStatus = {
	SUCCESS: 0,
	INVALID_PARAMETER: 0xc000_000d,
	REVISION_MISMATCH: 0xc000_0059,
	INVALID_DEVICE_STATE: 0xc000_0184,
} as const;
/** SRB_STATUS_SUCCESS, SRB_STATUS_ERROR, SRB_STATUS_AUTOSENSE_VALID. */
const [srbSuccess, srbError, senseValid] = [1, 4, 0x80];
const [bodyBytes, cdbBytes, senseBytes] = [52, 16, 20];
export const Packet = packed('vstor_packet', {operation: u32, flags: u32, status: u32, body: bytes(bodyBytes)}).sized(
	64,
);
export const Srb = packed('vmscsi_request', {
	length: u16,
	srbStatus: u8,
	scsiStatus: u8,
	port: u8,
	path: u8,
	target: u8,
	lun: u8,
	cdbLength: u8,
	senseLength: u8,
	dataIn: u8,
	padding: reserved(1),
	dataLength: u32,
	/** The command, and sense data in its place once it has failed. */
	data: bytes(senseBytes),
	windows8: bytes(16),
}).sized(bodyBytes);
const Word = packed('vstor_word', {value: u16});
const Properties = packed('vmstorage_channel_properties', {
	padding: reserved(4),
	subchannels: u16,
	padding2: reserved(2),
	flags: u32,
	mostTransfer: u32,
	padding3: reserved(8),
}).sized(24);
const supportsSubchannels = 1;
const [mostSubchannels, mostTransfer, pageBytes] = [8, 2 ** 18, 4096];
/** Windows 8, 8.1 and 10: those whose requests have all {@link Srb}'s fields. */
const versions = [0x0501, 0x0600, 0x0602];
/** The order in which a guest asks; after the last it has its disks. */
const steps: readonly number[] = [
	Operation.BEGIN_INITIALIZATION,
	Operation.QUERY_PROTOCOL_VERSION,
	Operation.QUERY_PROPERTIES,
	Operation.END_INITIALIZATION,
];

/** Answer to a packet. */
interface Answer {
	readonly status: number;
	readonly body?: Uint8Array;
}

class VmbusStorage implements VmbusDevice {
	readonly #services: VmbusServices;
	readonly #target: ScsiTarget;
	readonly #pending = new Map<VmbusChannel, Set<Promise<void>>>();
	/** Number of {@link steps} that are done. */
	#step = 0;
	#mustAnnounce = false;

	constructor(target: ScsiTarget, services: VmbusServices) {
		this.#target = target;
		this.#services = services;
	}

	opened(channel: VmbusChannel): boolean {
		this.#pending.set(channel, new Set());
		return true;
	}

	async closed(channel: VmbusChannel): Promise<void> {
		await Promise.all(this.#pending.get(channel) ?? []);
		this.#pending.delete(channel);
		if (channel.index === 0) this.reset();
	}

	ready(channel: VmbusChannel): undefined {
		for (let packet = channel.next(); packet !== undefined; packet = channel.next()) this.#take(channel, packet);
		if (channel.index === 0) this.#announce(channel);
	}

	/** Disks have come or gone, or all of them go. */
	control({kind}: {readonly kind: string}): void {
		if (kind === 'disks-changed') {
			this.#mustAnnounce = true;
			for (const channel of this.#pending.keys()) if (channel.index === 0) this.#announce(channel);
		} else if (kind === 'unplug') void this.#services.vmbus.rescind().catch((error: unknown) => this.#fail(error));
	}

	reset(): void {
		this.#step = 0;
		this.#mustAnnounce = false;
	}

	async stop(): Promise<void> {
		await Promise.all([...this.#pending.values()].flatMap((pending) => [...pending]));
	}

	save(): Uint8Array {
		return Uint8Array.of(this.#step, Number(this.#mustAnnounce));
	}

	restore(_version: number, [step, mustAnnounce, ...rest]: Uint8Array): void {
		if (step === undefined || step > steps.length || mustAnnounce === undefined || rest.length > 0)
			throw new RangeError('this is no state of a storage channel');
		this.#step = step;
		this.#mustAnnounce = mustAnnounce !== 0;
	}

	inspect(): object {
		return {channels: this.#pending.size, step: this.#step === steps.length ? 'ready' : this.#step};
	}

	#take(channel: VmbusChannel, packet: VmbusPacket): void {
		if (!packet.wantsCompletion) return;
		const complete = ({status, body = new Uint8Array(bodyBytes)}: Answer) =>
			channel.complete(packet, Packet.encode({operation: Operation.COMPLETE_IO, flags: 0, status, body}));
		const answer = this.#answer(packet);
		if (!(answer instanceof Promise)) {
			complete(answer);
			return;
		}
		const completed: Promise<void> = answer.then(complete).catch((error: unknown) => this.#fail(error));
		const pending = this.#pending.get(channel);
		pending?.add(completed);
		void completed.then(() => pending?.delete(completed));
	}

	#answer({payload, pages}: VmbusPacket): Answer | Promise<Answer> {
		if (payload.length < Packet.size) return {status: NtStatus.INVALID_PARAMETER};
		const {operation, body} = Packet.read(payload);
		if (operation !== Operation.EXECUTE_SRB) return this.#configure(operation, body);
		if (this.#step < steps.length) return {status: NtStatus.INVALID_DEVICE_STATE};
		return this.#execute(pages, body).then((result) => ({status: NtStatus.SUCCESS, body: result}));
	}

	#configure(operation: number, body: Uint8Array): Answer {
		const {value} = Word.read(body);
		if (operation === Operation.CREATE_SUB_CHANNELS && this.#step === steps.length) {
			const isOffered = this.#services.vmbus.offerSubchannels(value);
			return {status: isOffered ? NtStatus.SUCCESS : NtStatus.INVALID_PARAMETER};
		}
		// A guest that begins again has another driver now.
		if (operation === Operation.BEGIN_INITIALIZATION) this.#step = 0;
		if (operation !== steps[this.#step]) return {status: NtStatus.INVALID_DEVICE_STATE};
		if (operation === Operation.QUERY_PROTOCOL_VERSION && !versions.includes(value))
			return {status: NtStatus.REVISION_MISMATCH};
		this.#step++;
		if (operation !== Operation.QUERY_PROPERTIES) return {status: NtStatus.SUCCESS};
		const answer = new Uint8Array(bodyBytes);
		answer.set(Properties.encode({subchannels: mostSubchannels, flags: supportsSubchannels, mostTransfer}));
		return {status: NtStatus.SUCCESS, body: answer};
	}

	/** Gives the request back with what has become of it. */
	async #execute(pages: GuestPages | undefined, body: Uint8Array): Promise<Uint8Array> {
		const srb = Srb.read(body);
		const {dataLength, cdbLength, lun, dataIn} = srb;
		const answer = {...srb, srbStatus: srbError, senseLength: 0, dataLength: 0};
		if (cdbLength > cdbBytes || dataLength > Math.min(pages?.length ?? 0, mostTransfer)) return Srb.encode(answer);
		// The first page may be one in part.
		const vectors = new IoVectors(mostTransfer / pageBytes + 1);
		if (dataLength > 0 && !pages?.pin(dataIn === 1 ? 'write' : 'read', vectors, 0, dataLength))
			return Srb.encode(answer);
		const {status, length, sense} = await this.#target
			.execute(lun, srb.data.subarray(0, cdbLength), vectors)
			.finally(() => vectors.release());
		answer.scsiStatus = status;
		answer.dataLength = length;
		if (status === 0) answer.srbStatus = srbSuccess;
		if (sense === undefined) return Srb.encode(answer);
		const data = sense.subarray(0, senseBytes);
		return Srb.encode({...answer, srbStatus: answer.srbStatus | senseValid, senseLength: data.length, data});
	}

	/** Has the guest look for disks again, once its ring has room for that. */
	#announce(channel: VmbusChannel): void {
		if (!this.#mustAnnounce || this.#step < steps.length) return;
		const packet = {operation: Operation.ENUMERATE_BUS, flags: 0, status: 0, body: new Uint8Array(bodyBytes)};
		this.#mustAnnounce = !channel.send(Packet.encode(packet));
	}

	#fail(cause: unknown): void {
		this.#services.reactor.defer(() => {
			throw cause;
		});
	}
}

/** A SCSI controller. */
export const vmbusStorage = (target: ScsiTarget): VmbusModel<{readonly instance: string}> => ({
	kind: 'vmbus-storage',
	attach: {
		vmbus: {
			interface: 'ba6163d9-04a1-4d29-b605-72e2ffb1dc7f',
			instance: ({instance}) => instance,
			mostRingPages: 512,
			mostPayload: Packet.size,
			mostInFlight: 256,
			mostSubchannels,
		},
	},
	owned: {version: 1, mostBytes: 2, make: (_config, services) => new VmbusStorage(target, services)},
});
