import type {GuestStop, VmEnd} from '#main/vm';
import type {HitReason} from './breakpoints/index.ts';
import {threadId} from './threads.ts';

/** Signals by GDB's numbers. */
const signal = {interrupted: 2, trap: 5, segmentation: 11, terminated: 15} as const;

const hex = (value: number): string => value.toString(16).padStart(2, '0');

/** The processor that a stop is about, and what it came to. */
export interface StopDetails {
	readonly vcpu: number;
	readonly reason?: HitReason;
	/** The client understands `swbreak` and `hwbreak`. */
	readonly names: boolean;
}

/** Tells a client that the guest stands still (GDB manual, appendix E.3). */
export function stopReply(stop: GuestStop, {vcpu, reason, names}: StopDetails): string {
	const thread = `thread:${threadId(vcpu)};`;
	switch (stop.kind) {
		case 'paused':
			return `T${hex(signal.interrupted)}${thread}`;
		case 'debug':
			return `T${hex(signal.trap)}${thread}${reasonField(reason, names)}`;
		case 'crash':
			return `T${hex(signal.segmentation)}thread:${threadId(stop.vcpu)};`;
		case 'ended':
			return `T${hex(signal.terminated)}${thread}`;
	}
}

function reasonField(reason: HitReason | undefined, names: boolean): string {
	if (reason === undefined) return '';
	const {kind, address} = reason;
	if (kind === 'watch' || kind === 'awatch') return `${kind}:${address.toString(16)};`;
	return names ? `${kind}:;` : '';
}

/** Tells a client that the machine is over: a status, or the signal that a program would have died of. */
export function endReply(end: VmEnd): string {
	switch (end.kind) {
		case 'power-off':
		case 'hibernate':
			return 'W00';
		case 'exit':
			return `W${hex(end.status & 0xff)}`;
		case 'crash':
			return `X${hex(signal.segmentation)}`;
		case 'watchdog':
		case 'halt':
		case 'reset-loop':
		case 'stopped':
			return `X${hex(signal.terminated)}`;
		case 'error':
			return `X${hex(signal.trap + 1)}`;
	}
}
