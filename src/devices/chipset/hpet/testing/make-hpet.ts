import {DeviceUnderTest} from '#devices/testing';
import {hpet} from '../device.ts';

/** Address of the device under test. */
export const base = 0xfed0_0000;
/** Nanoseconds. */
export const us = 1e3;
export const ms = 1e6;

/** Registers of a timer, as offsets. */
export const conf = (timer: number): number => 0x100 + 0x20 * timer;
export const cmp = (timer: number): number => conf(timer) + 8;
export const fsb = (timer: number): number => conf(timer) + 0x10;

/** Bits of a timer's configuration. */
export const LEVEL = 2;
export const ENABLED = 4;
export const PERIODIC = 8;
export const SET = 0x40;
export const MODE_32 = 0x100;
export const FSB = 0x4000;
export const route = (input: number): number => input << 9;

/** A timer as a guest reaches it. */
export function make() {
	const device = new DeviceUnderTest(hpet, {base});
	const read = (offset: number) => device.in(base + offset, 4);
	const write = (offset: number, value: number) => device.out(base + offset, value, 4);
	/** As the bus splits 8 bytes. */
	const read64 = (offset: number) => BigInt(read(offset)) | (BigInt(read(offset + 4)) << 32n);
	const write64 = (offset: number, value: bigint) => {
		write(offset, Number(value & 0xffff_ffffn));
		write(offset + 4, Number(value >> 32n));
	};
	const counter = () => read64(0xf0);
	/** General configuration: 1 enables, 2 is legacy replacement. */
	const general = (value: number) => write(0x10, value);
	const status = () => read(0x20);
	device.nowNs = 5 * ms;
	return {device, read, write, read64, write64, counter, general, status};
}

/** A timer with a back, whose thread and VM time go on together in steps of `stepNs`. */
export function makeRunning() {
	const parts = make();
	const {device} = parts;
	const back = device.startBack();
	const turn = (ns: number) => {
		device.nowNs += ns;
		device.reactor.turn(ns);
	};
	const run = (ns: number, stepNs = 10 * us) => {
		device.reactor.turn(0);
		for (let passed = 0; passed < ns; passed += stepNs) turn(stepNs);
	};
	/** Changes of the interrupt lines' levels since the last call; not of the one that tells a PIT that it is replaced. */
	const edges = () => device.edges.splice(0).filter((edge) => !edge.startsWith('pit-replaced'));
	/** Rises of a line since the last call. */
	const rises = (line: string) => edges().filter((edge) => edge === `${line} up` || edge === `${line} again`).length;
	return {...parts, back, run, turn, edges, rises};
}
