import {kinds} from '#vcpu-worker/software/semantics';
import {CpuState} from '#vcpu-worker/software/state';
import {readBlock} from '#vcpu-worker/software/translator';
import type {KnownTranslation} from './guards.ts';
import type {Compared, End, Twins} from './twin-run.ts';

/** Differences of one comparison that are told. */
const maxTold = 6;
const general = 'RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15'.split(' ');
const hex = (value: number | bigint): string => value.toString(16);

/** Says what is unlike in two runs; nothing where they are alike. */
export function unlikeIn({translated, interpreted, bytes}: Twins): string[] {
	const found: string[] = [];
	const compare = (name: string, actual: string, expected: string) => {
		if (actual !== expected) found.push(`${name} ${actual} instead of ${expected}`);
	};
	compare('end', endOf(translated), endOf(interpreted));
	compare('instructions', `${translated.executed}`, `${interpreted.executed}`);
	compare('RIP', hex(translated.rip), hex(interpreted.rip));
	const [actual, expected] = [wordsOf(translated), wordsOf(interpreted)];
	for (let at = 0; at < actual.length && found.length < maxTold; at++)
		compare(nameOf(at * 8), hex(actual[at] as bigint), hex(expected[at] as bigint));
	for (const {place, undone, now} of bytes.slice(0, maxTold)) compare(`RAM at ${hex(place)}`, hex(undone), hex(now));
	return found.slice(0, maxTold);
}

const endOf = ({kind, state}: End): string =>
	kind === 'fault' ? `fault ${state[CpuState.offset('vector')]}` : kind === 'border' ? 'between instructions' : kind;

const wordsOf = ({state}: End): BigUint64Array =>
	new BigUint64Array(state.buffer, state.byteOffset, Math.floor(state.length / 8));

/** The name of the register that a byte of the state belongs to. */
function nameOf(at: number): string {
	const member = CpuState.members.findLast(({offset}) => offset <= at);
	if (member === undefined) return `state at ${at}`;
	const within = at - member.offset;
	if (member.name === 'general') return general[within / 8] as string;
	if (member.name === 'vector256') return `YMM${Math.floor(within / 32)}[${(within % 32) / 8}]`;
	return within === 0 ? member.name : `${member.name}+${within}`;
}

/** The code of the block at a record: its bytes and its steps. */
export function codeOf({core, mmu}: Compared, record: number, page: bigint): string {
	const steps = readBlock(core.memory, core.firstOf(record));
	const [start, end] = [steps[0]?.start ?? 0, steps.at(-1)?.next ?? 0];
	const bytes = mmu.memory.page(core.frameOf(page) ?? -1)?.slice(start, Math.max(end, start));
	const names = steps.map(({kind}) => kinds[kind]?.key ?? 'system');
	return `${bytes === undefined ? 'code that is not there' : Buffer.from(bytes).toString('hex')} (${names.join(' ')})`;
}

/** Translations, where code came to them, and where in their pages their blocks begin. */
export const blocksOf = ({core}: Compared, translations: readonly KnownTranslation[]): string =>
	translations
		.map(({entered, firsts}) => {
			// Of a page that this processor does not have there is none.
			const own = firsts.filter((at) => at !== 0);
			const blocks = own.map((at) => hex(core.startOf(at))).join(' ');
			return `translation at ${hex(entered ?? 0n)} of blocks at ${blocks}`;
		})
		.join(', ');
