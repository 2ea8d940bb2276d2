export {type SplitInterruptHost, SplitInterrupts} from './split-interrupts.ts';
