import {dma8237Kind} from '#devices/chipset/dma-8237';
import {
	block,
	compute,
	endInterrupt,
	expect,
	type GuestProgram,
	guestProgram,
	input,
	lineVector,
	openInterruptLine,
	outputs,
	type Statement,
	sleepWhile,
	spuriousVector,
	word,
} from '#test/guest-program';
import {everyBackEnd, irqchipsHere, vmTest} from '#test/petri';

const everywhere = {on: everyBackEnd};
const content = {kind: 'exit', status: 1} as const;
const interrupts = 300;

/** Counts interrupts while the processor sleeps, and ends after {@link interrupts} of them. */
function countInterrupts(irq: number, start: Statement, acknowledge: Statement): GuestProgram {
	const count = word('count');
	return guestProgram({
		name: 'count',
		main: [openInterruptLine(irq), start, sleepWhile([count, '<', interrupts])],
		handlers: {
			[lineVector(irq)]: [acknowledge, endInterrupt, compute(count, 'add', 1)],
			// A PIT takes back its request for a moment at each tick.
			[spuriousVector]: [],
		},
	});
}

const pitHz = 1_193_182;
const pitCount = 298;

const pitTitle = 'a PIT at 4 kHz interrupts as often as its guest waits for, and never ahead of time';
vmTest(pitTitle, everywhere, async (t, machine) => {
	const program = countInterrupts(0, outputs([0x43, 0x34], [0x40, pitCount & 0xff], [0x40, pitCount >> 8]), block([]));
	const guest = await machine({irqchip: 'split', program});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, content);
	// The first edge is that of the control word, which lets the output be high.
	t.true(((await guest.inspect('vm/time')) as number) >= ((interrupts - 1) * pitCount * 1e9) / pitHz);
	t.true(((await guest.inspect('vm/devices/pit/state/ticks')) as number) >= interrupts - 1);
});

const rtcHz = 8192;
for (const irqchip of irqchipsHere) {
	const title = `an RTC at 8192 Hz interrupts as often as its guest waits for, irqchip ${irqchip}`;
	vmTest(title, everywhere, async (t, machine) => {
		const start = outputs([0x70, 0x0a], [0x71, 0x23], [0x70, 0x0b], [0x71, 0x42], [0x70, 0x0c]);
		const guest = await machine({irqchip, program: countInterrupts(8, start, input(word('cause'), 0x71, 1))});
		await guest.vm.start();
		t.deepEqual(await guest.vm.ended, content);
		t.true(((await guest.inspect('vm/time')) as number) >= ((interrupts - 1) * 1e9) / rtcHz);
	});
}

vmTest('a guest sets up a DMA channel and reads it back', everywhere, async (t, machine) => {
	const value = word('value');
	const reads = (port: number, wanted: number) => block([input(value, port, 1), expect(value, '==', wanted)]);
	const program = guestProgram({
		name: 'dma',
		main: [
			outputs([0x0c, 0], [0x0b, 0x46], [0x04, 0x34], [0x04, 0x12], [0x05, 0xff], [0x05, 0x01], [0x81, 0x07], [0x0a, 2]),
			block([reads(0x04, 0x34), reads(0x04, 0x12), reads(0x05, 0xff), reads(0x05, 0x01)]),
			block([reads(0x81, 0x07), reads(0x0f, 0xfb)]),
		],
	});
	const guest = await machine({program, devices: [{name: 'dma', kind: dma8237Kind}]});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, content);
	t.regex(String(await guest.inspect('vm/devices/dma/state/address')), /^0+ 0+ 0*1234 0+/);
});
