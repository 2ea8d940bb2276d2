/** A PIT for the tests of this folder, and what they say of it. */
import {DeviceUnderTest} from '#devices/testing';
import {timeOfClock} from '../clock.ts';
import {pit8254, pitFrequencyHz} from '../index.ts';

export const COMMAND = 0x43;
export const NMI = 0x61;
export const OUTPUT_2 = 0x20;
export const ms = 1e6;
/** Linux's divisor for 250 ticks per second. */
export const hz250 = Math.round(pitFrequencyHz / 250);

/** The clock of the timer's input at a moment of VM time. */
export const clockAt = (nowNs: number): number => Math.floor((nowNs * pitFrequencyHz) / 1e9);

export function make() {
	const pit = new DeviceUnderTest(pit8254, {irq: 0});
	let clock = 1000;
	const pass = (clocks: number) => {
		clock += clocks;
		pit.nowNs = timeOfClock(clock);
	};
	pass(0);
	/** Control word for both bytes of a counter in a mode. */
	const configure = (counter: number, mode: number, bcd = 0) => {
		pit.out(COMMAND, (counter << 6) | 0x30 | (mode << 1) | bcd);
	};
	const load = (counter: number, count: number) => {
		pit.out(0x40 + counter, count & 0xff);
		pit.out(0x40 + counter, count >> 8);
	};
	const word = (counter: number) => {
		const low = pit.in(0x40 + counter);
		return low | (pit.in(0x40 + counter) << 8);
	};
	const gate = (level: boolean) => pit.out(NMI, level ? 1 : 0);
	const output = () => (pit.in(NMI) & OUTPUT_2) !== 0;
	/** The output of counter 2 in this and the next clocks. */
	const wave = (clocks: number) => {
		let text = '';
		for (let i = 0; i < clocks; i++, pass(1)) text += output() ? 'H' : 'L';
		return text;
	};
	/** The count of counter 2 in this and the next clocks. */
	const counts = (clocks: number) => {
		const seen: number[] = [];
		for (let i = 0; i < clocks; i++, pass(1)) seen.push(word(2));
		return seen;
	};
	return {pit, pass, configure, load, word, gate, output, wave, counts};
}

/** A timer with a back, whose thread and VM time go on together in steps of `stepNs`. */
export function makeRunning() {
	const device = make();
	const {pit} = device;
	const back = pit.startBack();
	const run = (ns: number, stepNs = 10_000) => {
		const ticksBefore = pit.state.ticks;
		pit.reactor.turn(0);
		for (let passed = 0; passed < ns; passed += stepNs) {
			pit.nowNs += stepNs;
			pit.reactor.turn(stepNs);
		}
		return pit.state.ticks - ticksBefore;
	};
	const raised = () => pit.edges.filter((edge) => edge !== 'timer down').length;
	return {...device, back, run, raised};
}
