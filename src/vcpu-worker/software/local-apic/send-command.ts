import {load} from './apic-state.ts';
import {reportError} from './deliver.ts';
import {isX2apic} from './destination.ts';
import type {LocalApics} from './local-apics.ts';
import {Command, DeliveryMode, ErrorBit, illegalVectors, Register, Shorthand} from './registers.ts';

/**
 * Sends a processor's write to the interrupt command register (SDM volume 3, 11.6.1, 11.12.9), whose upper half is written already.
 * Combinations that table 11-3 calls invalid are sent as they read.
 * @param index - the sender's
 */
export function sendCommand(apics: LocalApics, index: number, command: number): void {
	const words = apics.wordsOf(index);
	const mode = (command & Command.MODE) >>> Command.MODE_SHIFT;
	const isVectored = mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority;
	if (isVectored && (command & Command.VECTOR) < illegalVectors) {
		reportError(words, ErrorBit.sentIllegalVector);
		return;
	}
	// INIT alone has a level, whose end has had no effect since the Pentium 4.
	if (mode === DeliveryMode.init && (command & (Command.LEVEL | Command.ASSERT)) === Command.LEVEL) return;
	const message = command & (Command.VECTOR | Command.MODE);
	switch ((command >>> Command.SHORTHAND_SHIFT) & 3) {
		case Shorthand.none: {
			const high = load(words, Register.ICR_HIGH) >>> 0;
			const isNarrow = !isX2apic(words);
			apics.deliver(message, isNarrow ? high >>> 24 : high, (command & Command.LOGICAL) !== 0, isNarrow);
			break;
		}
		case Shorthand.self:
			apics.deliverTo(index, message);
			break;
		case Shorthand.all:
			apics.deliverToAll(message);
			break;
		case Shorthand.others:
			apics.deliverToAll(message, index);
			break;
	}
}
