import {configError} from '#main/config';

/** Keys that leave a console, where nobody says others. */
export const usualDetachKeys = 'ctrl-p,ctrl-q';

const expected = 'keys between commas, each a character or ctrl- with a letter or one of @ [ \\ ] ^ _';
const mostKeys = 8;

/** Reads keys such as `ctrl-p,ctrl-q`. @returns the bytes that a terminal sends for them @throws CONFIG_VALUE_INVALID */
export function parseDetachKeys(text: string, option: string): Uint8Array {
	const keys = text.split(',').map((key) => {
		const [, control] = /^ctrl-([a-z@[\\\]^_])$/i.exec(key) ?? [];
		if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
		return /^[\x21-\x7e]$/.test(key) ? key.charCodeAt(0) : undefined;
	});
	if (keys.length > mostKeys || keys.includes(undefined))
		throw configError('CONFIG_VALUE_INVALID', {option, value: text, expected});
	return Uint8Array.from(keys as number[]);
}

/** Looks for keys in what is typed, which may come in pieces. The first of them wait until it is known whether the others follow. */
export class DetachKeys {
	readonly #keys: Uint8Array;
	#matched = 0;

	constructor(keys: Uint8Array) {
		this.#keys = keys;
	}

	/** @returns what is for the console, and whether the keys were typed: nothing counts behind them */
	pass(typed: Uint8Array): {readonly bytes: Uint8Array; readonly detached: boolean} {
		const bytes: number[] = [];
		for (const byte of typed) {
			bytes.push(...this.#release(byte));
			if (this.#matched === this.#keys.length) return {bytes: Uint8Array.from(bytes), detached: true};
		}
		return {bytes: Uint8Array.from(bytes), detached: false};
	}

	/** Takes a byte. @returns bytes that cannot be part of the keys any more */
	#release(byte: number): number[] {
		const held = [...this.#keys.subarray(0, this.#matched), byte];
		// The longest end of it that the keys begin with.
		let start = 0;
		while (start < held.length && held.slice(start).some((each, index) => each !== this.#keys[index])) start++;
		this.#matched = held.length - start;
		return held.slice(0, start);
	}
}
