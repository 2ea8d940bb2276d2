import test from 'ava';
import {ExitSampler, VcpuLatencies} from './index.ts';

function sampler(every: number) {
	const latencies = VcpuLatencies.on(new SharedArrayBuffer(VcpuLatencies.byteLength));
	latencies.sampleEvery = every;
	return {latencies, sampler: new ExitSampler(latencies)};
}

/** Lists which of so many exits are due; those are recorded as having taken no time. */
const dueOf = (watch: ExitSampler, exits: number) =>
	Array.from({length: exits}, () => {
		const due = watch.due();
		if (due) watch.record('port', 0, 0, 0);
		return due ? 1 : 0;
	}).join('');

test('one exit of so many is timed, none when it is off, and a change counts after a refresh', (t) => {
	const {latencies, sampler: watch} = sampler(3);
	t.is(dueOf(watch, 7), '0010010');
	latencies.sampleEvery = 0;
	watch.refresh();
	t.is(dueOf(watch, 7), '0000000');
	latencies.sampleEvery = 1;
	watch.refresh();
	t.is(dueOf(watch, 3), '111');
});

test('times are counted by kind of exit and power of two, whatever they are', (t) => {
	const {latencies, sampler: watch} = sampler(1);
	// In milliseconds: 2000 ns in the guest, 1024 ns served.
	watch.record('mmio', 1, 1.002, 1.003025);
	watch.record('msr', 0, 0, 0.0005);
	watch.record('eoi', 0, 1e9, 1e9);
	watch.record('interrupted', 5, 4, 3);
	t.is(latencies.mmio[10], 1);
	t.is(latencies.msr[8], 1);
	t.deepEqual([latencies.other[0], latencies.guest[10], latencies.guest[31]], [2, 1, 1]);
});
