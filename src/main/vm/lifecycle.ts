import type {ClockPolicy} from '#main/config';
import {abortable, untilAborted} from '#support/abort';
import type {Breakpoints, Step} from '#vcpu-worker/debug';
import type {StopReason} from '#vcpu-worker/protocol';
import {endSteps} from './end-steps.ts';
import {vmError} from './errors.ts';
import {failureData} from './failure-data.ts';
import {type AfterEvent, afterEvent} from './guest-event.ts';
import {OperationTurns} from './operation-turns.ts';
import {ResetGuard} from './reset-guard.ts';
import {tearDown, within} from './tear-down.ts';
import type {VmEnd, VmState} from './vm-end.ts';
import type {VmParts} from './vm-parts.ts';
import {writeMachineCore} from './write-machine-core.ts';

/**
 * A machine's way from power-on to its end: which state it is in, what follows when its guest stops by itself, and that one
 * operation waits for the one before it.
 */
export class Lifecycle {
	/** Resolves when the machine has ended and released everything. */
	readonly ended: Promise<VmEnd>;
	readonly #parts: VmParts;
	#state: VmState = 'created';
	readonly #turns = new OperationTurns();
	#end: (end: VmEnd) => void = () => {};
	#finishing: Promise<void> | undefined;
	/** Number of times the guest has been started anew. */
	#powerOns = 0;
	readonly #resets: ResetGuard;
	/** A vCPU cannot go on, and what follows from it has not been done yet. */
	#isDoomed = false;
	/** The machine is to end: what starts the guest, and what takes long, is not begun any more. */
	#isEnding = false;
	/** Told when the guest goes on; see `Vm.listenToResumes`. */
	readonly #resumed = new Set<() => void>();
	/** Told when it starts anew; see `Vm.listenToResets`. */
	readonly #reset = new Set<() => void>();
	/** A reset that waits for its time; see {@link ResetGuard}. */
	#waiting: {readonly timer: NodeJS.Timeout; readonly restart: () => Promise<void>} | undefined;

	constructor(parts: VmParts) {
		this.#parts = parts;
		this.#resets = new ResetGuard(parts.resetLimit, parts.limits.resetPauseMs);
		parts.vcpus.stopped = (vcpu, reason) => {
			if (reason.kind === 'debug') parts.debug.hit({vcpu, stop: reason.stop});
			this.#isDoomed ||= fatal.includes(reason.kind);
			if (reason.kind === 'failed') this.#turns.giveUp('a processor has failed');
			const powerOns = this.#powerOns;
			// Several vCPUs stop for one cause, and a reset may have come between.
			this.#follow(async () => {
				if (powerOns === this.#powerOns) await this.#stopped(vcpu, reason);
			});
		};
		parts.haltWatch.halted = () =>
			this.next(() => this.#guestHalted().catch((cause: unknown) => this.#fail(cause).then(() => true)));
		// The death of the devices' thread, and a device's failure, end the machine after the operation that is under way.
		void parts.devices.failure.then((error) => {
			this.#beginEnd('the devices have failed');
			return this.next(() => this.#finish({kind: 'error', error}));
		});
		void parts.ram.watch.lost.then((error) => {
			this.#beginEnd('guest memory is lost');
			return this.next(() => this.#finish({kind: 'error', error: error.toData()}));
		});
		void parts.mappedPages.lost.then((error) => {
			this.#beginEnd('memory of a device is lost');
			return this.next(() => this.#finish({kind: 'error', error: error.toData()}));
		});
		this.ended = new Promise((resolve) => {
			this.#end = resolve;
		});
	}

	get state(): VmState {
		return this.#state;
	}

	/** See `Vm.start`. */
	start({clock, signal}: {readonly clock?: ClockPolicy; readonly signal?: AbortSignal} = {}): Promise<void> {
		return this.next(async () => {
			if (this.#state !== 'created' && this.#state !== 'paused') return;
			if (clock !== undefined) this.#parts.time.choose(clock);
			await this.#goOn();
		}, signal);
	}

	/** See `Vm.listenToResumes`. */
	listenToResumes(listener: () => void): () => void {
		this.#resumed.add(listener);
		return () => void this.#resumed.delete(listener);
	}

	/** See `Vm.listenToResets`. */
	listenToResets(listener: () => void): () => void {
		this.#reset.add(listener);
		return () => void this.#reset.delete(listener);
	}

	/** See `Vm.pauseFor`. */
	pause(still: () => void = () => {}, signal?: AbortSignal): Promise<void> {
		return this.next(async () => {
			const waiting = this.#takeWaiting();
			if (this.#state === 'running' || waiting !== undefined) {
				if (this.#state === 'running') await this.#halt();
				if (waiting !== undefined) await this.#orFail(waiting.restart);
				this.#become('paused');
				this.#parts.debug.report({kind: 'paused'});
			}
			still();
		}, signal);
	}

	/** See `Vm.reset`. */
	reset(): Promise<void> {
		return this.next(async () => {
			if (this.#state === 'stopped') return;
			// A machine that has nothing to start from goes on as it was.
			await this.#parts.bootImage();
			this.#takeWaiting();
			this.#resets.restarted();
			const debugged = this.#state === 'halted' && this.#parts.debug.isAttached;
			const wasPaused = this.#state === 'paused' || this.#state === 'created' || debugged;
			if (this.#state === 'running') await this.#halt();
			this.#parts.debug.takeHeld();
			await this.#orFail(() => this.#powerOn());
			if (!wasPaused) await this.#run();
			else if (debugged) this.#become('paused');
		});
	}

	/** See `Vm.stop`. A long operation is given up, and one that the devices keep from its end does not keep the machine from its own. */
	async stop(): Promise<void> {
		this.#beginEnd('the machine is stopped');
		const inTurn = this.next(() => this.#finish({kind: 'stopped'}));
		await this.#parts.devices.supervise(inTurn).catch((cause: unknown) => this.#fail(cause));
	}

	/** See `Vm.detachDebugger`. */
	detachDebugger(): Promise<void> {
		const {debug} = this.#parts;
		debug.leave();
		return this.next(async () => {
			await this.atRestNow(async () => debug.clear());
			const held = debug.takeHeld();
			if (held !== undefined) await this.#orFail(held);
		});
	}

	/** See `Vm.runDebugged`. */
	runDebugged(breakpoints: Breakpoints, steps?: ReadonlyMap<number, Step>): Promise<void> {
		const {debug} = this.#parts;
		return this.next(async () => {
			const held = debug.takeHeld();
			if (held !== undefined) return this.#orFail(held);
			if (this.#state !== 'created' && this.#state !== 'paused') return;
			debug.prepare(breakpoints, steps);
			await this.#run();
		});
	}

	/** Runs operations one after another. See {@link OperationTurns.next}. */
	next<T>(operation: () => Promise<T>, signal?: AbortSignal): Promise<T> {
		return this.#turns.next(operation, signal);
	}

	/** An operation on a machine that stands still already. @param wanted - what it is about. @throws VM_RUNNING, VM_STOPPED */
	whileStill<T>(wanted: string, operation: () => Promise<T>): Promise<T> {
		return this.next(() => {
			if (this.#state === 'running') throw vmError('VM_RUNNING', {wanted});
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted});
			return operation();
		});
	}

	/** An operation during which the guest stands still; one that ran goes on after it, whatever comes of it. @throws VM_STOPPED */
	atRest<T>(wanted: string, operation: () => Promise<T>): Promise<T> {
		return this.next(() => {
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted});
			return this.atRestNow(operation);
		});
	}

	/**
	 * The same for an operation that takes long.
	 * @param signal - gives it up, as the machine's end does
	 * @param work - gets both in one
	 * @throws VM_STOPPED, OPERATION_ABORTED
	 */
	longAtRest<T>(
		{operation, wanted, signal}: {operation: string; wanted: string; signal: AbortSignal | undefined},
		work: (signal: AbortSignal) => Promise<T>,
	): Promise<T> {
		return this.next(() => {
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted});
			const either = this.#turns.signal(signal);
			return abortable(operation, either, () => this.atRestNow(() => work(either)));
		});
	}

	/**
	 * One that takes long and does most of it while the guest runs and other operations have their turn. The machine's end gives it
	 * up and waits for it.
	 * @param work - may have the guest stand still by its second argument, in its turn
	 * @throws VM_STOPPED, OPERATION_ABORTED
	 */
	whileLive<T>(
		{operation, wanted, signal}: {operation: string; wanted: string; signal: AbortSignal | undefined},
		work: (signal: AbortSignal, atRest: (rest: () => Promise<void>) => Promise<void>) => Promise<T>,
	): Promise<T> {
		if (this.#state === 'stopped') return Promise.reject(vmError('VM_STOPPED', {wanted}));
		const either = this.#turns.signal(signal);
		const atRest = async (rest: () => Promise<void>) => {
			let resting: Promise<void> | undefined;
			const inTurn = () =>
				this.atRest(wanted, async () => {
					either.throwIfAborted();
					// The result of a crash comes first, and waits for its turn already: such a processor is in no state to go on from.
					if (this.#isDoomed) return;
					resting = rest();
					await resting;
				});
			const done = async () => {
				while (resting === undefined) await inTurn();
			};
			try {
				await untilAborted(done(), either);
			} finally {
				await resting?.catch(() => {});
			}
		};
		return this.#turns.beside(abortable(operation, either, () => work(either, atRest)));
	}

	/** An operation within another, as {@link atRest}. */
	async atRestNow<T>(operation: () => Promise<T>): Promise<T> {
		// A guest that waits to start again is not one that waits for ever.
		const waiting = this.#takeWaiting();
		const wasRunning = this.#state === 'running';
		if (wasRunning) await this.#halt();
		if (waiting !== undefined) await this.#orFail(waiting.restart);
		try {
			return await operation();
		} finally {
			if (wasRunning || waiting !== undefined) await this.#goOn();
		}
	}

	/** Puts everything into its state at power-on, in which it is created. */
	async #powerOn(): Promise<void> {
		const {units} = this.#parts;
		if (this.#state === 'stopped') return;
		this.#powerOns++;
		this.#isDoomed = false;
		if (!this.#isEnding) this.#turns.renew();
		await units.reset();
		for (const reset of this.#reset) reset();
	}

	/** Starts the units. A machine of which one cannot start is over. */
	async #run(): Promise<void> {
		if (this.#state === 'stopped') return;
		this.#become('running');
		// The stop of a vCPU is dealt with before it runs again, and one that is to end does not.
		if (this.#isDoomed || this.#isEnding) return;
		this.#resets.running();
		await this.#orFail(() => this.#parts.units.start());
	}

	/** The guest goes on where it stood still. */
	async #goOn(): Promise<void> {
		await this.#run();
		for (const resumed of this.#resumed) resumed();
	}

	/** Everything out of the guest and quiescent. A machine of which something does not come to rest is over. */
	async #halt(): Promise<void> {
		try {
			const stopping = this.#parts.units.stop();
			const {restMs} = this.#parts.limits;
			if ((await within(stopping, restMs)) === 'late') throw vmError('VM_NOT_AT_REST', {seconds: restMs / 1000});
		} catch (cause) {
			this.#follow(() => this.#fail(cause));
			throw cause;
		}
		this.#resets.still();
		this.#parts.debug.runEnded();
	}

	/** An operation after which, when it fails, there is no way back. */
	async #orFail(operation: () => Promise<void>): Promise<void> {
		try {
			await operation();
		} catch (cause) {
			await this.#fail(cause);
			throw cause;
		}
	}

	/** Does what a part of the machine calls for, after the operations before it. What cannot be done ends the machine. */
	#follow(operation: () => Promise<void>): void {
		void this.next(() => operation().catch((cause: unknown) => this.#fail(cause)));
	}

	/** A vCPU stopped by itself: possibly while an operation stopped all of them. */
	async #stopped(vcpu: number, reason: StopReason): Promise<void> {
		// One whose state is not that between two instructions: nobody gets to see it.
		if (reason.kind === 'failed') return this.#finish({kind: 'error', error: reason.error});
		const wasPaused = this.#state === 'paused';
		this.#isDoomed &&= reason.kind !== 'crash';
		if (this.#state !== 'running' && !(wasPaused && reason.kind === 'crash')) return;
		const {machine, actions, debug} = this.#parts;
		if (this.#state === 'running') await this.#halt();
		if (reason.kind === 'debug') {
			// The debugger may have left meanwhile.
			if (!debug.isAttached) return this.#run();
			this.#become('paused');
			return debug.report({kind: 'paused'});
		}
		this.#become('halted');
		if (reason.kind === 'crash') {
			const crash = (status: number): VmEnd => ({kind: 'crash', reason: reason.reason, vcpu, status});
			const after: AfterEvent = {action: actions.crash, end: crash, crash: reason.reason};
			return this.#crashed(vcpu, reason.reason, () => this.#act(after, wasPaused));
		}
		const event = machine.events.event;
		machine.events.clear();
		if (event === undefined) return this.#run();
		const after = afterEvent(event, this.#parts);
		return after.crash === undefined ? this.#act(after) : this.#crashed(vcpu, after.crash, () => this.#act(after));
	}

	/** The guest can never go on by itself. False when that is nobody's business now. */
	async #guestHalted(): Promise<boolean> {
		const {actions, debug, stuck} = this.#parts;
		if (this.#state !== 'running' || debug.isAttached) return false;
		stuck();
		const {halt: action} = actions;
		if (action === 'none') return true;
		await this.#halt();
		this.#become('halted');
		await this.#act({action, end: (status) => ({kind: 'halt', status})});
		return true;
	}

	/** Ends the machine: what follows a guest's stop could not be done. */
	#fail(cause: unknown): Promise<void> {
		return this.#finish({kind: 'error', error: failureData(cause, 'The machine could not go on')});
	}

	/** Dumps the guest where that is wanted. With a debugger attached, what follows waits for it. */
	async #crashed(vcpu: number, reason: string, follow: () => Promise<void>): Promise<void> {
		await this.#dump();
		if (!this.#parts.debug.hold({kind: 'crash', vcpu, reason}, follow)) await follow();
	}

	#dump(): Promise<void> {
		const signal = this.#turns.signal();
		const write = (path: string) => abortable('dump-core', signal, () => writeMachineCore(this.#parts, path, {signal}));
		return this.#parts.crashDump(write);
	}

	/** @param staysPaused - where the machine starts again, it waits for its owner */
	async #act({action, end, afterReset, crash}: AfterEvent, staysPaused = false): Promise<void> {
		const {debug, halted} = this.#parts;
		if (action === 'halt') {
			debug.report({kind: 'ended', end: end(0)});
			return halted(end(0));
		}
		if (action !== 'reset') return this.#finish(end(action.exit));
		const restart = async () => {
			await this.#powerOn();
			afterReset?.();
		};
		// Whoever debugs it sees each of them.
		const verdict = debug.isAttached ? noPause : this.#resets.asked();
		if (verdict.kind === 'loop') {
			// A kernel that panics starts again; what it has in memory says why. That of a crash is there already.
			if (crash === undefined) await this.#dump();
			return this.#finish({kind: 'reset-loop', resets: verdict.resets});
		}
		if (verdict.afterMs > 0 && !staysPaused) return this.#restartAfter(verdict.afterMs, restart);
		await restart();
		if (staysPaused) this.#become('paused');
		else await this.#run();
	}

	/** Starts the guest again later; operations go on meanwhile, and may do it sooner or not at all. */
	#restartAfter(ms: number, restart: () => Promise<void>): void {
		const timer = setTimeout(() => {
			this.#follow(async () => {
				if (this.#waiting?.timer !== timer) return;
				await this.#takeWaiting()?.restart();
				await this.#run();
			});
		}, ms);
		this.#waiting = {timer, restart};
	}

	#takeWaiting() {
		const waiting = this.#waiting;
		clearTimeout(waiting?.timer);
		this.#waiting = undefined;
		return waiting;
	}

	/** Ends the machine, whatever of it still works, and once. Never rejects. */
	#finish(end: VmEnd): Promise<void> {
		this.#finishing ??= this.#tearDown(end);
		return this.#finishing;
	}

	async #tearDown(end: VmEnd): Promise<void> {
		const {devices, debug, limits, ram} = this.#parts;
		if (end.kind === 'crash' || end.kind === 'error') ram.watch.look();
		const halt = this.#state === 'running' ? () => this.#halt() : undefined;
		this.#beginEnd('the machine is over');
		this.#become('stopped');
		this.#takeWaiting();
		debug.takeHeld();
		const steps = endSteps(this.#parts, halt, () => this.#turns.besideEnded(limits.restMs));
		const how = await tearDown(end, steps, limits.endStepMs);
		devices.abandon();
		// A guest that has lost memory may have ended in any way for that.
		const {loss} = ram.watch;
		this.#end(loss === undefined ? how : {kind: 'error', error: loss.toData()});
	}

	/** Begins the end, and gives up what is under way and takes long. */
	#beginEnd(reason: string): void {
		this.#isEnding = true;
		this.#turns.giveUp(reason);
	}

	/** A machine that is over stays over, whatever an operation does that was under way. */
	#become(state: VmState): void {
		if (this.#state !== 'stopped') this.#state = state;
	}
}

/** Stops after which a vCPU cannot go on. */
const fatal: readonly StopReason['kind'][] = ['failed', 'crash'];

const noPause = {kind: 'reset', afterMs: 0} as const;
