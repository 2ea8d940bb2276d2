/** Which says what is right, where the software processor and it are compared. */
export type Oracle = 'silicon' | 'QEMU TCG' | 'manual' | 'interpreter';

/** Cases that one process runs at a time. Seed and number make the same case again. */
export interface Share {
	readonly seed: number;
	/** Number of the first. */
	readonly first: number;
	readonly count: number;
}

/** What has become of a share. */
export interface ShareResult {
	/** Cases that were compared. */
	readonly cases: number;
	/** Of them, those that differ. */
	readonly differing: number;
	/** The first differences, in words. */
	readonly differences: readonly string[];
	/** Cases by form, for parts that have forms: `group: form`. */
	readonly forms?: Readonly<Record<string, number>>;
	/** What else was counted, such as blocks; shares are added up. */
	readonly counts?: Readonly<Record<string, number>>;
}

/** Hears how far a share is that takes long. */
export type Tell = (text: string) => void;

/** A part of the proof that the software processor is right: cases of one kind, made from a seed, and an oracle. */
export interface ProofPart {
	/** For the command line. */
	readonly name: string;
	/** A sentence for people, without its subject's number: the title of the part's test. */
	readonly title: string;
	readonly oracle: Oracle;
	/** What the cases are, in the plural. */
	readonly unit: string;
	/** Cases of `npm test`, 0 where it has none; and of the whole proof. */
	readonly daily: number;
	readonly whole: number;
	/** Cases of a share, at most. */
	readonly share: number;
	/** Threads that a share has at once. */
	readonly threads: number;
	/** Tells why this host cannot run it. */
	obstacle(): string | undefined;
	run(share: Share, tell: Tell): ShareResult | Promise<ShareResult>;
}

/** Differences that are kept in words. */
const maxDescriptions = 10;

/** Adds up results. */
export function sumOf(results: readonly ShareResult[]): Required<ShareResult> {
	const add = (key: 'cases' | 'differing') => results.reduce((sum, result) => sum + result[key], 0);
	return {
		cases: add('cases'),
		differing: add('differing'),
		differences: results.flatMap(({differences}) => differences).slice(0, maxDescriptions),
		forms: sumRecords(results.map(({forms = {}}) => forms)),
		counts: sumRecords(results.map(({counts = {}}) => counts)),
	};
}

function sumRecords(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
	const sum: Record<string, number> = {};
	for (const record of records) for (const [key, value] of Object.entries(record)) sum[key] = (sum[key] ?? 0) + value;
	return sum;
}

/** The result of rounds that are judged together: what is wrong with them, nothing if all is well. */
export const judged = (cases: number, wrong: readonly string[]): ShareResult => ({
	cases,
	differing: wrong.length,
	differences: wrong.slice(0, maxDescriptions),
});

/** Collects what a share finds. */
export class Findings {
	readonly forms: Record<string, number> = {};
	readonly #differences: string[] = [];
	#cases = 0;
	#differing = 0;

	/** Notes a case, with what differs in it. */
	add(unlike: readonly string[], describe: () => string, form?: string): void {
		this.#cases++;
		if (form !== undefined) this.forms[form] = (this.forms[form] ?? 0) + 1;
		if (unlike.length === 0) return;
		this.#differing++;
		if (this.#differences.length < maxDescriptions) this.#differences.push(`${describe()}: ${unlike.join('; ')}`);
	}

	result(counts: Readonly<Record<string, number>> = {}): ShareResult {
		const differences = this.#differences;
		return {cases: this.#cases, differing: this.#differing, differences, forms: this.forms, counts};
	}
}
