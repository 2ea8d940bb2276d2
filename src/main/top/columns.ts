/** One column of a table of processors. */
export interface Column {
	readonly title: string;
	/** Path of a number below `vm/vcpus/N` in the machine's tree. */
	readonly path: string;
	/** Divides what is shown. */
	readonly unit?: number;
	/** The number is shown as it is; any other only grows, and is shown by the second. */
	readonly isLevel?: true;
	/** Path of the most that the number, a level, can be: both are shown, and a bar. */
	readonly most?: string;
}

/** Columns of a table, in order. One whose number no processor has is left out: the back end does not keep it. */
export type Table = readonly Column[];

/** What processors do, and the code that they have: decoded, and translated. */
export const tables: readonly Table[] = [
	[
		{title: 'M instr/s', path: 'counters/instructions', unit: 1e6},
		{title: 'exits/s', path: 'counters/exits'},
		{title: 'port/s', path: 'exits/port'},
		{title: 'mmio/s', path: 'exits/mmio'},
		{title: 'msr/s', path: 'exits/msr'},
		{title: 'TLB miss/s', path: 'counters/tlbMisses'},
		{title: 'block miss/s', path: 'counters/blockMisses'},
		{title: 'exact floats/s', path: 'counters/exactFloats'},
	],
	[
		{title: 'regions', path: 'counters/translations/present', isLevel: true},
		{title: 'made/s', path: 'counters/translations/made'},
		{title: 'dropped/s', path: 'counters/translations/dropped'},
		{title: 'waiting', path: 'counters/translations/waiting', isLevel: true},
		{
			title: 'MiB of WebAssembly',
			path: 'counters/translations/bytes',
			unit: 2 ** 20,
			isLevel: true,
			most: 'counters/translations/maxBytes',
		},
		{title: 'M steps decoded', path: 'counters/steps', unit: 1e6, isLevel: true, most: 'counters/maxSteps'},
		{title: 'pages decoded/s', path: 'counters/decodedPages'},
	],
];

/** Paths of all numbers in tables. */
export const pathsOf = (all: readonly Table[]): readonly string[] =>
	all.flat().flatMap(({path, most}) => (most === undefined ? [path] : [path, most]));
