import test from 'ava';
import {type GuestMemory, MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {unchecked} from '#support/trust';
import {Controller, headDoorbell} from './controller.ts';
import {QueuePairs} from './queue-pairs.ts';
import {type Completion, NvmeState} from './state.ts';
import {dataPage, eventIndexPage, shadowPage} from './testing/index.ts';

test('a head that moves while the driver is being asked to tell of it is seen', (t) => {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10_0000}));
	const state = NvmeState.on(new SharedArrayBuffer(NvmeState.byteLength));
	const controller = new Controller({queues: 1}, state);
	state.shadowLow = shadowPage;
	state.eventIndexLow = eventIndexPage;
	controller.makeCompletions(1, {size: 8, low: dataPage, high: 0, interrupts: 1, vector: 0});
	const completions = state.completions[1] as Completion;
	completions.tail = 6;
	const at = 4 * headDoorbell(1);
	let head = 0;
	// The driver takes an entry whenever it has been asked for the one before.
	const mapped: GuestMemory['mapped'] = (gpa, length, alignment) => {
		const window = memory.mapped(gpa, length, alignment);
		if (gpa !== eventIndexPage || window === undefined) return window;
		const release = window.releaseU32.bind(window);
		window.releaseU32 = (offset, value) => {
			release(offset, value);
			if (head < completions.tail) memory.writeU32(shadowPage + at, ++head);
		};
		return window;
	};
	new QueuePairs(controller, {mapped} as GuestMemory).watchHead(1);
	t.is(completions.head, 6);
	t.is(unchecked(memory.readU32(eventIndexPage + at)), 6);
	t.false(controller.isLineUp);
});
