import {sharedStruct, u8} from '#support/shared-memory';
import {Mode} from './registers.ts';

/** The shared state of the keyboard controller. */
export const I8042State = sharedStruct('i8042', {
	mode: u8(Mode.INITIAL),
	/** Byte at the data port, valid while `full` is 1. */
	output: u8(),
	full: u8(),
	/** 1 when `output` stands for a device that did not answer. */
	timedOut: u8(),
	/** Command that waits for its data byte; 0 for none. */
	pending: u8(),
	/** 1 when the latest write was a command. */
	lastWasCommand: u8(),
});

/** Fields of {@link I8042State}. */
export type I8042Fields = (typeof I8042State)['fields'];
