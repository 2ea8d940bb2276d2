/** Delivery of exceptions and interrupts to their handlers, in all modes. */

export {Interrupts} from './interrupts.ts';
