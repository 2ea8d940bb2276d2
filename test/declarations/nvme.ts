import type {DoorbellDeclaration} from '#devices/device';
import {deviceType} from '#devices/device-type';
import {array, type FieldsView, f64, packed, u16, u32, wire} from '#support/wire';

const mostQueues = 9;
/** Offsets of controller registers (NVM Express Base 2.0, 3.1.3). */
export const Register = {VS: 0x08, CC: 0x14, CSTS: 0x1c, AQA: 0x24, ASQ: 0x28, ACQ: 0x30} as const;
/** Registers that hold what was written, from CC on. */
const kept = {first: Register.CC, end: Register.ACQ + 8};
/** CAP: queues of 64 entries, contiguous; ready within 0.5 s; the NVM command set (3.1.3.1). Version 2.0 (3.1.3.2). */
const [capability, version] = [[0x0101_003f, 0x0000_0020], 0x0002_0000] as const;
const enable = 1;
/** SQyTDBL and CQyHDBL, at a stride of 4 bytes (NVMe over PCIe Transport 1.0, 3.1.2); the MSI-X table is behind them. */
export const doorbellBase = 0x1000;
const [tableOffset, pendingOffset, barBytes] = [0x2000, 0x3000, 0x4000];

export const State = wire('nvme', {
	registers: array(u32, kept.end / 4),
	ready: u32,
	tails: array(u32, mostQueues),
	completionHeads: array(u32, mostQueues),
	/** As the driver created them, of 0 entries where it did not. */
	submissions: array(wire('nvme-submissions', {base: f64, entries: u32, head: u32, completions: u32}), mostQueues),
	completions: array(
		wire('nvme-completions', {base: f64, entries: u32, tail: u32, phase: u32, vector: u32}),
		mostQueues,
	),
});
export type NvmeState = FieldsView<typeof State.fields>;

/** A completion queue entry (3.3.3.2). */
const Completion = packed('nvme_cqe', {
	result: u32,
	reserved: u32,
	head: u16,
	queue: u16,
	command: u16,
	status: u16,
}).sized(16);
const [commandBytes, commandIdOffset] = [64, 2];

/** Carries commands out, among them those that create queues. */
export interface CommandSet {
	/** The status field, without the phase (3.3.3.2.1). */
	execute(queue: number, command: Uint8Array, state: NvmeState): Promise<number>;
}

const vectors = Array.from({length: mostQueues}, (_, index) => `queue-${index}`);

/** An NVMe controller. */
export const nvmeType = (commands: CommandSet) =>
	deviceType({
		kind: 'nvme',
		summary: 'An NVMe controller',
		state: State,
		attach: {
			pci: {
				vendor: 0x1414,
				device: 0x00a9,
				// Mass storage, non-volatile memory, NVM Express I/O controller (PCI Code and ID Assignment 1.11, 1.2).
				class: 0x01_0802,
				bars: [{index: 0, size: barBytes, kind: 'memory64'}],
				interrupts: {vectors, msix: {bar: 0, table: tableOffset, pending: pendingOffset}},
			},
		},
		// Room in a completion queue lets the submission queues go on that it is of.
		doorbells: () =>
			vectors.flatMap((_, queue): DoorbellDeclaration[] => [
				{region: 0, offset: doorbellBase + 8 * queue, size: 4, queue, stores: {field: 'tails', index: queue}},
				{
					region: 0,
					offset: doorbellBase + 8 * queue + 4,
					size: 4,
					queue,
					stores: {field: 'completionHeads', index: queue},
				},
			]),
		front: (_config, state, services) => ({
			/** In aligned words (3.1.1). */
			read(_region, offset, size) {
				if (size !== 4 || offset % 4 !== 0) return 0;
				if (offset < Register.VS) return capability[offset / 4] as number;
				if (offset === Register.VS) return version;
				return offset === Register.CSTS ? state.ready : (state.registers[offset / 4] ?? 0);
			},
			write(_region, offset, size, value) {
				if (size !== 4 || offset % 4 !== 0 || offset < kept.first || offset >= kept.end) return;
				state.registers[offset / 4] = value;
				if (offset === Register.CC) services.notifyBack();
			},
		}),
		back(_config, state, services) {
			const busy = new Set<number>();
			let isRunning = false;
			let resetting: Promise<void> | undefined;

			/** One command of a queue at a time. True when it has more to do, and others are to have their turn first. */
			const serve = async (queue: number): Promise<boolean> => {
				const from = state.submissions[queue];
				const to = state.completions[from?.completions ?? 0];
				if (from === undefined || to === undefined || to.entries === 0) return false;
				for (let left = from.entries; left > 0; left--) {
					const tail = Atomics.load(state.tails, queue);
					if (!isRunning || tail >= from.entries || from.head === tail) return false;
					if ((to.tail + 1) % to.entries === Atomics.load(state.completionHeads, from.completions)) return false;
					const command = new Uint8Array(commandBytes);
					if (!services.memory.copyOut(from.base + commandBytes * from.head, command)) return false;
					const status = await commands.execute(queue, command, state);
					from.head = (from.head + 1) % from.entries;
					const id = new DataView(command.buffer).getUint16(commandIdOffset, true);
					const entry = {head: from.head, queue, command: id, status: (status << 1) | to.phase};
					services.memory.copyIn(to.base + Completion.size * to.tail, Completion.encode(entry));
					to.tail = (to.tail + 1) % to.entries;
					if (to.tail === 0) to.phase ^= 1;
					services.pci.signal(to.vector);
				}
				return true;
			};
			const serveUntilIdle = async (queue: number): Promise<void> => {
				busy.add(queue);
				const hasMore = await serve(queue).finally(() => busy.delete(queue));
				if (hasMore) services.serve(queue);
			};
			const queueReady = (queue: number): undefined => {
				for (const [index, {entries, completions}] of state.submissions.entries())
					if (entries !== 0 && !busy.has(index) && (index === queue || completions === queue))
						services.track(serveUntilIdle(index), `commands of queue ${index}`);
			};
			const drain = () => {
				isRunning = false;
				return services.drained();
			};
			/** Follows CC.EN: a controller is ready, or has nothing in flight and no queues (3.5). */
			const follow = () => {
				const isEnabled = ((state.registers[Register.CC / 4] as number) & enable) !== 0;
				if (!isRunning || isEnabled === (state.ready !== 0)) return;
				if (isEnabled) {
					services.locked(() => turnOn(state));
					return;
				}
				resetting = drain().then(() => {
					services.locked(() => turnOff(state));
					start();
				});
			};
			const start = () => {
				isRunning = true;
				follow();
			};
			const stop = async () => {
				await resetting;
				await drain();
			};
			return {start, stop, notified: follow, queueReady, dispose() {}};
		},
	});

/** The admin queues are where the driver has said (3.1.3.8 to 3.1.3.10). */
function turnOn(state: NvmeState): void {
	const at = (offset: number) => state.registers[offset / 4] as number;
	const base = (offset: number) => at(offset + 4) * 2 ** 32 + at(offset);
	const entries = at(Register.AQA);
	Object.assign(state.submissions[0] ?? {}, {base: base(Register.ASQ), entries: (entries & 0xfff) + 1});
	Object.assign(state.completions[0] ?? {}, {
		base: base(Register.ACQ),
		entries: ((entries >>> 16) & 0xfff) + 1,
		phase: 1,
	});
	state.ready = 1;
}

/** A controller reset keeps what says where the admin queues are (3.7.2). */
function turnOff(state: NvmeState): void {
	const registers = [...state.registers];
	State.reset(state);
	state.registers.set(registers);
}
