import {ociError} from './errors.ts';

/** Far more than a manifest or a configuration has; registries take no more either (distribution specification 1.1, "Pushing Manifests"). */
export const mostJsonBytes = 2 ** 22;

/** A value of a JSON text that is checked as it is taken; what it says is somebody else's. */
export class JsonObject {
	readonly #of: string;
	readonly #fields: Readonly<Record<string, unknown>>;

	private constructor(of: string, fields: Readonly<Record<string, unknown>>) {
		this.#of = of;
		this.#fields = fields;
	}

	/** @param of - what errors call it @throws VmmError OCI_JSON_INVALID */
	static parse(of: string, bytes: Uint8Array): JsonObject {
		let value: unknown;
		try {
			value = JSON.parse(Buffer.from(bytes).toString('utf8'));
		} catch {
			throw ociError('OCI_JSON_INVALID', {of, what: 'it is no JSON'});
		}
		return JsonObject.of(of, value);
	}

	static of(of: string, value: unknown): JsonObject {
		if (typeof value !== 'object' || value === null || Array.isArray(value))
			throw ociError('OCI_JSON_INVALID', {of, what: 'an object has to be where something else is'});
		return new JsonObject(of, value as Record<string, unknown>);
	}

	has(name: string): boolean {
		return this.#value(name) !== undefined;
	}

	text(name: string): string | undefined {
		const value = this.#value(name);
		if (value === undefined) return undefined;
		if (typeof value !== 'string') throw this.wrong(`its ${name} is no text`);
		return value;
	}

	/** A whole number that is not negative. */
	number(name: string): number {
		const value = this.#value(name);
		if (!Number.isSafeInteger(value) || (value as number) < 0) throw this.wrong(`its ${name} is no number of bytes`);
		return value as number;
	}

	object(name: string): JsonObject | undefined {
		return this.has(name) ? JsonObject.of(`${this.#of}, ${name},`, this.#value(name)) : undefined;
	}

	/** Nothing stands for an empty list. */
	list(name: string, most: number): readonly unknown[] {
		const value = this.#value(name) ?? [];
		if (!Array.isArray(value)) throw this.wrong(`its ${name} is no list`);
		if (value.length > most) throw ociError('OCI_TOO_LARGE', {of: this.#of, what: `${value.length} of ${name}`, most});
		return value;
	}

	objects(name: string, most: number): readonly JsonObject[] {
		return this.list(name, most).map((each, index) => JsonObject.of(`${this.#of}, ${name} ${index},`, each));
	}

	texts(name: string, most: number): readonly string[] {
		const found = this.list(name, most);
		if (!found.every((each) => typeof each === 'string')) throw this.wrong(`its ${name} are not all texts`);
		return found;
	}

	/** Names and values; values that are no texts are left out. */
	entries(name: string): readonly (readonly [string, unknown])[] {
		const value = this.#value(name);
		return value === undefined ? [] : Object.entries(JsonObject.of(`${this.#of}, ${name},`, value).#fields);
	}

	wrong(what: string): Error {
		return ociError('OCI_JSON_INVALID', {of: this.#of, what});
	}

	/** Nothing and null are the same to those who write these texts. */
	#value(name: string): unknown {
		return Object.hasOwn(this.#fields, name) ? (this.#fields[name] ?? undefined) : undefined;
	}
}
