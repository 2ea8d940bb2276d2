import type {Work} from './guest-programs.ts';

/** Work that needs nothing but a processor, of 32 or 64 bits. Answers are what mathematics, Node.js's libraries, or the same in JavaScript give too. */
export const processorWorks: readonly Work[] = [
	{name: 'sieve', times: 40, answer: 82_025},
	{name: 'crc', times: 30, answer: 2_473_158_629},
	{name: 'matrix', times: 200, answer: 1_848_368_402},
	{name: 'recursion', times: 250, answer: 7_502_507},
	{name: 'indirect', times: 50, answer: 169_333_534},
	{name: 'strings', times: 80, answer: 2_370_924_099},
	{name: 'sha256', times: 130, answer: 3_191_352_548},
	{name: 'deflate', times: 80, answer: 292_352_315},
];
