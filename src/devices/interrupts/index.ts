export {type GsiRoute, GsiTable, type InterruptMessage} from './gsi-table.ts';
export {
	extIntInput,
	freeInputs,
	gpeCount,
	gpeInput,
	gsiCount,
	hpetInputs,
	inputCount,
	pitReplacedInput,
} from './inputs.ts';
export type {InterruptLine} from './interrupt-line.ts';
export {
	type InterruptController,
	type InterruptInputs,
	InterruptLines,
	interruptTableBytes,
	type LineSource,
} from './interrupt-lines.ts';
export type {MessageInterrupts} from './message-interrupts.ts';
