// For tests: a pair of PICs, and a guest's ways to talk to it.
import {DeviceUnderTest} from '#devices/testing';
import {PicPair, pic8259} from '../index.ts';

export const [master, masterData, slave, slaveData] = [0x20, 0x21, 0xa0, 0xa1];
export const eoi = 0x20;
export const [readIrr, readIsr, poll] = [0x0a, 0x0b, 0x0c];

interface Options {
	readonly icw1?: number;
	readonly masterIcw4?: number;
	readonly slaveIcw4?: number;
}

/** A pair with all inputs unmasked, initialized as Linux does unless told otherwise. */
export function makePic(options?: Options) {
	const device = powerOn();
	device.initialize(options);
	return device;
}

/** A pair after power-on. */
export function powerOn() {
	const dut = new DeviceUnderTest(pic8259, {intrInput: 24});
	// As another thread has it: everything is in the state.
	const pair = new PicPair(dut.state, dut.line('intr'));
	return {
		dut,
		pair,
		intr: () => dut.levels.get('intr') ?? false,
		raise: (...irqs: number[]) => {
			for (const irq of irqs) pair.setInput(irq, true);
		},
		lower: (...irqs: number[]) => {
			for (const irq of irqs) pair.setInput(irq, false);
		},
		pulse: (irq: number) => {
			pair.setInput(irq, false);
			pair.setInput(irq, true);
		},
		/** The vector of an INTA cycle if INTR asks for one. */
		take: () => (dut.levels.get('intr') ? pair.acknowledge() : undefined),
		irr: () => ask(dut, readIrr),
		isr: () => ask(dut, readIsr),
		initialize: ({icw1 = 0x11, masterIcw4 = 1, slaveIcw4 = 1}: Options = {}) => {
			for (const [port, ...words] of [
				[master, icw1, 0x30, 0x04, masterIcw4],
				[slave, icw1, 0x38, 0x02, slaveIcw4],
			] as const) {
				dut.out(port, words[0]);
				for (const word of words.slice(1)) dut.out(port + 1, word);
			}
		},
	};
}

/** Master and slave register that OCW3 selects. */
export function ask(dut: ReturnType<typeof powerOn>['dut'], ocw3: number): [master: number, slave: number] {
	dut.out(master, ocw3);
	dut.out(slave, ocw3);
	return [dut.in(master), dut.in(slave)];
}
