import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {type AnyField, Union, Wire} from '#support/wire';
import {constantTables} from './constants.ts';
import {ioctls} from './ioctls.ts';
import * as run from './structs-run.ts';
import * as vcpu from './structs-vcpu.ts';
import * as vm from './structs-vm.ts';

/** Every struct that is exchanged with the kernel and has a name in C. */
const allStructs = [vm, vcpu, run]
	.flatMap((structs) => Object.values<Wire>(structs))
	.filter(({name}) => name.startsWith('kvm_'));

/** Name to number: `sizeof kvm_regs`, `kvm_regs.rax`, `kvm_regs.rax size`, `KVM_RUN`. */
type Facts = Record<string, number>;

/** The union whose members C names as the struct's own, and a member that the reason of an exit does not choose. */
const anonymous = 'kvm_run.exit';
const untagged = ['kvm_run.emulation_failure', run.KvmEmulationFailure] as const;

type Place = readonly [path: string, offset: number, size: number];

/** The members of a struct; of structs without a name of their own, in unions or not, theirs. */
function places(path: string, {fields, field}: Wire, base = 0): Place[] {
	return Object.entries(field).flatMap(([name, {offset, size}]): Place[] => {
		const [member, type] = [`${path}.${name}`, fields[name] as AnyField];
		const start = base + offset;
		if (type instanceof Union) {
			const union = member === anonymous ? path : member;
			return Object.entries((type as Union).arms).flatMap(([arm, [, inner]]) =>
				places(`${union}.${arm}`, inner, start),
			);
		}
		if (type instanceof Wire && !type.name.startsWith('kvm_')) return places(member, type, start);
		return [[member, start, size]];
	});
}

const facts = (structs: readonly Wire[]): Facts =>
	Object.fromEntries([
		...structs.map(({name, size}) => [`sizeof ${name}`, size]),
		...[
			...structs.flatMap((struct) => places(struct.name, struct)),
			...places(...untagged, run.KvmRun.offset('exit')),
		].flatMap(([path, offset, size]) => [
			[path, offset],
			[`${path} size`, size],
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
