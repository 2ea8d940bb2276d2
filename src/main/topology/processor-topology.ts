import type {ApicMode, ProcessorLimits} from '#vcpu-worker/hypervisor';
import {topologyError} from './errors.ts';

/** The way processors are addressed, by the words of `--x2apic`. `auto` and `supported` enable x2APIC only when it is needed. */
export type X2ApicOption = 'auto' | 'supported' | 'off' | 'on';

/** Decides whether two processors share a core, as `--smt` takes it. `auto` follows the host. */
export type SmtOption = 'auto' | 'force' | 'off';

/** The host's processors, which fill in what the user left open. */
export interface HostTopology {
	/** 1 or 2; more counts as 2. */
	readonly threadsPerCore: number;
	/** Logical processors of one package. */
	readonly vpsPerSocket: number;
}

/** A machine's processors as asked for. */
export interface ProcessorOptions {
	readonly processors: number;
	/** Defaults to the host's package size, or to one socket for all when the host is not known. */
	readonly vpsPerSocket?: number | undefined;
	readonly smt: SmtOption;
	readonly x2apic: X2ApicOption;
	/** Added to every APIC id, rounded down to a whole number of sockets. */
	readonly apicIdOffset: number;
	readonly host?: HostTopology | undefined;
	readonly limits?: ProcessorLimits | undefined;
}

/** One virtual processor's place in the machine. */
export interface VpPlace {
	/** 0 is the boot processor. Dense. */
	readonly index: number;
	/** Local APIC id. */
	readonly apicId: number;
	/** Socket as the APIC id names it, so an APIC id offset shifts it. */
	readonly socket: number;
	/** Core within the socket. */
	readonly core: number;
	/** Thread within the core: 0 or 1. */
	readonly thread: number;
}

/** A machine's processors. */
export interface ProcessorTopology {
	/** By index, never empty. */
	readonly vps: readonly VpPlace[];
	/** Processors that fill one socket, as configured. */
	readonly vpsPerSocket: number;
	/** {@link vpsPerSocket} rounded up to a power of two: the APIC ids one socket takes. */
	readonly reservedVpsPerSocket: number;
	/** 1, or 2 with SMT. */
	readonly threadsPerCore: number;
	/** Bits of an APIC id that name the thread: 0 or 1. */
	readonly threadBits: number;
	/** Bits of an APIC id that name the processor within its socket, thread bits included. */
	readonly socketShift: number;
	/** The largest APIC id in use. */
	readonly maxApicId: number;
	readonly apicMode: ApicMode;
}

/** The most processors a machine can have. */
export const maxProcessors = 1024;

/** APIC ids from here on need x2APIC: 255 is the broadcast id of xAPIC (Intel SDM vol. 3, 11.6.1). */
export const firstX2ApicId = 255;

const maxVpsPerSocket = 32_768;
/** 0xffffffff is the broadcast id of x2APIC (Intel SDM vol. 3, 11.12.9). */
const highestX2ApicId = 0xffff_fffe;

/**
 * Places the processors as OpenVMM does: sockets are filled in order, and every socket takes a power of two of APIC ids,
 * so that guests can take an id apart by shifting.
 * @throws VmmError with a `TOPOLOGY_` code when the options cannot be met together
 */
export function createProcessorTopology(options: ProcessorOptions): ProcessorTopology {
	const {processors, apicIdOffset} = options;
	checkProcessorCount(processors, options.limits);
	if (!isWholeNumber(apicIdOffset, 0, highestX2ApicId)) {
		throw topologyError('TOPOLOGY_APIC_ID_OFFSET', {apicIdOffset});
	}
	const vpsPerSocket = chooseVpsPerSocket(options);
	const threadBits = vpsPerSocket > 1 && wantsSmt(options) ? 1 : 0;
	const socketShift = Math.ceil(Math.log2(vpsPerSocket));
	const reservedVpsPerSocket = 2 ** socketShift;
	const firstSocket = Math.floor(apicIdOffset / reservedVpsPerSocket);
	const vps = Array.from({length: processors}, (_, index): VpPlace => {
		const socket = firstSocket + Math.floor(index / vpsPerSocket);
		const withinSocket = index % vpsPerSocket;
		return {
			index,
			apicId: socket * reservedVpsPerSocket + withinSocket,
			socket,
			core: withinSocket >>> threadBits,
			thread: threadBits === 1 ? withinSocket & 1 : 0,
		};
	});
	const maxApicId = vps.at(-1)?.apicId ?? 0;
	checkApicIds(maxApicId, options);
	return {
		vps,
		vpsPerSocket,
		reservedVpsPerSocket,
		threadsPerCore: threadBits + 1,
		threadBits,
		socketShift,
		maxApicId,
		apicMode: chooseApicMode(options.x2apic, maxApicId),
	};
}

function isWholeNumber(value: number, least: number, most: number): boolean {
	return Number.isSafeInteger(value) && value >= least && value <= most;
}

function checkProcessorCount(processors: number, limits: ProcessorLimits | undefined): void {
	const hostLimit = limits?.maxVcpus ?? maxProcessors;
	const limit = Math.min(maxProcessors, hostLimit);
	if (isWholeNumber(processors, 1, limit)) return;
	const limitedBy = hostLimit < maxProcessors ? "this host's hypervisor" : 'OpenVMM';
	throw topologyError('TOPOLOGY_PROCESSOR_COUNT', {processors, limit, limitedBy});
}

function chooseVpsPerSocket(options: ProcessorOptions): number {
	const {vpsPerSocket, smt} = options;
	if (vpsPerSocket === undefined) {
		const natural = Math.min(options.host?.vpsPerSocket ?? options.processors, maxVpsPerSocket);
		return Math.max(natural, smt === 'force' ? 2 : 1);
	}
	if (!isWholeNumber(vpsPerSocket, 1, maxVpsPerSocket)) {
		throw topologyError('TOPOLOGY_VPS_PER_SOCKET', {vpsPerSocket, limit: maxVpsPerSocket});
	}
	if (vpsPerSocket === 1 && smt === 'force') throw topologyError('TOPOLOGY_SMT_IMPOSSIBLE', {vpsPerSocket});
	return vpsPerSocket;
}

function wantsSmt({smt, host}: ProcessorOptions): boolean {
	return smt === 'force' || (smt === 'auto' && (host?.threadsPerCore ?? 1) > 1);
}

function checkApicIds(maxApicId: number, {x2apic, processors, limits}: ProcessorOptions): void {
	if (x2apic === 'off' && maxApicId >= firstX2ApicId) {
		throw topologyError('TOPOLOGY_XAPIC_LIMIT', {maxApicId, processors});
	}
	const limit = limits === undefined ? highestX2ApicId : limits.maxVcpuIds - 1;
	if (maxApicId > limit) throw topologyError('TOPOLOGY_APIC_ID_LIMIT', {maxApicId, limit});
}

function chooseApicMode(x2apic: X2ApicOption, maxApicId: number): ApicMode {
	if (x2apic === 'off') return 'xapic';
	return x2apic === 'on' || maxApicId >= firstX2ApicId ? 'x2apic-enabled' : 'x2apic-supported';
}
