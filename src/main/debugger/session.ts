import type {GuestStop} from '#main/vm';
import type {DebugHit, Step} from '#vcpu-worker/debug';
import {GuestView} from '#vcpu-worker/guest-view';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {BreakpointTable} from './breakpoints/index.ts';
import type {Debuggee} from './debuggee.ts';
import {stopReply} from './stop-reply.ts';

/** A client's choices and requests, from its attaching to its leaving. */
export class Session {
	readonly machine: Debuggee;
	readonly breakpoints: BreakpointTable;
	/** The processor that register and memory packets are about. */
	selected = 0;
	/** The processors that the old `c` and `s` are about. */
	toRun: number | 'all' = 'all';
	/** Addresses are guest-physical. */
	physical = false;
	/** The client understands `swbreak` and `hwbreak` in stop replies. */
	namesBreakpoints = false;
	/** Packets are not acknowledged any more. */
	noAcks = false;
	/** The client waits for the guest to stop. */
	waiting = false;
	/** The latest stop, for a client that asks. */
	lastStop: string;
	readonly #send: (reply: string) => void;
	readonly #registers = new Map<number, ProcessorRegisters>();
	/** Accesses that other processors came to at the same time: told one after the other. */
	#untold: DebugHit[] = [];

	/** @param send - sends a stop reply */
	constructor(machine: Debuggee, send: (reply: string) => void) {
		this.machine = machine;
		this.breakpoints = new BreakpointTable(machine.debugSupport());
		this.#send = send;
		this.lastStop = stopReply({kind: 'debug', hits: []}, {vcpu: 0, names: false});
	}

	/** A processor's registers. @throws VM_RUNNING */
	async registersOf(vcpu: number): Promise<ProcessorRegisters> {
		const known = this.#registers.get(vcpu);
		if (known !== undefined) return known;
		const registers = await this.machine.readRegisters(vcpu);
		this.#registers.set(vcpu, registers);
		return registers;
	}

	/** Changes registers of the selected processor. @throws VmmError when no processor can hold the values */
	async changeRegisters(changes: RegisterChanges): Promise<void> {
		this.#registers.delete(this.selected);
		await this.machine.writeRegisters(this.selected, changes);
	}

	/** Memory as the selected processor sees it, or physical. */
	async view(): Promise<GuestView> {
		const {memory} = this.machine;
		return new GuestView(memory, this.physical ? 'physical' : (await this.registersOf(this.selected)).special);
	}

	/** Forgets the registers that were read: the guest has changed them. */
	forgetRegisters(): void {
		this.#registers.clear();
	}

	/** Lets the guest run; {@link stopped} follows. @param steps - as for `Vm.runDebugged` */
	async run(steps?: ReadonlyMap<number, Step>): Promise<void> {
		this.forgetRegisters();
		this.waiting = true;
		if (this.#tellNext()) return;
		// Somebody else has let it run meanwhile, without the breakpoints.
		if (this.machine.state === 'running') {
			this.waiting = false;
			await this.machine.pause();
			this.waiting = true;
		}
		await this.machine.runDebugged(this.breakpoints.toBreakpoints(), steps);
		// A guest that has ended stays where it is.
		if (this.waiting && this.machine.state === 'halted') this.#tell(this.lastStop);
	}

	/** The guest has come to stand still. */
	stopped(stop: GuestStop): void {
		this.forgetRegisters();
		// The client's own pause, as it attaches.
		if (stop.kind === 'paused' && !this.waiting) return;
		if (stop.kind === 'debug') {
			// Breakpoints are come to again; an access that is over is not.
			this.#untold = stop.hits.slice(1).filter((hit) => /watch/.test(this.breakpoints.reasonOf(hit)?.kind ?? ''));
			this.#tellHit(stop.hits[0] ?? {vcpu: this.selected, stop: {kind: 'step'}});
			return;
		}
		if (stop.kind === 'crash') this.selected = stop.vcpu;
		this.#tell(stopReply(stop, {vcpu: this.selected, names: this.namesBreakpoints}));
	}

	#tellNext(): boolean {
		const hit = this.#untold.shift();
		if (hit === undefined || this.breakpoints.reasonOf(hit) === undefined) return false;
		this.#tellHit(hit);
		return true;
	}

	#tellHit(hit: DebugHit): void {
		const reason = this.breakpoints.reasonOf(hit);
		this.selected = hit.vcpu;
		const details = {vcpu: hit.vcpu, names: this.namesBreakpoints, ...(reason && {reason})};
		this.#tell(stopReply({kind: 'debug', hits: [hit]}, details));
	}

	#tell(reply: string): void {
		this.lastStop = reply;
		if (!this.waiting) return;
		this.waiting = false;
		this.#send(reply);
	}
}
