import type {Vm} from '#main/vm';
import type {LongOperation} from '#support/abort';
import type {Params, ParamValues} from './param.ts';

/** A machine as its operations see it: all that {@link Vm} offers, so that a new operation may use any of it. */
export type Machine = Pick<Vm, keyof Vm>;

/** The ways in which an operation reaches whoever asked for it. */
export interface OperationContext extends LongOperation {
	/** Ends the machine, and its process where that runs nothing else, once the answer is on its way. */
	quit(): void;
}

/**
 * Something that the users of a running machine may ask of it. The console's commands, the control socket's methods,
 * `openvmm`'s commands and the guide's page are made from these.
 */
export interface Operation<P extends Params = Params, R = unknown> {
	/** Name everywhere: console command, method, `openvmm` command. */
	readonly name: string;
	/** The letter that stands for it in the console. */
	readonly letter?: string;
	/** The help says this of it, in a line. */
	readonly help: string;
	/** Parameters by the names that a client gives them; those that are no flags are the words of a line, in order. */
	readonly params: P;
	/** The reference says this of the answer, in a line. */
	readonly result: string;
	/** Only the control socket has it under its name; on a line another operation leads to it, or says the same. */
	readonly socketOnly?: true;
	/** The operation that a line asks for instead when it has this flag of that one's. */
	readonly instead?: {readonly flag: string; readonly operation: Operation};
	/** The machine is over when its connections close: whoever asked from another process waits for that. */
	readonly ends?: true;
	/** @returns plain data, which goes into an answer. @throws VmmError */
	run(vm: Machine, values: ParamValues<P>, context: OperationContext): Promise<R>;
	/** The result as a script gets it; without this nothing is printed. */
	print?(result: R): string;
	/** A sentence for a person, which the console says instead. */
	say?(result: R, values: ParamValues<P>): string;
	/** The result for `--json`, a flag that operations with this have on a line. */
	json?(result: R): unknown;
}

/** Declares an operation: `run` and the others get the values of its parameters with their types. */
export const operation = <const P extends Params, R>(row: Operation<P, R>): Operation => row;
