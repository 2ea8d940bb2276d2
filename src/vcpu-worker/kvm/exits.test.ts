import test from 'ava';
import type {InputOf} from '#support/wire';
import {Exit} from './constants.ts';
import {ExitReader} from './exits.ts';
import {KvmEmulationFailure, KvmRun} from './structs-run.ts';

type RunFields = InputOf<typeof KvmRun>;

/** A mapped page as the kernel would leave it. */
function exitOf(fields: RunFields): {reader: ExitReader; bytes: Uint8Array} {
	const bytes = new Uint8Array(new SharedArrayBuffer(3 * 4096));
	KvmRun.write(new DataView(bytes.buffer), 0, fields);
	return {reader: new ExitReader(bytes), bytes};
}

test('a port exit reads and answers items of every width', (t) => {
	const common = {port: 0x3f8, count: 2, data_offset: 4096n};
	for (const [size, value] of [
		[1, 0xfe],
		[2, 0xfedc],
		[4, 0xfedcba98],
	] as const) {
		const {reader, bytes} = exitOf({exit: {kind: 'io', value: {...common, size, direction: 1}}});
		reader.io.write(1, value);
		t.is(reader.io.read(1), value);
		t.is(reader.io.read(0), 0);
		t.is(bytes[4096 + size - 1], 0);
		t.deepEqual([reader.io.isWrite, reader.io.port, reader.io.count, reader.io.size], [true, 0x3f8, 2, size]);
	}
});

test('a memory exit’s address is exact up to 52 bits', (t) => {
	const {reader} = exitOf({exit: {kind: 'mmio', value: {phys_addr: 0xf_ffff_ffff_fff8n, len: 8, is_write: 1}}});
	t.is(reader.mmio.address, 0xf_ffff_ffff_fff8);
	t.deepEqual([reader.mmio.length, reader.mmio.isWrite], [8, true]);
	reader.mmio.write(4, 4, 0x89abcdef);
	t.deepEqual([reader.mmio.read(0, 4), reader.mmio.read(4, 4), reader.mmio.read(6, 2)], [0, 0x89abcdef, 0x89ab]);
});

test('an MSR exit is answered, accepted and refused', (t) => {
	const {reader, bytes} = exitOf({
		exit: {kind: 'msr', value: {index: 0x4b564d00, data: 0x1122334455667788n, reason: 2}},
	});
	const left = () => {
		const {exit} = KvmRun.read(bytes);
		return exit.kind === 'msr' ? [exit.value.error, exit.value.data] : [];
	};
	t.deepEqual([reader.msr.index, reader.msr.low, reader.msr.high], [0x4b564d00, 0x55667788, 0x11223344]);
	reader.msr.refuse();
	t.deepEqual(left(), [1, 0x1122334455667788n]);
	reader.msr.answer(0xffffffff, 7);
	t.deepEqual(left(), [0, 0x7_ffff_ffffn]);
	reader.msr.refuse();
	reader.msr.accept();
	t.deepEqual(left(), [0, 0x7_ffff_ffffn]);
});

test('an emulation failure carries the instruction', (t) => {
	const {reader, bytes} = exitOf({exit_reason: Exit.INTERNAL_ERROR});
	const failure = {suberror: 1, ndata: 3, flags: 1, insn_size: 2, insn_bytes: [0x0f, 0xc7, 0x99]};
	KvmEmulationFailure.write(bytes, KvmRun.offset('exit'), failure);
	t.deepEqual(reader.internalError().instruction, Uint8Array.of(0x0f, 0xc7));
	t.is(reader.internalError().data.length, 3);
	t.is(reader.describe(), 'INTERNAL_ERROR suberror 1, instruction 0fc7');
});

test('counts beyond the page’s own limits are cut', (t) => {
	const {reader} = exitOf({exit: {kind: 'internal', value: {suberror: 3, ndata: 0xffffffff}}});
	t.is(reader.internalError().data.length, 16);
	t.is(reader.internalError().instruction, undefined);
	t.is(reader.systemEvent().data.length, 16);
});

test('every kind of exit has one line to say', (t) => {
	const line = (fields: RunFields) => exitOf(fields).reader.describe();
	t.is(line({exit: {kind: 'io', value: {port: 0x80}}}), 'IO in port 0x80');
	t.is(line({exit: {kind: 'mmio', value: {phys_addr: 0xfee00000n, is_write: 1}}}), 'MMIO write 0xfee00000');
	t.is(
		line({exit: {kind: 'fail_entry', value: {hardware_entry_failure_reason: 0x80000021n}}}),
		'FAIL_ENTRY reason 0x80000021',
	);
	t.is(line({exit: {kind: 'hw', value: {hardware_exit_reason: 0x7fn}}}), 'UNKNOWN 0x7f');
	t.is(line({exit_reason: Exit.SHUTDOWN}), 'SHUTDOWN');
	t.is(line({exit_reason: 999}), 'exit 999');
});

test('the interrupt window is requested and reported', (t) => {
	const {reader, bytes} = exitOf({ready_for_interrupt_injection: 1});
	t.true(reader.readyForInterrupt);
	reader.requestInterruptWindow(true);
	t.is(bytes[0], 1);
	reader.requestInterruptWindow(false);
	t.is(bytes[0], 0);
});
