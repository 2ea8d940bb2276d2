/** One column of the table of processors. */
export interface Column {
	readonly title: string;
	/** Path of a number below `vm/vcpus/N` in the machine's tree. */
	readonly path: string;
	/** Divides what is shown. */
	readonly unit?: number;
	/** The number is shown as it is; any other only grows, and is shown by the second. */
	readonly isLevel?: true;
}

/** Columns, in order. One whose number no processor has is left out: the back end does not keep it. */
export const columns: readonly Column[] = [
	{title: 'M instr/s', path: 'counters/instructions', unit: 1e6},
	{title: 'exits/s', path: 'counters/exits'},
	{title: 'port/s', path: 'exits/port'},
	{title: 'mmio/s', path: 'exits/mmio'},
	{title: 'msr/s', path: 'exits/msr'},
	{title: 'TLB miss/s', path: 'counters/tlbMisses'},
	{title: 'pages decoded/s', path: 'counters/decodedPages'},
	{title: 'exact floats/s', path: 'counters/exactFloats'},
];
