import type {Random} from '#test/silicon';
import type {MicroKernel} from '#test/tmk';
import {flagsOf} from '#vcpu-worker/software/system';
import {flowMemory} from './fuzz/random-flow.ts';
import {type GuestOptions, type GuestProcessor, startKernel} from './guest-processor.ts';

/** Instructions of a turn. */
const turn = 1000;
/** Turns that are enough for all that end. */
const enough = 2000;

/** What has become of a kernel: its guest, most translations at a time, and how many modules they were made in. */
export interface KernelRun {
	readonly guest: GuestProcessor;
	readonly most: number;
	readonly modules: number;
}

/**
 * Runs a kernel until it halts.
 * @param heat - see `Processor.heat`
 */
export function run(
	kernel: MicroKernel,
	heat: number | undefined,
	prepare: (guest: GuestProcessor) => void = () => {},
	options: GuestOptions = {},
): KernelRun {
	const guest = startKernel(kernel, options);
	guest.processor.heat = heat;
	prepare(guest);
	return runOn(guest);
}

/** Runs a guest until it halts. */
export function runOn(guest: GuestProcessor, turns = enough): KernelRun {
	const {core, translations} = guest.processor;
	let [most, modules] = [0, 0];
	const instantiate = core.instantiate.bind(core);
	core.instantiate = (module) => {
		modules++;
		return instantiate(module);
	};
	for (let index = 0; index < turns && guest.processor.run(turn) === 'polled'; index++)
		most = Math.max(most, translations.size.translations);
	return {guest, most: Math.max(most, translations.size.translations), modules};
}

/** All that a guest has left. */
export function left({processor, ram, writes, reads}: GuestProcessor) {
	const {state} = processor.core;
	const {general, rip, instructions, codePage} = state;
	return {
		general: [...general],
		flags: flagsOf(state),
		rip,
		instructions,
		codePage,
		data: Buffer.from(ram.subarray(flowMemory.data, flowMemory.data + flowMemory.bytes)).toString('hex'),
		writes,
		reads,
	};
}

/** Gives a processor registers and data for a kernel of `randomFlow`: the same for a number in every run. */
export const prepareFlow =
	(random: Random, sequence: number) =>
	({processor, ram}: GuestProcessor): void => {
		random.restart(2, sequence);
		const {state} = processor.core;
		for (let register = 0; register < 16; register++) state.general[register] = random.u64();
		for (let quarter = 0; quarter < 64; quarter++) state.vector256[quarter] = random.u64();
		Object.assign(state, {cr4: 0x620n, mxcsr: 0x1f80});
		processor.changed();
		Object.assign(state.general, {
			1: BigInt(1 + random.below(20_000)),
			4: BigInt(flowMemory.stack),
			6: BigInt(flowMemory.data),
		});
		for (let at = 0; at < flowMemory.bytes; at++) ram[flowMemory.data + at] = random.below(256);
	};
