import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {GuestStop, StopListener, VmEnd, VmState} from '#main/vm';
import type {Breakpoints, Step} from '#vcpu-worker/debug';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import {vmError} from '../../vm/errors.ts';
import type {Debuggee} from '../debuggee.ts';

/** A debugger's request for a run. */
export interface AskedRun {
	readonly breakpoints: Breakpoints;
	readonly steps: ReadonlyMap<number, Step> | undefined;
}

/** Something to attach to without KVM: registers and memory that keep what is written, and a guest that never moves. */
export class StillMachine implements Debuggee {
	readonly processors = 2;
	readonly memory: MappedMemory;
	readonly runs: AskedRun[] = [];
	readonly ended: Promise<VmEnd>;
	state: VmState = 'running';
	resets = 0;
	nmis = 0;
	detached = 0;
	/** Ends the machine. */
	readonly end: (end: VmEnd) => void;
	readonly #registers: ProcessorRegisters[] = [sampleRegisters({}), sampleRegisters({general: {rip: 0x2000n}})];
	#listener: StopListener | undefined;

	constructor() {
		const length = 0x10_0000;
		const {promise, resolve} = Promise.withResolvers<VmEnd>();
		[this.ended, this.end] = [promise, resolve];
		this.memory = new MappedMemory(plainMemory({gpa: 0, length}));
	}

	/** As on a host where everything stops a guest. */
	debugSupport() {
		return {software: true, hardware: true};
	}

	/** The guest comes to stand still. */
	standStill(stop: GuestStop): void {
		this.state = stop.kind === 'crash' || stop.kind === 'ended' ? 'halted' : 'paused';
		this.#listener?.(stop);
	}

	async readRegisters(vcpu: number): Promise<ProcessorRegisters> {
		if (this.state === 'running') throw vmError('VM_RUNNING', {wanted: 'its registers'});
		return this.#registers[vcpu] as ProcessorRegisters;
	}

	async writeRegisters(vcpu: number, changes: RegisterChanges): Promise<void> {
		this.#registers[vcpu] = {...(await this.readRegisters(vcpu)), ...changes};
	}

	attachDebugger(listener: StopListener): void {
		this.#listener = listener;
	}

	async detachDebugger(): Promise<void> {
		this.#listener = undefined;
		this.detached++;
	}

	async runDebugged(breakpoints: Breakpoints, steps?: ReadonlyMap<number, Step>): Promise<void> {
		this.runs.push({breakpoints, steps});
		if (this.state !== 'halted') this.state = 'running';
	}

	async pause(): Promise<void> {
		if (this.state === 'running') this.standStill({kind: 'paused'});
	}

	async reset(): Promise<void> {
		this.resets++;
	}

	async nmi(): Promise<void> {
		this.nmis++;
	}

	async stop(): Promise<void> {
		this.state = 'stopped';
		// Like a machine, whose threads end first.
		setImmediate(() => this.end({kind: 'stopped'}));
	}
}
