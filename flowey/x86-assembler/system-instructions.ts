import type {Encoder} from './encoder.ts';
import {dx, type Memory, type Register} from './operands.ts';

/** Descriptor tables, task register, port I/O. */
export interface SystemInstructions {
	/** Loads limit and base; a 16-bit program uses the form with a 32-bit base. */
	lgdt(source: Memory): void;
	lidt(source: Memory): void;
	ltr(source: Register): void;
	invlpg(target: Memory): void;
	/** AL, AX or EAX from a port: a number below 256, or DX. */
	in(target: Register, port: number | Register): void;
	/** AL, AX or EAX to a port: a number below 256, or DX. */
	out(port: number | Register, source: Register): void;
}

export function systemInstructions(encoder: Encoder): SystemInstructions {
	const table = (extension: number, rm: Memory): void =>
		encoder.emit({
			opcode: [0x0f, 0x01],
			size: encoder.bits === 16 ? 32 : 64,
			isWideByDefault: true,
			reg: extension,
			rm,
		});
	const port = (direction: 0 | 2, register: Register, where: number | Register): void => {
		if (register.code !== 0 || register.size === 64) throw new Error('Port I/O uses AL, AX or EAX');
		const opcode = 0xe4 | direction | (register.size === 8 ? 0 : 1);
		if (typeof where === 'number') {
			encoder.emit({opcode: [opcode], size: register.size, immediate: {size: 1, value: where}});
		} else if (where === dx) encoder.emit({opcode: [opcode | 8], size: register.size});
		else throw new Error('Port I/O takes a number below 256 or DX');
	};
	return {
		lgdt: (source) => table(2, source),
		lidt: (source) => table(3, source),
		invlpg: (target) => table(7, target),
		ltr: (source) => encoder.emit({opcode: [0x0f, 0x00], size: 64, isWideByDefault: true, reg: 3, rm: source}),
		in: (target, where) => port(0, target, where),
		out: (where, source) => port(2, source, where),
	};
}
