import type {ExecutionContext} from 'ava';

/** Programs that a guest runs, and what they have to say. */
export interface Part {
	readonly name: string;
	/** Files in the folder that it runs in, beside {@link numbers} as `data`. */
	readonly files?: Readonly<Record<string, string | Uint8Array>>;
	/** Lines of shell. The first one that fails ends it. */
	readonly lines: readonly string[];
	/** @param output - what they wrote, errors included */
	readonly check: (t: ExecutionContext, output: string) => void;
}

/** What the programs work on: numbers from 1 on, each on a line. */
export const numbers: string = Array.from({length: 30_000}, (_, index) => `${index + 1}\n`).join('');

/** Compares lines `name=value` with what is expected by name: no line is missing, and none is left over. */
export function checkFacts(t: ExecutionContext, output: string, expected: Readonly<Record<string, string>>): void {
	const facts = factsOf(output);
	for (const [name, value] of Object.entries(expected)) t.is(facts[name], value, name);
	t.deepEqual(Object.keys(facts), Object.keys(expected));
}

/** Lines `name=value` by their names. */
export const factsOf = (output: string): Record<string, string> =>
	Object.fromEntries([...output.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));

/** The bits of a double, in hexadecimal. */
export function doubleBits(value: number): string {
	const bytes = new DataView(new ArrayBuffer(8));
	bytes.setFloat64(0, value);
	return bytes.getBigUint64(0).toString(16).padStart(16, '0');
}
