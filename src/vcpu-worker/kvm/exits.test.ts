import test from 'ava';
import {Exit} from './constants.ts';
import {ExitReader} from './exits.ts';
import {KvmRun} from './structs-run.ts';

type RunFields = Parameters<typeof KvmRun.write>[2];

/** A mapped page as the kernel would leave it. */
function exitOf(fields: RunFields): {reader: ExitReader; bytes: Uint8Array} {
	const bytes = new Uint8Array(new SharedArrayBuffer(3 * 4096));
	KvmRun.write(new DataView(bytes.buffer), 0, fields);
	return {reader: new ExitReader(bytes), bytes};
}

test('a port exit reads and answers items of every width', (t) => {
	const common = {exit_reason: Exit.IO, 'io.port': 0x3f8, 'io.count': 2, 'io.data_offset': 4096n};
	for (const [size, value] of [
		[1, 0xfe],
		[2, 0xfedc],
		[4, 0xfedcba98],
	] as const) {
		const {reader, bytes} = exitOf({...common, 'io.size': size, 'io.direction': 1});
		reader.io.write(1, value);
		t.is(reader.io.read(1), value);
		t.is(reader.io.read(0), 0);
		t.is(bytes[4096 + size - 1], 0);
		t.deepEqual([reader.io.isWrite, reader.io.port, reader.io.count, reader.io.size], [true, 0x3f8, 2, size]);
	}
});

test('a memory exit’s address is exact up to 52 bits', (t) => {
	const {reader} = exitOf({'mmio.phys_addr': 0xf_ffff_ffff_fff8n, 'mmio.len': 8, 'mmio.is_write': 1});
	t.is(reader.mmio.address, 0xf_ffff_ffff_fff8);
	t.deepEqual([reader.mmio.length, reader.mmio.isWrite], [8, true]);
	reader.mmio.write(4, 4, 0x89abcdef);
	t.deepEqual([reader.mmio.read(0, 4), reader.mmio.read(4, 4), reader.mmio.read(6, 2)], [0, 0x89abcdef, 0x89ab]);
});

test('an MSR exit is answered, accepted and refused', (t) => {
	const {reader, bytes} = exitOf({'msr.index': 0x4b564d00, 'msr.data': 0x1122334455667788n, 'msr.reason': 2});
	t.deepEqual([reader.msr.index, reader.msr.low, reader.msr.high], [0x4b564d00, 0x55667788, 0x11223344]);
	reader.msr.refuse();
	t.is(bytes[KvmRun.offset('msr.error')], 1);
	reader.msr.answer(0xffffffff, 7);
	t.is(bytes[KvmRun.offset('msr.error')], 0);
	t.is(KvmRun.read(new DataView(bytes.buffer))['msr.data'], 0x7_ffff_ffffn);
	reader.msr.refuse();
	reader.msr.accept();
	t.is(bytes[KvmRun.offset('msr.error')], 0);
});

test('an emulation failure carries the instruction', (t) => {
	const {reader, bytes} = exitOf({exit_reason: Exit.INTERNAL_ERROR, 'internal.suberror': 1, 'internal.ndata': 3});
	bytes[KvmRun.offset('emulation_failure.flags')] = 1;
	bytes.set([2, 0x0f, 0xc7, 0x99], KvmRun.offset('emulation_failure.insn_size'));
	t.deepEqual(reader.internalError().instruction, Uint8Array.of(0x0f, 0xc7));
	t.is(reader.internalError().data.length, 3);
	t.is(reader.describe(), 'INTERNAL_ERROR suberror 1, instruction 0fc7');
});

test('counts beyond the page’s own limits are cut', (t) => {
	const {reader} = exitOf({'internal.suberror': 3, 'internal.ndata': 0xffffffff});
	t.is(reader.internalError().data.length, 16);
	t.is(reader.internalError().instruction, undefined);
	t.is(reader.systemEvent().data.length, 16);
});

test('every kind of exit has one line to say', (t) => {
	const line = (fields: RunFields) => exitOf(fields).reader.describe();
	t.is(line({exit_reason: Exit.IO, 'io.port': 0x80}), 'IO in port 0x80');
	t.is(line({exit_reason: Exit.MMIO, 'mmio.phys_addr': 0xfee00000n, 'mmio.is_write': 1}), 'MMIO write 0xfee00000');
	t.is(
		line({exit_reason: Exit.FAIL_ENTRY, 'fail_entry.hardware_entry_failure_reason': 0x80000021n}),
		'FAIL_ENTRY reason 0x80000021',
	);
	t.is(line({exit_reason: Exit.UNKNOWN, 'hw.hardware_exit_reason': 0x7fn}), 'UNKNOWN 0x7f');
	t.is(line({exit_reason: Exit.SHUTDOWN}), 'SHUTDOWN');
	t.is(line({exit_reason: 999}), 'exit 999');
});

test('the interrupt window is requested and reported', (t) => {
	const {reader, bytes} = exitOf({ready_for_interrupt_injection: 1, if_flag: 1, cr8: 5n});
	t.deepEqual([reader.readyForInterrupt, reader.interruptsEnabled, reader.cr8], [true, true, 5]);
	reader.requestInterruptWindow(true);
	t.is(bytes[0], 1);
	reader.requestInterruptWindow(false);
	t.is(bytes[0], 0);
});
