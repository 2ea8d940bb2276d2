import type {VmmErrorCode} from './error-codes.ts';

/** Texts of an error for a person: the facts, and the remedy. */
export interface ErrorText {
	/** Starts with a capital, no full stop; names what was asked and what was found. */
	readonly message: string;
	/** Step that helps the reader. */
	readonly remedy?: string;
}

/** A {@link VmmError} as plain data: structured clone drops an Error subclass's own fields between threads. */
export interface ErrorData extends ErrorText {
	/** A {@link VmmErrorCode}, if it is of this version. */
	readonly code: string;
	readonly context: Readonly<Record<string, unknown>>;
}

/** Marks our errors: more than one copy of this module may be loaded (command line and library are two files). */
const brand = Symbol.for('openvmm.error');

/** A host or configuration failure. Guest faults are values, never this. */
export class VmmError extends Error {
	override readonly name = 'VmmError';
	readonly [brand] = true;
	/** Of all that this version makes: data of another process, and a device of your own, may have others. */
	readonly code: VmmErrorCode;
	readonly remedy: string | undefined;
	/** The facts behind the message, typed by the table that made the error. */
	readonly context: Readonly<Record<string, unknown>>;

	constructor(data: ErrorData, options?: ErrorOptions) {
		super(data.message, options);
		this.code = data.code as VmmErrorCode;
		this.remedy = data.remedy;
		this.context = data.context;
	}

	static override [Symbol.hasInstance](value: unknown): boolean {
		return typeof value === 'object' && value !== null && brand in value;
	}

	/** The form that crosses threads and sockets; {@link VmmError} takes it back. */
	toData(): ErrorData {
		const {code, message, context, remedy} = this;
		return remedy === undefined ? {code, message, context} : {code, message, context, remedy};
	}
}

type Table = Record<string, (context: never) => ErrorText>;
type ContextOf<F> = F extends (context: infer C) => ErrorText ? C : never;

/**
 * Makes the error factory of one layer from its table of codes, which {@link VmmErrorCode} has too.
 * @example const kvmError = errorTable({KVM_MISSING: (c: {path: string}) => ({message: `No ${c.path}`})});
 * throw kvmError('KVM_MISSING', {path: '/dev/kvm'});
 */
export function errorTable<const T extends Table>(table: T) {
	return <C extends keyof T & VmmErrorCode>(code: C, context: ContextOf<T[C]>, options?: ErrorOptions): VmmError => {
		const text = (table[code] as (context: ContextOf<T[C]>) => ErrorText)(context);
		return new VmmError({code, ...text, context: context as Record<string, unknown>}, options);
	};
}

/** True when `caught` is a {@link VmmError} (with this code, when one is given). */
export function isVmmError<C extends VmmErrorCode>(caught: unknown, code?: C): caught is VmmError & {readonly code: C} {
	return caught instanceof VmmError && (code === undefined || caught.code === code);
}
