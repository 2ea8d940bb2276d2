import test from 'ava';
import {TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {CommandHeader, CommandResponse} from './layout.ts';
import {virtioScsiPci} from './virtio-scsi.ts';

const [size, chains, turns] = [64, 16, 1000];
/** The compiler has seen enough long before. */
const maxRounds = 500;
const [NEXT, WRITE] = [1, 2];
/** The first queue of commands. */
const queue = 2;
const [headers, answers, data] = [0x6000, 0x7000, 0x9000];
const [headerBytes, answerBytes, sector] = [CommandHeader.size + 32, CommandResponse.size + 96, 512];
const [read10, write10] = [0x28, 0x2a];

/** Header, answer and data of a chain, every other of which is read: what the device writes comes last. */
function describe(driver: TestDriver, chain: number): void {
	const isRead = chain % 2 === 0;
	const header = {at: headers + 64 * chain, length: headerBytes, flags: 0};
	const answer = {at: answers + 128 * chain, length: answerBytes, flags: WRITE};
	const moved = {at: data + sector * chain, length: sector, flags: isRead ? WRITE : 0};
	for (const [index, {at, length, flags}] of (isRead ? [header, answer, moved] : [header, moved, answer]).entries()) {
		const isLast = index === 2;
		const number = 3 * chain + index;
		driver.describe(
			driver.place(queue).descriptors,
			number,
			at,
			length,
			flags | (isLast ? 0 : NEXT),
			isLast ? 0 : number + 1,
		);
	}
	const {memory} = driver.machine;
	const lun = Uint8Array.from([1, 0, 0x40, 0, 0, 0, 0, 0]);
	memory.fill(headers + 64 * chain, 64, 0);
	memory.copyIn(headers + 64 * chain, CommandHeader.encode({lun, id: BigInt(chain)}));
	const command = Uint8Array.from([isRead ? read10 : write10, 0, 0, 0, 0, chain, 0, 0, 1, 0]);
	memory.copyIn(headers + 64 * chain + CommandHeader.size, command);
}

test.serial('a command to a virtio-scsi disk leaves nothing in the heap, once it is compiled', async (t) => {
	t.timeout(900_000);
	const units = [{lun: 0, disk: {kind: 'memory', bytes: 0x1_0000}, readOnly: false}];
	const config = {units, queues: 1, workers: 1, packed: true, serial: 'test'};
	const machine = await VirtioMachine.opened(virtioScsiPci as never, 'pci', config);
	const driver = new TestDriver(machine, size);
	driver.begin([], queue + 1);
	for (let chain = 0; chain < chains; chain++) describe(driver, chain);
	const place = driver.place(queue);
	for (let index = 0; index < size; index++)
		machine.memory.writeU16(place.driver + 4 + 2 * index, 3 * (index % chains));
	let next = 0;
	const turn = (count: number) => {
		next += count;
		machine.memory.writeU16(place.driver + 2, next & 0xffff);
		machine.registers.notify(queue);
		machine.backs.poll();
	};
	// The first command of a unit has an answer of its own: it has been reset.
	turn(chains);
	const bytesOf = (count: number) => {
		const before = process.memoryUsage().heapUsed;
		for (let index = 0; index < turns; index++) turn(count);
		return (process.memoryUsage().heapUsed - before) / turns;
	};
	// A collection takes some, the compiler leaves some: in most rounds there is neither.
	const seen: number[] = [];
	const isEnough = () => seen.filter((bytes) => Math.abs(bytes) < 1).length === 3;
	while (seen.length < maxRounds && !isEnough()) {
		const few = bytesOf(1);
		seen.push((bytesOf(chains) - few) / (chains - 1));
	}
	t.true(isEnough(), `bytes a command: ${seen.slice(-10).join()}`);
	for (let chain = 0; chain < chains; chain++) machine.memory.fill(answers + 128 * chain, answerBytes, 0xee);
	turn(chains);
	for (let chain = 0; chain < chains; chain++) {
		const answer = new Uint8Array(CommandResponse.size);
		machine.memory.copyOut(answers + 128 * chain, answer);
		t.like(CommandResponse.read(answer), {response: 0, status: 0, residual: 0}, `command ${chain}`);
	}
	t.deepEqual(machine.failures, []);
	await machine.stop();
	await machine.dispose();
});
