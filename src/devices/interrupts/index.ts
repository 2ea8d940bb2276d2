export type {InterruptLine} from './interrupt-line.ts';
