import {readFields, type StateVersions} from '#support/saved-state';
import {bytes, u8, type ViewOf, wire} from '#support/wire';

/** One chip. All zero is the state after power-on. */
const Chip = wire('pic-8259-chip', {
	/** Levels of the inputs. The master's {@link cascadeInput} is the slave's INT output. */
	pins: u8,
	/** Interrupt requests. */
	irr: u8,
	/** Interrupts in service. */
	isr: u8,
	/** Interrupt mask. */
	imr: u8,
	/** Inputs that are level-triggered. */
	elcr: u8,
	/** A value of `Phase`. */
	phase: u8,
	icw1: u8,
	/** ICW2, the vector base. */
	icw2: u8,
	icw4: u8,
	/** Input of lowest priority; the one after it has the highest. */
	lowest: u8,
	/** 1: rotate on automatic EOI. */
	rotate: u8,
	/** 1: special mask mode. */
	specialMask: u8,
	/** 1: the command port reads ISR, else IRR. */
	readIsr: u8,
	/** 1: the next read answers a poll command. */
	poll: u8,
});

/** The registers of one chip. */
export type ChipRegisters = ViewOf<typeof Chip>;

/** The shared state of both chips. */
export const Pic8259State = wire('pic-8259', {master: Chip, slave: Chip});

const pair = bytes(2);
/** Version 1: of each register the master's, then the slave's. */
const Pic8259Version1 = wire('pic-8259', {
	pins: pair,
	irr: pair,
	isr: pair,
	imr: pair,
	elcr: pair,
	phase: pair,
	icw1: pair,
	icw2: pair,
	icw4: pair,
	lowest: pair,
	rotate: pair,
	specialMask: pair,
	readIsr: pair,
	poll: pair,
});

/** Version 1 had pairs of bytes, one for the master, one for the slave. */
export const pic8259Versions: StateVersions = {
	version: 2,
	upgrade(fields) {
		const pairs = Object.entries(readFields(Pic8259Version1, fields));
		const chip = (index: number) => Object.fromEntries(pairs.map(([name, both]) => [name, both[index] as number]));
		return {master: chip(0), slave: chip(1)};
	},
};

/** Fields of {@link Pic8259State}. */
export type Pic8259Fields = (typeof Pic8259State)['fields'];
