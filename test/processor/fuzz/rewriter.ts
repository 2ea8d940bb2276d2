import {once} from 'node:events';
import {Worker, workerData} from 'node:worker_threads';
import {MappedMemory} from '#devices/guest-memory';
import {enterVcpu, type LoneVcpu} from '#vcpu-worker/software/back-end/testing';
import {beginLongMode} from './long-mode.ts';
import {ramRanges} from './random-scene.ts';

/** Code and page tables of its own, where scenes have nothing. */
const [code, tables, stack] = [0x8_0000, 0x8_1000, 0x8_8000] as const;
/** What it rewrites: descriptors, gates, a TSS, page tables and code. */
const [targets, targetBytes] = [0x1000, 0x1_0000] as const;
const budget = 2000;
const Place = {end: 0, rounds: 1, restarts: 2, words: 3} as const;
const word = (value: number): readonly number[] => [...new Uint8Array(Int32Array.of(value).buffer)];

/** For ever: copies eight bytes from one place to another, changes one byte, and counts up four across words, lines and pages. */
const program = (): readonly number[] => {
	const body = [
		...[0x48, 0x69, 0xc0, ...word(0x5851_f42d), 0x48, 0x05, ...word(0x1405_7b7f)], // IMUL RAX,RAX,n; ADD RAX,n
		...[0x48, 0x89, 0xc2, 0x48, 0xc1, 0xea, 20, 0x81, 0xe2, ...word(targetBytes - 8)], // RDX: one place
		...[0x48, 0x89, 0xc1, 0x48, 0xc1, 0xe9, 36, 0x81, 0xe1, ...word(targetBytes - 8)], // RCX: another
		...[0x48, 0x8b, 0x99, ...word(targets), 0x48, 0x89, 0x9a, ...word(targets)], // MOV RBX,[RCX]; MOV [RDX],RBX
		...[0x88, 0xa1, ...word(targets + 5)], // MOV [RCX+5],AH
		...[0xa8, 7, 0x75, 7, 0xf0, 0xff, 0x82, ...word(targets + 6)], // one time in 8: LOCK INC dword [RDX+6]
	];
	return [...body, 0xe9, ...word(-(body.length + 5))];
};

/** Data of the thread. */
interface RewriterData {
	readonly vcpu: LoneVcpu;
	readonly words: Int32Array;
}

/** A second processor on a thread of its own, which rewrites all that the first one goes by. */
export class Rewriter {
	readonly #words = new Int32Array(new SharedArrayBuffer(Place.words * 4));
	readonly #exit: Promise<unknown>;

	constructor(vcpu: LoneVcpu) {
		const source = `
			const {workerData: {module}} = require('node:worker_threads');
			import(module).then(({rewrite}) => rewrite());
		`;
		const data: RewriterData = {vcpu, words: this.#words};
		const worker = new Worker(source, {eval: true, workerData: {...data, module: import.meta.url}});
		this.#exit = once(worker, 'exit');
	}

	/** Waits until it rewrites. */
	begun(): void {
		Atomics.wait(this.#words, Place.rounds, 0);
	}

	/** Ends it. @returns status of the thread, rounds of its processor, and how often that had to begin anew */
	async end(): Promise<{readonly status: unknown; readonly rounds: number; readonly restarts: number}> {
		Atomics.store(this.#words, Place.end, 1);
		const [status] = (await this.#exit) as [unknown];
		return {status, rounds: this.#words[Place.rounds] as number, restarts: this.#words[Place.restarts] as number};
	}
}

/** The thread: the first processor may rewrite this one's memory too, which then begins anew. */
export async function rewrite(): Promise<void> {
	const {vcpu: lone, words} = workerData as RewriterData;
	const vcpu = await enterVcpu(lone);
	const {processor} = vcpu;
	processor.heat = 1;
	const memory = new MappedMemory(lone.memory);
	let random = 1n;
	const begin = () => {
		vcpu.reset();
		const image = new Uint8Array(ramRanges[1].length);
		const view = new DataView(image.buffer);
		image.set(program());
		view.setBigUint64(tables - code, BigInt(tables + 0x1000) | 3n, true);
		view.setBigUint64(tables - code + 0x1000, BigInt(tables + 0x2000) | 3n, true);
		view.setBigUint64(tables - code + 0x2000, 0x83n, true);
		memory.copyIn(code, image);
		beginLongMode(processor, {rip: code, tables, stack});
		processor.core.state.general[0] = random;
	};
	begin();
	while (Atomics.load(words, Place.end) === 0) {
		const stop = processor.run(budget);
		Atomics.add(words, Place.rounds, 1);
		Atomics.notify(words, Place.rounds);
		if (stop === 'polled') continue;
		Atomics.add(words, Place.restarts, 1);
		random = BigInt.asUintN(64, random * 6_364_136_223_846_793_005n + 1n);
		begin();
	}
}
