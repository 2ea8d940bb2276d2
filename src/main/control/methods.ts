import {clockPolicies, type DeviceModuleConfig, parseDevice} from '#main/config';
import type {StartOptions, VmState} from '#main/vm';
import type {InspectOptions, InspectResult} from '#support/inspect';
import {choice, flag, integer, optional, type Param, type ParamValues, parseParams, text} from './params.ts';

/** What clients may do with a machine. */
export interface ControlTarget {
	readonly state: VmState;
	inspect(path: string, options: InspectOptions): Promise<InspectResult>;
	update(path: string, text: string): Promise<InspectResult>;
	pause(): Promise<void>;
	resume(options: StartOptions): Promise<void>;
	reset(): Promise<void>;
	nmi(): Promise<void>;
	powerButton(): Promise<void>;
	/** Writes processors and memory to a core file. @param path - absolute */
	dumpCore(path: string): Promise<void>;
	addPcieDevice(port: string, device: DeviceModuleConfig): Promise<string>;
	removePcieDevice(port: string): Promise<void>;
	/** Writes a snapshot of the whole machine to a folder. @param path - absolute */
	saveSnapshot(path: string): Promise<void>;
	/** Begins to end the machine, and its process with it. */
	quit(): void;
}

/** One thing that a client may ask. */
export interface ControlMethod {
	/** @throws VmmError for wrong parameters, and what the machine throws */
	call(target: ControlTarget, given: Readonly<Record<string, unknown>>): Promise<unknown>;
}

/** Declares a method by its parameters and what it does; the result is plain data. */
function method<const P extends Readonly<Record<string, Param<unknown>>>>(
	name: string,
	params: P,
	run: (target: ControlTarget, values: ParamValues<P>) => Promise<unknown>,
): [string, ControlMethod] {
	return [name, {call: async (target, given) => run(target, parseParams(name, params, given))}];
}

/** A change of the machine's state; answered when it is done, with the state then. */
const change = (name: string, act: (target: ControlTarget) => Promise<void>) =>
	method(name, {}, async (target) => {
		await act(target);
		return {state: target.state};
	});

const path = text(4096);

/** Every method by name. A new one is one entry here. */
export const controlMethods: ReadonlyMap<string, ControlMethod> = new Map([
	method('status', {}, async ({state}) => ({state})),
	method(
		'inspect',
		{
			path: optional(path),
			depth: optional(integer(0, 64)),
			safe: optional(flag()),
			timeoutMs: optional(integer(1, 60_000)),
		},
		async (target, {path: at = '', depth = 1, safe = false, timeoutMs = 1000}) =>
			target.inspect(at, {depth, safe, timeoutMs}),
	),
	method('update', {path, value: text(4096)}, async (target, {path: at, value}) => target.update(at, value)),
	change('pause', (target) => target.pause()),
	method('resume', {clock: optional(choice(clockPolicies))}, async (target, {clock}) => {
		await target.resume(clock === undefined ? {} : {clock});
		return {state: target.state};
	}),
	change('reset', (target) => target.reset()),
	change('nmi', (target) => target.nmi()),
	change('power-button', (target) => target.powerButton()),
	method('dump-core', {path}, async (target, {path: at}) => {
		await target.dumpCore(at);
		return {path: at};
	}),
	method('pcie-add', {port: path, device: path}, async (target, {port, device}) => ({
		name: await target.addPcieDevice(port, parseDevice(device, 'pcie-add')),
	})),
	method('pcie-remove', {port: path}, async (target, {port}) => {
		await target.removePcieDevice(port);
		return {};
	}),
	method('save-snapshot', {path}, async (target, {path: at}) => {
		await target.saveSnapshot(at);
		return {path: at};
	}),
	method('quit', {}, async (target) => {
		// Behind the answer.
		setImmediate(() => target.quit());
		return {};
	}),
]);
