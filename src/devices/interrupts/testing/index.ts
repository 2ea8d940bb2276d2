import {type GsiRoute, GsiTable} from '../gsi-table.ts';
import type {InterruptController} from '../interrupt-lines.ts';
import type {MessageInterrupts} from '../message-interrupts.ts';

/** Calls that a test wants to be told of. */
export interface Told {
	readonly setLine?: InterruptController['setLine'];
	readonly send?: MessageInterrupts['send'];
	/** All routes, whenever one has changed. */
	readonly routes?: (routes: readonly GsiRoute[]) => void;
}

/** An interrupt controller that only tells. */
export const tellingInterrupts = ({setLine = () => {}, send = () => {}, routes = () => {}}: Told = {}) => ({
	setLine,
	rise: (gsi: number) => {
		setLine(gsi, false);
		setLine(gsi, true);
	},
	messages: {send, gsis: new GsiTable(new SharedArrayBuffer(GsiTable.byteLength), routes)},
});
