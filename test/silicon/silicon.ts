/** Cases in batches that the host's processor has run: what our own processor is compared with. */
import {existsSync, readFileSync} from 'node:fs';
import {CaseBuilder, Slot} from './case-builder.ts';
import type {Form} from './form.ts';
import {type GeneratedCode, generate} from './generate.ts';
import {type CaseView, HostProcessor} from './host-processor.ts';
import {emptyMask, type Mask} from './mask.ts';

/** A case that was run. It holds until the next batch. */
export interface SiliconCase {
	/** Its number among the cases of the seed: with seed and forms, it makes the same case again. */
	number: number;
	form: Form;
	/** Code, state before and state after. */
	readonly record: CaseView;
	/** The part that is not compared. */
	readonly mask: Mask;
	code: GeneratedCode;
}

export interface BatchOptions {
	readonly seed: number;
	readonly count: number;
	readonly forms: readonly Form[];
	/** The number of the first case. */
	readonly first?: number;
}

interface Place extends SiliconCase {
	readonly slot: Slot;
}

/**
 * The host's processor with the generator of cases. Each case is one instruction, which cannot go on forever: strings have few
 * elements, and a branch goes to an end marker or to a page that is not there.
 */
export class Silicon implements Disposable {
	readonly #host: HostProcessor;
	readonly #places: readonly Place[];
	readonly #builder = new CaseBuilder();

	constructor(batchSize = 1024) {
		this.#host = new HostProcessor(batchSize);
		this.#places = this.#host.cases.map((record) => ({
			number: 0,
			form: undefined as unknown as Form,
			record,
			mask: emptyMask(),
			code: undefined as unknown as GeneratedCode,
			slot: new Slot(record),
		}));
	}

	/** Runs `count` cases, taking forms in turn. Each case depends on seed, number and forms alone. */
	*batches({seed, count, forms, first = 0}: BatchOptions): Generator<readonly SiliconCase[], void, undefined> {
		const end = first + count;
		for (let start = first; start < end; start += this.#places.length) {
			const places = this.#places.slice(0, end - start);
			for (const [index, place] of places.entries()) this.#make(place, seed, start + index, forms);
			this.#host.run(places.length);
			yield places;
		}
	}

	[Symbol.dispose](): void {
		this.#host[Symbol.dispose]();
	}

	#make(place: Place, seed: number, number: number, forms: readonly Form[]): void {
		const form = forms[number % forms.length] as Form;
		this.#builder.random.restart(seed, number);
		place.number = number;
		place.form = form;
		place.code = generate(form, place.slot, this.#builder, place.mask);
		const {bytes, start, ends} = place.code;
		this.#host.setCode(place.record, bytes, [start + bytes.length, ...ends], start);
	}
}

/** The forms that the host's processor has, by what the kernel says of it. */
export function formsOfHost(forms: readonly Form[]): readonly Form[] {
	const cpuInfo = '/proc/cpuinfo';
	const text = existsSync(cpuInfo) ? readFileSync(cpuInfo, 'utf8') : '';
	const flags = new Set(/^flags\s*:(.*)$/m.exec(text)?.[1]?.split(' '));
	return forms.filter(({feature}) => feature === undefined || flags.has(feature));
}

/** A case as one line: its form, code and place in the run. */
export function describeCase({form, code, number}: SiliconCase): string {
	const text = code.bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
	return `case ${number}, ${form.name}: ${text}`;
}
