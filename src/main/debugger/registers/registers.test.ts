import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import {readAllRegisters, readRegister, registerFile, targetXml, writeAllRegisters, writeRegister} from './index.ts';

const named = (name: string) => {
	const register = registerFile.find((candidate) => candidate.name === name);
	if (register === undefined) throw new Error(name);
	return register;
};
const bytes = (text: string) => Buffer.from(text, 'hex');

test('registers are little-endian, each as wide as it is', (t) => {
	const registers = sampleRegisters({general: {rax: 0x1122_3344_5566_7788n, rflags: 0x246n}});
	t.is(readRegister(named('rax'), registers), '8877665544332211');
	t.is(readRegister(named('eflags'), registers), '46020000');
	t.is(readRegister(named('xmm0'), registers).length, 32);
	t.true(readAllRegisters(registers).startsWith('8877665544332211'));
});

test('what is written is what is read, for every register', (t) => {
	const registers = sampleRegisters({});
	for (const register of registerFile) {
		// Narrow fields keep what fits.
		const value = register.name === 'ftag' ? 'ffff0000' : '01'.padEnd(register.bits / 4, '0');
		const changed = {...registers, ...writeRegister(register, registers, bytes(value))};
		t.is(readRegister(register, changed), value, register.name);
	}
});

test('bytes of the wrong number change nothing', (t) => {
	const registers = sampleRegisters({});
	t.is(writeRegister(named('rax'), registers, bytes('00')), undefined);
	t.is(writeAllRegisters(registers, bytes('00')), undefined);
});

test('of all registers only what differs is written', (t) => {
	const registers = sampleRegisters({general: {rbx: 5n}});
	const all = readAllRegisters(registers);
	t.deepEqual(writeAllRegisters(registers, bytes(all)), {});
	const changes = writeAllRegisters(registers, bytes(`ff${all.slice(2)}`));
	t.deepEqual(Object.keys(changes ?? {}), ['general']);
	t.like(changes, {general: {rax: 0xffn, rbx: 5n}});
});

test('x87 tags are made from contents: empty, valid, zero, special', (t) => {
	const fxsave = new Uint8Array(512);
	// TOP is 6: ST0 is physical register 6, ST1 is 7, ST2 is 0; all three present.
	fxsave.set([0x7f, 0x03, 0x00, 6 << 3, 0b1100_0001]);
	fxsave.set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f], 32);
	fxsave.set([0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f], 64);
	t.is(named('ftag').read(sampleRegisters({fxsave})), 0b01_00_11_11_11_11_11_10n);
});

const gdbTest = existsSync('/usr/bin/gdb') ? test : test.skip;

gdbTest('the real gdb takes the target description and has every register', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-tdesc-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'target.xml');
	writeFileSync(path, targetXml);
	const words = ['-nx', '-batch', '-ex', `set tdesc filename ${path}`, '-ex', 'maint print xml-tdesc'];
	const said = execFileSync('/usr/bin/gdb', words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});
	const names = [...said.matchAll(/<reg name="(\w+)"/g)].map(([, name]) => name);
	t.deepEqual(
		names,
		registerFile.map(({name}) => name),
	);
});
