import test from 'ava';
import {Command} from './layout.ts';
import {dataPage, NvmeDriver, NvmeMachine} from './testing/index.ts';

const size = 16;
const turns = 2000;
/** The compiler has seen enough long before. */
const maxRounds = 500;

test('a command that is read or written leaves nothing in the heap, once it is compiled', async (t) => {
	t.timeout(900_000);
	const machine = await NvmeMachine.make();
	machine.useMessages();
	const driver = new NvmeDriver(machine);
	driver.enable();
	await driver.create(1, {size, interrupts: false});
	const {submissions} = driver.pair(1);
	for (let id = 0; id < size; id++) {
		const command = Command.encode({opcode: 1 + (id & 1), id, nsid: 1, prp1: dataPage, dword12: 1});
		machine.memory.copyIn(submissions + Command.size * id, command);
	}
	let tail = 0;
	const turn = (commands: number) => {
		tail = (tail + commands) % size;
		driver.ring(1, tail);
		machine.backs.poll();
		driver.release(1, tail);
	};
	const bytesOf = (commands: number) => {
		const before = process.memoryUsage().heapUsed;
		for (let index = 0; index < turns; index++) turn(commands);
		return (process.memoryUsage().heapUsed - before) / turns;
	};
	// A collection takes some, the compiler leaves some: in most rounds there is neither.
	const seen: number[] = [];
	const isNothing = (bytes: number) => Math.abs(bytes) < 1;
	while (seen.length < maxRounds && seen.filter(isNothing).length < 3) {
		const few = bytesOf(1);
		seen.push((bytesOf(size - 1) - few) / (size - 2));
	}
	t.is(seen.filter(isNothing).length, 3, `bytes a command: ${seen.slice(-10).join()}`);
	t.deepEqual(machine.failures, []);
});
