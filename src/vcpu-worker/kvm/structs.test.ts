import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {constantTables} from './constants.ts';
import {ioctls} from './ioctls.ts';
import {
	type Field,
	type Fields,
	type Layout,
	layout,
	nested,
	nestedArray,
	scalarSizes,
	u8,
	u16,
	u32,
	u64,
} from './layout.ts';
import {allStructs} from './structs.ts';

/** Name to number: `sizeof kvm_regs`, `kvm_regs.rax`, `kvm_regs.rax size`, `KVM_RUN`. */
type Facts = Record<string, number>;

const fieldSize = (field: Field): number =>
	(field.kind === 'scalar' || field.kind === 'array' ? scalarSizes[field.type] : field.layout.size) *
	('length' in field ? field.length : 1);

const facts = (structs: readonly Layout<Fields>[]): Facts =>
	Object.fromEntries([
		...structs.flatMap((struct) => [
			[`sizeof ${struct.name}`, struct.size],
			...Object.entries(struct.fields).flatMap(([path, field]) => [
				[`${struct.name}.${path}`, field.offset],
				[`${struct.name}.${path} size`, fieldSize(field)],
			]),
		]),
		...Object.values(ioctls).map(({name, request}) => [name, request]),
		...constantTables.flatMap(([prefix, table]) =>
			Object.entries(table).map(([name, value]) => [`${prefix}${name}`, value]),
		),
	]);

const declared = facts(allStructs);

/** A C expression for a fact's name. */
function expression(fact: string): string {
	const [, struct = '', path = '', size] = /^(kvm_\w+)\.([\w.]+)( size)?$/.exec(fact) ?? [];
	if (fact.startsWith('sizeof')) return fact.replace('sizeof', 'sizeof(struct').concat(')');
	if (struct === '') return fact;
	return size === undefined ? `offsetof(struct ${struct}, ${path})` : `sizeof(((struct ${struct} *)0)->${path})`;
}

/** The facts as the C compiler sees them. */
function compile(names: readonly string[]): Facts {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-structs-'));
	try {
		const rows = names.map((name) => `\t{"${name}", (unsigned long long)(${expression(name)})},`).join('\n');
		const source = `#include <stdio.h>\n#include <stddef.h>\n#include <linux/kvm.h>
static const struct { const char *name; unsigned long long value; } rows[] = {\n${rows}\n};
int main(void) {
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		printf("%s\\"%s\\": %llu", i ? ",\\n" : "{\\n", rows[i].name, rows[i].value);
	puts("\\n}");
}\n`;
		writeFileSync(join(folder, 'facts.c'), source);
		execFileSync('gcc', ['-o', join(folder, 'facts'), join(folder, 'facts.c')], {stdio: ['ignore', 'ignore', 'pipe']});
		return JSON.parse(execFileSync(join(folder, 'facts'), {encoding: 'utf8'})) as Facts;
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

const canCompile = process.arch === 'x64' && existsSync('/usr/include/linux/kvm.h') && existsSync('/usr/bin/gcc');
/** Skipped, with the reason in the title, where there is no compiler or the headers are another architecture's. */
const compilerTest = canCompile ? test : test.skip;

test('every size, offset, ioctl number and constant is the committed one', (t) => {
	const golden = JSON.parse(readFileSync(new URL('structs.golden.json', import.meta.url), 'utf8')) as Facts;
	t.deepEqual(declared, golden);
});

compilerTest('every size, offset, ioctl number and constant is the C compiler’s (needs gcc and linux/kvm.h)', (t) => {
	t.deepEqual(declared, compile(Object.keys(declared)));
});

const Inner = layout('inner', 8, {low: u16(0), high: u16(4)});
const Outer = layout('outer', 64, {
	flag: u8(0),
	word: u32(4),
	wide: u64(8),
	text: u8(16, 3),
	pair: nested(24, Inner),
	list: nestedArray(32, Inner, 2),
	words: u64(48, 2),
});
const sample = {
	flag: 1,
	word: 0xfedcba98,
	wide: 0xffff_ffff_ffff_fff0n,
	text: Uint8Array.of(1, 2, 3),
	pair: {low: 1, high: 2},
	list: [
		{low: 3, high: 4},
		{low: 5, high: 6},
	],
	words: [7n, 8n],
};

test('a struct read back is the struct written', (t) => {
	const view = new DataView(new ArrayBuffer(80));
	Outer.write(view, 16, sample);
	t.deepEqual(Outer.read(view, 16), sample);
});

test('writing a struct clears what is not given and nothing outside', (t) => {
	const view = new DataView(new Uint8Array(80).fill(0xff).buffer);
	Outer.write(view, 8, {word: 5});
	t.deepEqual(Outer.read(view, 8).list, [
		{low: 0, high: 0},
		{low: 0, high: 0},
	]);
	t.is(view.getUint8(7), 0xff);
	t.is(view.getUint8(72), 0xff);
});
