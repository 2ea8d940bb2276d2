import type {LegacyCase} from './generate.ts';
import {memory, zone} from './layout.ts';

/** Exceptions that ended a case here and in QEMU. */
interface Vectors {
	readonly ours: number;
	readonly theirs: number;
}

interface QemuError {
	/** What QEMU 7.2 does not do as the manual says, and where that is. */
	readonly what: string;
	readonly applies: (one: LegacyCase, vectors: Vectors) => boolean;
}

const startsWith = (one: LegacyCase, ...names: readonly string[]) => names.includes(one.form.form.mnemonic);
const isCode16 = ({mode}: LegacyCase): boolean => mode.endsWith('16') || mode === 'real' || mode === 'virtual';

const [notPresent, stackFault, pageFault] = [11, 12, 14];

/** Cases that cannot be compared, because QEMU is wrong or leaves out what it does not need. */
const qemuErrors: readonly QemuError[] = [
	{
		what: 'returns to a stack segment that is not present are #NP, not #SS (SDM volume 2, RET and IRET)',
		applies: ({form: {role}}, {ours, theirs}) =>
			(role === 'farReturn' || role === 'interruptReturn') && ours === stackFault && theirs === notPresent,
	},
	{
		what: 'RCL and RCR change CF also where they cannot write (SDM volume 3, 6.6)',
		applies: (one, {ours}) => startsWith(one, 'rcl', 'rcr') && ours === pageFault,
	},
	{
		what: 'TEST has one encoding, not two (APM volume 3, table A-6)',
		applies: ({form: {form}}) => form.mnemonic === 'test' && form.digit === 1,
	},
	{
		what: 'MOVNTI stores 16 bits in 16-bit code (SDM volume 2, MOVNTI)',
		applies: (one) => startsWith(one, 'movnti') && isCode16(one),
	},
	{
		what: 'CRC32 takes 32 bits in 16-bit code without a prefix, and 16 with one (SDM volume 2, CRC32)',
		applies: (one) => startsWith(one, 'crc32') && isCode16(one),
	},
	{
		what: 'CLFLUSH does not fault (SDM volume 2, CLFLUSH)',
		applies: (one) => startsWith(one, 'clflush') && one.target + memory.data >= memory.data + zone.offset + zone.bytes,
	},
	{
		what: 'BSWAP of 16 bits, which the manual leaves undefined, is none (SDM volume 2, BSWAP)',
		applies: (one) => startsWith(one, 'bswap') && one.operandSize === 16,
	},
];

export const isQemuWrong = (one: LegacyCase, vectors: Vectors): boolean =>
	qemuErrors.some(({applies}) => applies(one, vectors));
