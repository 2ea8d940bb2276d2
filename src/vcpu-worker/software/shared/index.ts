/** What the processors of a machine share. Every thread of the machine loads it, and no more of the processor. */
export {PrefixTable} from './prefix-table.ts';
export {processForms} from './process-forms.ts';
export {Rendezvous} from './rendezvous.ts';
export {createSharedParts, requestWords, type SharedParts} from './shared-parts.ts';
