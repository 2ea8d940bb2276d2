import {bytes, wire} from '#support/wire';

/** One byte for the master, one for the slave. */
const pair = () => bytes(2);

/** The shared state of both chips. All zero is the state after power-on. */
export const Pic8259State = wire('pic-8259', {
	/** Levels of the inputs. The master's {@link cascadeInput} is the slave's INT output. */
	pins: pair(),
	/** Interrupt requests. */
	irr: pair(),
	/** Interrupts in service. */
	isr: pair(),
	/** Interrupt mask. */
	imr: pair(),
	/** Inputs that are level-triggered. */
	elcr: pair(),
	/** A value of `Phase`. */
	phase: pair(),
	icw1: pair(),
	/** ICW2, the vector base. */
	icw2: pair(),
	icw4: pair(),
	/** Input of lowest priority; the one after it has the highest. */
	lowest: pair(),
	/** 1: rotate on automatic EOI. */
	rotate: pair(),
	/** 1: special mask mode. */
	specialMask: pair(),
	/** 1: the command port reads ISR, else IRR. */
	readIsr: pair(),
	/** 1: the next read answers a poll command. */
	poll: pair(),
});

/** Fields of {@link Pic8259State}. */
export type Pic8259Fields = (typeof Pic8259State)['fields'];
