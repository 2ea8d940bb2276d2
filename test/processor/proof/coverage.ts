import {type Form, hasMemory} from '#test/silicon';
import {expected, isOfRows, isPlain, type OpcodeCase, opcodeCases} from '../opcode-map.ts';
import {siliconForms} from './silicon.ts';

/** Encodings of 64-bit code that are not compared with the host's processor, and what shows that they are right. */
interface Exception {
	readonly what: string;
	readonly why: string;
	readonly shownBy: string;
	/** Rows of the opcode map. */
	readonly rows: Partial<Record<OpcodeCase['map'], string>>;
}

const exceptions: readonly Exception[] = [
	{
		what: 'RDTSC, CPUID, RDRAND, RDSEED, RDPID',
		why: 'not deterministic',
		shownBy: 'system-instructions.test.ts, features.test.ts',
		rows: {twoByte: '* 31 a2\n.. c7 r /6,7\n66 c7 r /6,7\nf3 c7 r /7'},
	},
	{
		what: 'FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT, XSAVEC',
		why: "makers write the x87's pointers in different cases, and XCR0 is the host kernel's",
		shownBy: 'fx-area.test.ts, xsave.test.ts',
		rows: {twoByte: '.. ae m /0,1,4-6\n.. c7 m /4'},
	},
	{
		what: 'RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE',
		why: 'a thread lives by its FS',
		shownBy: 'system-instructions.test.ts',
		rows: {twoByte: 'f3 ae r /0-3'},
	},
	{
		what: 'SYSCALL',
		why: "it enters the host's kernel",
		shownBy: 'model-registers.test.ts, borders, boots of stock kernels',
		rows: {twoByte: '* 05'},
	},
	{
		what: 'loads of segment registers, far transfers, IRET',
		why: "descriptors are the host kernel's, and a thread lives by its FS",
		shownBy: 'qemu (code of 16 and 32 bits), gates.test.ts, borders',
		rows: {oneByte: '* 8e /0,2-5\n* ca cb cf\n* ff m /3,5', twoByte: '* a1 a9\n* b2 b4 b5 m'},
	},
	{
		what: 'INT n of vectors but 30h, 50h and FFh',
		why: "gates are the host kernel's",
		shownBy: 'qemu, gates.test.ts',
		rows: {oneByte: '* cd'},
	},
	{
		what: 'LAR, LSL, VERR, VERW; SLDT, STR, SGDT, SIDT, SMSW',
		why: "what they tell is the host kernel's, if it lets them",
		shownBy: 'qemu, legacy-instructions.test.ts',
		rows: {twoByte: '* 02 03\n* 00 /0,1,4,5\n* 01 m /0,1,4\n* 01 r /4'},
	},
	{
		what: 'MOV of debug registers 4 and 5, and with a ModRM.mod that is ignored',
		why: 'processors differ in which exception comes first',
		shownBy: 'debug-exceptions.test.ts, opcode-map.test.ts',
		rows: {twoByte: '* 21 23 m\n* 21 23 r /4,5'},
	},
	{
		what: 'NOPs of 0F 18, 1A, 1B and 1E with some ModRM.reg',
		why: 'processors with MPX or CET have other instructions there',
		shownBy: 'opcode-map.test.ts',
		rows: {twoByte: '* 18 m /5-7\n* 18 r /0-3,5-7\n* 1a 1b 1e /0-3,5-7'},
	},
];

/** What the host's processor judges of the encodings that 64-bit code has. */
export interface Coverage {
	readonly encodings: number;
	readonly covered: number;
	/** Those that it does not judge. */
	readonly exceptions: readonly (Omit<Exception, 'rows'> & {readonly encodings: number})[];
	/** Neither: there are none. */
	readonly unproven: readonly OpcodeCase[];
}

/** Compares the opcode map with the silicon's forms: an encoding is an opcode with its prefix, ModRM.reg, and memory or a register. */
export function coverage(): Coverage {
	const encodings = [...opcodeCases(64)].filter((one) => expected(one) === 'defined' && isPlain(one));
	const rest = encodings.filter((one) => !siliconForms.some((form) => hasEncoding(form, one)));
	const isOf = ({rows}: Exception, one: OpcodeCase) => isOfRows(rows[one.map] ?? '', one);
	return {
		encodings: encodings.length,
		covered: encodings.length - rest.length,
		exceptions: exceptions.map((exception) => {
			const {what, why, shownBy} = exception;
			return {what, why, shownBy, encodings: rest.filter((one) => isOf(exception, one)).length};
		}),
		unproven: rest.filter((one) => !exceptions.some((exception) => isOf(exception, one))),
	};
}

const leads = {
	oneByte: [],
	twoByte: [0x0f],
	map38: [0x0f, 0x38],
	map3a: [0x0f, 0x3a],
	...{vex0f: [], vex38: [], vex3a: []},
} as const;
const vexMaps = ['', 'vex0f', 'vex38', 'vex3a'] as const;
const vexPrefixes = ['..', '66', 'f3', 'f2'] as const;

/** Cases of a form have this encoding. */
function hasEncoding(form: Form, {map, number, prefix, form: kind, middle, l, w}: OpcodeCase): boolean {
	const {opcode, rm, digit, mandatoryPrefix, vex} = form;
	if ((vex === undefined) !== (l === undefined)) return false;
	if (vex !== undefined) {
		if (vexMaps[vex.map] !== map || vexPrefixes[vex.prefix] !== prefix) return false;
		if ((vex.l ?? l) !== l || (vex.w ?? w) !== w) return false;
	}
	const lead = leads[map];
	const [own = -1, modRm] = opcode.slice(lead.length);
	if (lead.some((byte, index) => byte !== opcode[index])) return false;
	const hasRegister = form.operands.some(({kind}) => kind === 'Z');
	if (hasRegister ? own >> 3 !== number >> 3 : own !== number) return false;
	if (modRm !== undefined && (kind === 'm' || ((modRm >> 3) & 7) !== middle)) return false;
	if (digit !== undefined && digit !== middle) return false;
	if (rm !== undefined && (kind === 'm' ? !hasMemory(rm) : rm.kind === 'M')) return false;
	if (vex !== undefined) return true;
	if (prefix === 'f0') return form.lock === true;
	if (mandatoryPrefix !== undefined) return mandatoryPrefix.toString(16) === prefix;
	return prefix === '..' || (prefix === '66' && form.size === 16);
}
