import {type Assembler, ecx, esi} from '#flowey/x86-assembler';

/** The texts a guest prints, each stored once, behind the code. */
export class Texts {
	readonly #asm: Assembler;
	readonly #labels = new Map<string, string>();

	constructor(asm: Assembler) {
		this.#asm = asm;
	}

	/** Code that appends a text to the line. */
	say(text: string): void {
		const {mov, call} = this.#asm;
		mov(esi, this.labelOf(text));
		mov(ecx, text.length);
		call('append-text');
	}

	/** Code that appends a text and prints the line. */
	sayLine(text: string): void {
		this.say(text);
		this.#asm.call('end-line');
	}

	labelOf(text: string): string {
		const known = this.#labels.get(text);
		if (known !== undefined) return known;
		const label = this.#asm.unique('text');
		this.#labels.set(text, label);
		return label;
	}

	/** Emits the texts themselves. */
	emit(): void {
		for (const [text, label] of this.#labels) {
			this.#asm.label(label);
			this.#asm.bytes(text);
		}
	}
}
