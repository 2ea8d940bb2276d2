import {f64, i32, u32, type ViewOf, wire} from '#support/wire';
import type {ConsolePortConfig} from './handle.ts';

/** State of one port, flat, as snapshots have it. */
export const PortState = wire('virtio-console-port', {
	/** The machine's owner has plugged it in though it is not at power-on, or pulled it out though it is: 1. */
	turned: u32,
	/** Bits of {@link Told}. */
	told: u32,
	/** The guest has it open: 1. */
	open: u32,
	/** As the owner has said it, and as the guest has been told: columns, and rows times 65536. */
	size: u32,
	toldSize: u32,
	/** Bytes of the guest's current buffer that are done with. */
	sent: u32,
	txBytes: f64,
	/** Bytes of `txBytes` that nobody took. */
	txDiscarded: f64,
	rxBytes: f64,
	/** The host's latest reason to refuse output, an errno; 0 when there was none. */
	hostErrno: i32,
});
export type PortStateView = ViewOf<typeof PortState>;

/** What the guest has been told of a port, and has said itself. */
export const Told = {
	ADDED: 1,
	/** The guest has answered that it has set the port up. */
	READY: 2,
	CONSOLE: 4,
	NAME: 8,
	/** There is somebody at the host's end. */
	OPEN: 16,
} as const;

/** A size in one word. */
export const sizeWord = (columns: number, rows: number): number => ((rows << 16) | columns) >>> 0;

/** The guest may have the port. */
export const isPlugged = ({unplugged = false}: ConsolePortConfig, {turned}: PortStateView): boolean =>
	unplugged === (turned !== 0);
