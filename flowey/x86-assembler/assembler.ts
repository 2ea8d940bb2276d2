import {type DataInstructions, dataInstructions} from './data-instructions.ts';
import {type Directives, directives} from './directives.ts';
import {type CodeBits, Encoder} from './encoder.ts';
import {type FlowInstructions, flowInstructions} from './flow-instructions.ts';
import {type PlainInstructions, plainInstructions} from './plain-instructions.ts';
import {type AssembledProgram, Program} from './program.ts';
import {type SystemInstructions, systemInstructions} from './system-instructions.ts';

/**
 * An x86 assembler as a set of functions, one per mnemonic; destructure the ones a routine uses.
 *
 * @example
 * const {label, mov, dec, jnz, hlt, finish} = createAssembler({origin: 0x100000, bits: 64});
 * mov(ecx, 10);
 * label('again');
 * dec(ecx);
 * jnz('again');
 * hlt();
 * const {bytes} = finish();
 */
export type Assembler = DataInstructions &
	Directives &
	FlowInstructions &
	PlainInstructions &
	SystemInstructions & {
		/** Resolves all references; throws on an undefined label or a value that does not fit. */
		finish(): AssembledProgram;
	};

/** Starts a program at an address, in a mode that {@link Directives.bits} can change. */
export function createAssembler(options: {readonly origin: number; readonly bits: CodeBits}): Assembler {
	const program = new Program(options.origin);
	const encoder = new Encoder(program, options.bits);
	return {
		...plainInstructions(encoder),
		...dataInstructions(encoder),
		...flowInstructions(encoder, program),
		...systemInstructions(encoder),
		...directives(encoder, program),
		finish: () => program.finish(),
	};
}
