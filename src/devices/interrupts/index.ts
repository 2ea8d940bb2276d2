export type {InterruptLine} from './interrupt-line.ts';
export {type InterruptController, InterruptLines, interruptTableBytes, type LineSource} from './interrupt-lines.ts';
