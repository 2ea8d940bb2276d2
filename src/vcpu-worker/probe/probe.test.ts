import test from 'ava';
import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {answerProbe, ProbeAsker, VcpuProbe} from './index.ts';

const cpu = (changes: Partial<CpuBackend> = {}): CpuBackend =>
	({
		readGeneral: () => ({rip: 0xffff_ffff_8000_0000n}),
		readSpecial: () => ({cr0: 1n, cs: {base: 0n, limit: 5}}),
		details: () => ({activity: 'halted', text: '0xzz'}),
		...changes,
	}) as CpuBackend;

const report = {
	registers: {rip: 0xffff_ffff_8000_0000n, cr0: 1n, cs: {base: 0n, limit: 5}},
	activity: 'halted',
	text: '0xzz',
};

const forever = new Promise<never>(() => {});
const ended = Promise.resolve();

const probe = () => VcpuProbe.on(new SharedArrayBuffer(VcpuProbe.byteLength));

test('a running processor answers when it is kicked, everybody who asked meanwhile and again later', async (t) => {
	const shared = probe();
	let kicks = 0;
	const asker = new ProbeAsker(shared, () => void kicks++);
	const first = Promise.all([asker.ask(forever), asker.ask(forever)]);
	t.is(kicks, 1);
	answerProbe(shared, cpu());
	t.deepEqual(await first, [report, report]);
	const second = asker.ask(forever);
	answerProbe(shared, cpu({details: () => ({activity: 'runnable'})}));
	t.like(await second, {activity: 'runnable'});
});

test('an answer that is there before the asker waits is taken', async (t) => {
	const shared = probe();
	const asker = new ProbeAsker(shared, () => answerProbe(shared, cpu()));
	t.deepEqual(await asker.ask(ended), report);
});

for (const [how, run] of [
	['ends', () => ended],
	['fails', () => Promise.reject(new Error('dead'))],
] as const) {
	test(`the request is withdrawn when the run ${how}, and a later one is answered`, async (t) => {
		const shared = probe();
		const asker = new ProbeAsker(shared, () => {});
		t.is(await asker.ask(run()), undefined);
		answerProbe(shared, cpu({readGeneral: () => t.fail() as never}));
		t.is(shared.length, 0);
		const later = asker.ask(forever);
		answerProbe(shared, cpu());
		t.deepEqual(await later, report);
	});
}

test('what cannot be read is an answer that says so', async (t) => {
	const shared = probe();
	const details = () => {
		throw new Error('KVM_GET_MSRS failed');
	};
	const asker = new ProbeAsker(shared, () => answerProbe(shared, cpu({details})));
	t.deepEqual(await asker.ask(forever), {error: 'Error: KVM_GET_MSRS failed'});
});
