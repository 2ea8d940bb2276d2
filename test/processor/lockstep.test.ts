import test from 'ava';
import {dword, eax, ecx, edi, rdi} from '#flowey/x86-assembler';
import {Random} from '#test/silicon';
import {
	exitCode,
	exitPort,
	type MicroKernel,
	microKernel,
	outLoop,
	portInLoop,
	portInLoopUser,
	realModeHello,
	rewriting,
	undefinedInstruction,
	userWork,
} from '#test/tmk';
import type {CodeDifference} from '#vcpu-worker/hypervisor';
import {Lockstep, type LockstepOptions} from '#vcpu-worker/software/lockstep';
import {
	type Answer,
	storeLimits,
	type TranslationRequest,
	type TranslationSource,
	TranslationStore,
} from '#vcpu-worker/software/translation-store';
import {makeTranslations} from '#vcpu-worker/software/translator';
import {flowMemory, randomFlow} from './fuzz/random-flow.ts';
import {type GuestOptions, type GuestProcessor, startKernel} from './guest-processor.ts';
import {left, prepareFlow, run, runOn} from './kernel-runs.ts';

const ends = {port: exitPort, value: exitCode.ok};
/** Within what kernels map, and no RAM. */
const deviceAddress = 0x1000_0000;

const kernels: Readonly<Record<string, MicroKernel>> = {
	portInLoop: portInLoop({count: 100, port: 0x80}),
	portInLoopUser: portInLoopUser({count: 100, port: 0x80}),
	outLoop: outLoop({count: 100, port: 0x80}),
	userWork: userWork({iterations: 1000}),
	undefinedInstruction: undefinedInstruction({count: 100}),
	realModeHello: realModeHello(),
	rewriting: rewriting(50),
};

/** Runs a kernel whose code is translated at once, and compared. */
function runInLockstep(
	kernel: MicroKernel,
	prepare: (guest: GuestProcessor) => void = () => {},
	options: GuestOptions = {},
	compared: LockstepOptions = {},
) {
	const guest = startKernel(kernel, options);
	const {processor} = guest;
	const found: CodeDifference[] = [];
	const random = new Random(5);
	const numbers = () => random.below(2 ** 30) / 2 ** 30;
	const lockstep = new Lockstep(processor, {random: numbers, found: (each) => found.push(each), ...compared});
	processor.lockstep = lockstep;
	processor.heat = 1;
	prepare(guest);
	runOn(guest);
	return {lockstep, guest, found};
}

for (const [name, kernel] of Object.entries(kernels))
	test(`translations of ${name} do what the interpreter does, and it ends as without them`, (t) => {
		const {lockstep, guest, found} = runInLockstep(kernel);
		t.deepEqual(guest.writes.at(-1), ends);
		t.deepEqual(found, []);
		t.true(lockstep.counters.rounds > 0);
		t.is(lockstep.counters.uncompared, 0);
		t.deepEqual(left(guest), left(run(kernel, undefined).guest));
	});

test('random control flow is compared at whatever budget, and ends as without that', (t) => {
	const random = new Random(1);
	let [translations, instructions] = [0, 0];
	for (let sequence = 0; sequence < 12; sequence++) {
		const prepare = prepareFlow(random, sequence);
		random.restart(1, sequence);
		const kernel = randomFlow(random);
		const expected = run(kernel, undefined, prepare);
		const {lockstep, guest, found} = runInLockstep(kernel, prepare);
		t.deepEqual(found, [], `sequence ${sequence}`);
		t.deepEqual(left(guest), left(expected.guest), `sequence ${sequence}`);
		translations += lockstep.counters.translations;
		instructions += lockstep.counters.instructions;
	}
	t.true(translations > 20 && instructions > 10_000, `${translations} ${instructions}`);
});

const deviceKernel = microKernel('device', ({mov, add, label, dec, jnz}, {exit}) => {
	mov(ecx, 20);
	mov(edi, deviceAddress);
	label('again');
	mov(eax, dword(rdi, 4));
	add(eax, 1);
	mov(dword(rdi, 8), eax);
	dec(ecx);
	jnz('again');
	exit(exitCode.ok);
});

test('devices see each access of what is compared once', (t) => {
	const seen: string[] = [];
	let value = 7;
	const prepare = ({processor}: GuestProcessor) => {
		processor.mmu.devices = {
			read: (gpa, bytes) => {
				seen.push(`read ${gpa - deviceAddress} ${bytes}`);
				return value++;
			},
			write: (gpa, bytes, written) => void seen.push(`write ${gpa - deviceAddress} ${bytes} ${written}`),
		};
	};
	const {lockstep, found} = runInLockstep(deviceKernel, prepare, {}, {rounds: Number.POSITIVE_INFINITY});
	t.deepEqual(found, []);
	t.true(lockstep.counters.rounds > 5);
	t.deepEqual(seen, Array.from({length: 20}, (_, index) => ['read 4 4', `write 8 4 ${8 + index}`]).flat());
});

test('what a device writes while code runs twice is no difference, and is not lost', (t) => {
	const kernel = microKernel('storing', ({bytes, mov, label, dec, jnz}, {exit}) => {
		mov(ecx, 300);
		label('again');
		// MOV [RBP],RCX.
		bytes(0x48, 0x89, 0x4d, 0);
		dec(ecx);
		jnz('again');
		exit(exitCode.ok);
	});
	const {data} = flowMemory;
	const written: number[] = [];
	const prepare = ({processor, ram}: GuestProcessor) => {
		const {core, mmu} = processor;
		core.state.general[5] = BigInt(data);
		const run = core.run.bind(core);
		let [round, calls] = [-1, 0];
		// Once in each comparison: in the first or in the second of its runs.
		core.run = (record) => {
			const stop = run(record);
			const {rounds} = core.state.lockstep;
			if (rounds !== round) [round, calls] = [rounds, 0];
			if (mmu.memory.journal === undefined || calls++ !== rounds % 3 || written.length === 100) return stop;
			ram[data + 0x100 + written.length] = written.length + 1;
			written.push(written.length + 1);
			return stop;
		};
	};
	const {lockstep, guest, found} = runInLockstep(kernel, prepare, {}, {rounds: Number.POSITIVE_INFINITY});
	t.deepEqual(found, []);
	t.true(lockstep.counters.repeated > 0);
	t.deepEqual([...guest.ram.subarray(data + 0x100, data + 0x100 + written.length)], written);
});

/** A source whose translations are of other bytes than those that they say they are of. */
function wrongTranslations(change: (page: Uint8Array) => void): TranslationSource {
	const answers: Answer[] = [];
	const make = (requests: readonly TranslationRequest[]) => {
		const changed = requests.map((request) => {
			const [first, ...others] = request.pages;
			const bytes = first.bytes.slice();
			change(bytes);
			return {...request, pages: [{...first, bytes}, ...others] as const};
		});
		const right = makeTranslations(requests);
		const wrong = makeTranslations(changed);
		return {...right, module: wrong.module, bytes: wrong.bytes};
	};
	const ask = new TranslationStore(make, storeLimits).enter().join((answer) => answers.push(answer));
	return {
		mayHave: () => false,
		hasTime: () => false,
		ask(request) {
			ask(request);
			return answers.splice(0);
		},
		take: () => undefined,
	};
}

/** ADD EAX,EDX is the only 01 D0 of these kernels; the translation subtracts. */
const subtracting = (page: Uint8Array) => {
	for (let at = 0; at + 1 < page.length; at++) if (page[at] === 0x01 && page[at + 1] === 0xd0) page[at] = 0x29;
};

const loopKernel = microKernel('loop', ({bytes, mov, label, dec, jnz}, {exit}) => {
	mov(ecx, 100);
	label('again');
	bytes(0x01, 0xd0);
	dec(ecx);
	jnz('again');
	exit(exitCode.ok);
});

/** The addition is in another page, and so in another translation than its caller's. */
const linkKernel = microKernel('link', ({bytes, mov, label, align, call, ret, dec, jnz}, {exit}) => {
	mov(ecx, 100);
	label('again');
	call('far');
	dec(ecx);
	jnz('again');
	exit(exitCode.ok);
	align(4096);
	label('far');
	bytes(0x01, 0xd0);
	ret();
});

const withStack = ({processor}: GuestProcessor) => {
	const {general} = processor.core.state;
	Object.assign(general, {0: 5n, 2: 3n, 4: BigInt(flowMemory.stack)});
};

const wrong = {
	'in a loop': {
		kernel: loopKernel,
		code: /^01d0.*add\.32.*translation at [0-9a-f]+ of blocks at [0-9a-f]+: RAX [0-9a-f]+ instead/,
	},
	'behind a link': {
		kernel: linkKernel,
		code: /^e8.*call\.64.*translation at [0-9a-f]+000 of blocks at 0,? .*RAX [0-9a-f]+ instead/,
	},
} as const;

for (const [where, {kernel, code}] of Object.entries(wrong))
	test(`a wrong translation ${where} is told, with the fewest instructions, and the guest has the interpreter's results`, (t) => {
		const options = {translations: wrongTranslations(subtracting)};
		const {lockstep, guest, found} = runInLockstep(kernel, withStack, options, {rounds: Number.POSITIVE_INFINITY});
		const expected = run(kernel, undefined, withStack).guest;
		t.true(lockstep.counters.differences > 0);
		const told = found.find(({text}) => code.test(text));
		t.true(
			told !== undefined && told.executed <= 6,
			JSON.stringify(found.slice(0, 9), (_, value) => `${value}`),
		);
		t.is(guest.processor.core.state.general[0], expected.processor.core.state.general[0]);
		t.deepEqual(guest.writes.at(-1), ends);
	});
