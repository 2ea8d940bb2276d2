// The real assembler as a witness for tests: GNU `as` and `objcopy`, where they are installed.
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {InstructionForm} from './instruction-forms.ts';

/** Tells whether both programs can be run here. */
export function hasGnuAssembler(): boolean {
	return ['as', 'objcopy'].every((name) => spawnSync(name, ['--version'], {stdio: 'ignore'}).status === 0);
}

/** The name of a form in the golden file. */
export const formKey = ({bits, text}: InstructionForm): string => `${bits}: ${text}`;

/** Hexadecimal, without a long tail of zeros. */
export const formBytes = (bytes: Uint8Array): string =>
	Buffer.from(bytes)
		.toString('hex')
		.replace(/(?:00){16,}$/, '…');

/** Assembles all forms in one run; the result maps {@link formKey} to hexadecimal bytes. */
export function gnuBytes(forms: readonly InstructionForm[]): Record<string, string> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-as-'));
	try {
		const [source, object] = [join(folder, 'forms.s'), join(folder, 'forms.o')];
		writeFileSync(source, sourceText(forms));
		execFileSync('as', ['--64', '-o', object, source]);
		const section = (name: string): Buffer => {
			const file = join(folder, name);
			execFileSync('objcopy', ['-O', 'binary', `--only-section=.${name}`, object, file]);
			return readFileSync(file);
		};
		const [text, table] = [section('forms'), section('table')];
		const bytesOf = (index: number): string =>
			formBytes(text.subarray(table.readUInt32LE(index * 8), table.readUInt32LE(index * 8 + 4)));
		return Object.fromEntries(forms.map((form, index) => [formKey(form), bytesOf(index)]));
	} finally {
		rmSync(folder, {recursive: true});
	}
}

/** Each form starts on a boundary, so that alignment in it counts from its own start. */
function sourceText(forms: readonly InstructionForm[]): string {
	const code = forms.map(
		({bits, text}, index) => `.balign 64\n.code${bits}\nstart_${index}:\n${text}\nend_${index}:\n`,
	);
	const table = forms.map((_, index) => `.long start_${index}-first, end_${index}-first\n`);
	return [
		'.intel_syntax noprefix\n.section .forms,"a"\n.balign 64\nfirst:\n',
		...code,
		'.section .table,"a"\n',
		...table,
	].join('');
}
