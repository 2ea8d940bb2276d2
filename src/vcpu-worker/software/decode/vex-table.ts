import {Feature} from './features.ts';
import type {Opcode, OpcodeMap} from './opcode-table.ts';
import type {Prefix} from './system-groups.ts';

/** What a VEX prefix says (SDM volume 2, 2.3.5). */
export interface VexPrefix {
	readonly map: OpcodeMap;
	/** The prefix that it stands for. */
	readonly prefix: Prefix;
	/** Number of a register that ModRM has no room for; 0 where nothing needs one. */
	readonly register: number;
	readonly w: 0 | 1;
	/** Vectors have 256 bits. */
	readonly l: 0 | 1;
}

/**
 * Opcodes with a VEX prefix (SDM volume 2, tables ), by map: mandatory prefix, number, name of the operation, operands, feature, and words:
 * the only value of VEX.W or VEX.L that it has. `B` is the general register that VEX.vvvv names.
 */
const rows: Readonly<Partial<Record<OpcodeMap, string>>> = {
	map38: `
.. f2 andn Gv,Bv,Ev bmi1 l0
.. f3 group17 Bv,Ev bmi1 l0
.. f5 bzhi Gv,Ev,Bv bmi2 l0
f3 f5 pext Gv,Bv,Ev bmi2 l0
f2 f5 pdep Gv,Bv,Ev bmi2 l0
f2 f6 mulx Gv,Bv,Ev bmi2 l0
.. f7 bextr Gv,Ev,Bv bmi1 l0
66 f7 shlx Gv,Ev,Bv bmi2 l0
f3 f7 sarx Gv,Ev,Bv bmi2 l0
f2 f7 shrx Gv,Ev,Bv bmi2 l0`,
	map3a: `
f2 f0 rorx Gv,Ev,Iu bmi2 l0`,
};

/** Operations of groups by the middle bits of ModRM. */
const groups: Readonly<Record<string, string>> = {
	group17: '- blsr blsmsk blsi - - - -',
};

interface VexOpcode extends Opcode {
	/** The only values that it has. */
	readonly w: 0 | 1 | undefined;
	readonly l: 0 | 1 | undefined;
}

const opcodes = new Map<string, VexOpcode[]>();
for (const [map, text] of Object.entries(rows))
	for (const row of text.trim().split('\n')) {
		const [prefix = '', number = '', name = '', letters = '', feature = '', ...words] = row.split(' ');
		const only = (letter: string) => ([0, 1] as const).find((value) => words.includes(`${letter}${value}`));
		add(map, prefix, Number.parseInt(number, 16), {
			name,
			operands: letters.split(','),
			words: new Set(),
			feature: Feature[feature as keyof typeof Feature],
			w: only('w'),
			l: only('l'),
		});
	}

function add(map: string, prefix: string, number: number, opcode: VexOpcode): void {
	const key = `${map} ${prefix} ${number}`;
	const same = opcodes.get(key);
	if (same === undefined) opcodes.set(key, [opcode]);
	else same.push(opcode);
}

/**
 * The opcode of this number with a VEX prefix.
 * @param middle - reads the middle bits of ModRM, where they choose the operation
 */
export function vexOpcodeAt({map, prefix, w, l}: VexPrefix, number: number, middle: () => number): Opcode | undefined {
	const found = opcodes
		.get(`${map} ${prefix} ${number}`)
		?.find((opcode) => (opcode.w ?? w) === w && (opcode.l ?? l) === l);
	if (found === undefined || !found.name.startsWith('group')) return found;
	const name = groups[found.name]?.split(' ')[middle()] ?? '-';
	return name === '-' ? undefined : {...found, name};
}
