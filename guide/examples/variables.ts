/** A device of your own with state of any shape: keeps what a guest tells it. `openvmm --device guide/examples/variables.ts` */
import {deviceType, type OwnedDevice} from 'openvmm/devices';

/** 32-bit registers: which variable, and its value. */
const Register = {NUMBER: 0, VALUE: 4} as const;
/** A guest may set as many as it likes, but not in our memory. */
const mostVariables = 1000;

class Variables implements OwnedDevice {
	#number = 0;
	readonly #values = new Map<number, number>();

	read(_region: number, offset: number, size: number): number {
		if (size !== 4) return 0;
		return offset === Register.VALUE ? (this.#values.get(this.#number) ?? 0) : this.#number;
	}

	write(_region: number, offset: number, size: number, value: number): void {
		if (size === 4 && offset === Register.NUMBER) this.#number = value;
		const hasRoom = this.#values.has(this.#number) || this.#values.size < mostVariables;
		if (size === 4 && offset === Register.VALUE && hasRoom) this.#values.set(this.#number, value);
	}

	reset(): void {
		this.#number = 0;
		this.#values.clear();
	}

	save(): Uint8Array {
		return new Uint8Array(Uint32Array.from([this.#number, ...[...this.#values].flat()]).buffer);
	}

	restore(_version: number, bytes: Uint8Array): void {
		if (bytes.length % 8 !== 4) throw new RangeError('it ends amid a variable');
		const words = new Uint32Array(new Uint8Array(bytes).buffer);
		this.#number = words[0] as number;
		for (let at = 1; at < words.length; at += 2) this.#values.set(words[at] as number, words[at + 1] as number);
	}

	inspect(): object {
		return {number: this.#number, values: Object.fromEntries(this.#values)};
	}
}

export default deviceType({
	kind: 'variables',
	summary: 'Keeps numbered values',
	options: {port: {type: 'number', min: 0, max: 0xfff8, default: 0x620, help: 'the first of its eight ports'}},
	attach: {regions: ({port}) => [{space: 'pio', name: 'registers', base: port, length: 8}]},
	owned: {version: 1, mostBytes: 4 + 8 * mostVariables, make: () => new Variables()},
});
