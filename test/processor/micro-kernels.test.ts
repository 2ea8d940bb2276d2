import test from 'ava';
import {
	emitTrampoline,
	exitCode,
	exitPort,
	halt,
	microKernel,
	outLoop,
	portInLoop,
	portInLoopUser,
	realModeHello,
	rewriting,
	tripleFault,
	undefinedInstruction,
	userWork,
} from '#test/tmk';
import {startKernel} from './guest-processor.ts';

/** More instructions than a kernel has that ends. */
const enough = 10_000_000;
const ends = {port: exitPort, value: exitCode.ok};

test('kernels run to their end, in kernel mode and in user mode', (t) => {
	const loops = startKernel(portInLoop({count: 1000, port: 0x80}));
	t.is(loops.processor.run(enough), 'halted');
	t.deepEqual([loops.reads, loops.writes], [1000, [ends]]);
	const user = startKernel(portInLoopUser({count: 1000, port: 0x80}));
	user.processor.run(enough);
	t.deepEqual([user.reads, user.writes], [1000, [ends]]);
	const out = startKernel(outLoop({count: 200, port: 0x80}));
	t.is(out.processor.run(enough), 'halted');
	t.deepEqual(out.writes, [...Array.from({length: 200}, (_, index) => ({port: 0x80, value: 200 - index})), ends]);
	const work = startKernel(userWork({iterations: 10_000}));
	work.processor.run(enough);
	t.deepEqual(work.writes, [ends]);
});

test('an undefined instruction has its handler; without one the processor shuts down', (t) => {
	const {processor, writes} = startKernel(undefinedInstruction({count: 100}));
	t.is(processor.run(enough), 'halted');
	t.deepEqual(writes, [ends]);
	t.is(startKernel(tripleFault()).processor.run(enough), 'shutdown');
	t.is(startKernel(halt()).processor.run(enough), 'halted');
});

test('a budget ends a loop near its end, a request at once', (t) => {
	const kernel = microKernel('spin', ({label, jmp}) => {
		label('spin');
		jmp('spin');
	});
	const {processor} = startKernel(kernel);
	t.is(processor.run(100_000), 'polled');
	const {instructions} = processor.core.state;
	t.true(instructions >= 100_000n && instructions < 100_100n, `${instructions}`);
	processor.core.state.request = 1;
	t.is(processor.run(100_000), 'polled');
	t.true(processor.core.state.instructions - instructions < 100n);
});

test('code that writes the next instruction of its own block executes what it has written', (t) => {
	const {processor, writes} = startKernel(rewriting(50));
	t.is(processor.run(enough), 'halted');
	t.deepEqual(writes, [ends]);
});

test('code of real mode prints, and goes on in protected mode and in long mode', (t) => {
	const hello = startKernel(realModeHello());
	t.is(hello.processor.run(enough), 'halted');
	const text = hello.writes.filter(({port}) => port === 0x3f8).map(({value}) => String.fromCharCode(value));
	t.regex(text.join(''), /^\w+/);
	t.deepEqual(hello.writes.at(-1), ends);

	const kernel = microKernel('climb', (asm, {exit}) => {
		exit(exitCode.ok);
		emitTrampoline(asm);
	});
	const [from, to] = [kernel.addressOf('trampoline'), kernel.addressOf('trampoline-end')];
	const page = 0x8000;
	const climb = startKernel({...kernel, mode: 'real', entry: 0});
	climb.ram.copyWithin(page, from, to);
	climb.processor.segments.setReal(1, page >> 4);
	climb.processor.changed();
	t.is(climb.processor.run(enough), 'halted');
	t.deepEqual(climb.writes, [ends]);
});
