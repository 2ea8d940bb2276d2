import type {AccessSize} from '#devices/device';
import type {MappedRange} from '#devices/guest-memory';
import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import type {ErrorData} from '#support/errors';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {DebugPlan, DebugStop} from '#vcpu-worker/debug';
import type {CpuBackend, ExitKind, ProcessorPlace, Resumption, VcpuWiring} from '#vcpu-worker/hypervisor';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import type {VcpuState} from '#vcpu-worker/state';
import {sampleState} from '#vcpu-worker/state/testing';
import {FakeLevels} from './fake-levels.ts';
import type {ExitStep, GuestScript, GuestSide, GuestStep} from './guest-script.ts';
import type {PageGuards} from './page-guards.ts';
import {type SavedPlace, ScriptPlace} from './script-place.ts';

/** Moment at which the test may look, interfere or fail: before the call does anything, but for `left`. */
export type VcpuMoment = 'clear kick' | 'kick cleared' | 'run' | 'left' | 'serve' | 'complete' | 'save' | 'close';

/** A processor's part of its partition. */
export interface VcpuSurroundings {
	readonly index: number;
	readonly cpuid: readonly CpuidEntry[];
	readonly script: GuestScript;
	readonly regions: readonly MappedRange[];
	/** Rights that trust levels leave. */
	readonly guards: PageGuards;
	/** The guest has stored to these bytes of RAM. */
	stored(gpa: number, size: AccessSize): void;
	/** INIT and a start-up message go to the processor with this APIC id. */
	startOther(apicId: number): void;
	/** Nanoseconds, as the test has them. */
	now(): number;
	moment(moment: VcpuMoment): void;
}

/** Names the fake's handles and snapshots. */
export const fakeKind = 'fake';

const counterKhz = 1_000_000;
const nmiVector = 2;
/** RFLAGS.IF (Intel SDM vol. 1, 3.4.3.3). */
const interruptFlag = 1n << 9n;
/** Steps without an exit that a script makes in a row: more are a loop that holds its thread for ever. */
const maxInside = 1_000_000;

/** A processor whose guest is a script, and which parks at its end. It shares its thread with all others. */
export class FakeVcpu implements CpuBackend, GuestSide {
	/** Non-maskable interrupts that it got. */
	nmis = 0;
	interruptsOn = true;
	readonly levels: FakeLevels;
	readonly #at: VcpuSurroundings;
	#wiring: VcpuWiring;
	/** Place in the script of each trust level. */
	#places: readonly ScriptPlace[] = [];
	/** The exit that is to be completed, and what the script is told then. */
	#exit: {readonly step: ExitStep; readonly parts: Iterator<ExitKind>; answer: number} | undefined;
	#registers: ProcessorRegisters = sampleRegisters({});
	#pending: number[] = [];
	#plan: DebugPlan | undefined;
	#debugExit: DebugStop | undefined;
	#error: ErrorData | undefined;
	#counterOffset = 0n;
	#isKicked = false;
	/** The run ends where the guest can take an interrupt. */
	#wantsWindow = false;
	#isWoken = false;
	#isStarted = false;
	#isClosed = false;
	#wake: () => void = () => {};

	constructor(at: VcpuSurroundings, wiring: VcpuWiring) {
		this.#at = at;
		this.#wiring = wiring;
		this.levels = new FakeLevels(at.guards, {
			read: () => this.readRegisters(),
			write: ({general, special}) => {
				this.interruptsOn = (general.rflags & interruptFlag) !== 0n;
				this.#registers = {...this.#registers, general, special};
			},
		});
		this.#goTo([]);
	}

	/** Steps that the guest has done since power-on. */
	get steps(): number {
		return this.#place.steps;
	}

	get isStarted(): boolean {
		return this.#isStarted;
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	cpuid(leaf: number): number {
		return (this.#at.cpuid.find((entry) => entry.function === leaf)?.eax ?? 0) >>> 0;
	}

	load(gpa: number, size: AccessSize): number | undefined {
		const ram = this.#ramAt(gpa, size);
		if (ram === undefined || size === 4) return ram?.getUint32(0, true);
		return size === 2 ? ram.getUint16(0, true) : ram.getUint8(0);
	}

	store(gpa: number, size: AccessSize, value: number): boolean {
		const ram = this.#ramAt(gpa, size);
		if (size === 4) ram?.setUint32(0, value, true);
		else if (size === 2) ram?.setUint16(0, value, true);
		else ram?.setUint8(0, value);
		if (ram !== undefined) this.#at.stored(gpa, size);
		return ram !== undefined;
	}

	startOther(apicId: number): void {
		this.#at.startOther(apicId);
	}

	/** INIT and a start-up message have come. */
	start(): void {
		this.reset();
		this.#isStarted = true;
		this.wake();
	}

	/** The next run ends at once, or the park. */
	kick(): void {
		this.#isKicked = true;
		this.wake();
	}

	wake(): void {
		this.#isWoken = true;
		this.#wake();
	}

	/** An interrupt comes from an interrupt controller. */
	deliver(vector: number): void {
		this.#pending.push(vector);
		this.wake();
	}

	takeInterrupt(): number | undefined {
		// They are of level 0.
		if (this.levels.current !== 0) return undefined;
		const taken = this.#pending.findIndex((vector) => this.interruptsOn || vector === nmiVector);
		return taken < 0 ? undefined : this.#pending.splice(taken, 1)[0];
	}

	connect(wiring: VcpuWiring): void {
		this.#wiring = wiring;
	}

	clearKick(): void {
		this.#at.moment('clear kick');
		this.#isKicked = false;
		this.#at.moment('kick cleared');
	}

	run(): ExitKind {
		this.#at.moment('run');
		if (this.#isClosed) throw new TypeError(`vCPU ${this.#at.index} runs, and is closed`);
		const exit = this.#run();
		this.#at.moment('left');
		return exit;
	}

	serve(): void {
		this.#at.moment('serve');
		if (this.#exit !== undefined) this.#exit.answer = this.#exit.step.serve?.(this.#wiring) ?? 0;
	}

	async kicked(): Promise<void> {
		if (this.#isWoken) return;
		await new Promise<void>((resolve) => {
			this.#wake = resolve;
		});
	}

	completeExit(): ExitKind {
		this.#at.moment('complete');
		return this.#complete();
	}

	failure(): ErrorData {
		return this.#error ?? {code: 'FAKE_FAILED', message: 'The script says so', context: {}};
	}

	readGeneral(): GeneralRegisters {
		const {general} = this.#registers;
		const flags = this.interruptsOn ? general.rflags | interruptFlag : general.rflags & ~interruptFlag;
		return {...general, rflags: flags};
	}

	writeGeneral(general: GeneralRegisters): void {
		this.#registers = {...this.#registers, general};
	}

	readSpecial(): SpecialRegisters {
		return this.#registers.special;
	}

	writeSpecial(special: SpecialRegisters): void {
		this.#registers = {...this.#registers, special};
	}

	get readyForInterrupt(): boolean {
		return this.interruptsOn;
	}

	requestInterruptWindow(wanted: boolean): void {
		this.#wantsWindow = wanted;
	}

	interrupt(vector: number): void {
		this.deliver(vector);
	}

	nmi(): void {
		this.nmis++;
		this.deliver(nmiVector);
	}

	details() {
		const {next} = this.#place;
		if (next === undefined) return {activity: 'uninitialized'};
		return {activity: ('answer' in next ? next.activity : undefined) ?? 'runnable'};
	}

	place(): ProcessorPlace {
		return {isWaiting: this.details().activity !== 'runnable'};
	}

	debug(plan: DebugPlan | undefined): void {
		this.#plan = plan;
	}

	takeDebugExit(): DebugStop | undefined {
		const stop = this.#debugExit;
		this.#debugExit = undefined;
		return stop;
	}

	readRegisters(): ProcessorRegisters {
		return {...this.#registers, general: this.readGeneral()};
	}

	writeRegisters(changes: RegisterChanges): void {
		this.#registers = {...this.#registers, ...changes};
	}

	reset(): void {
		this.#registers = sampleRegisters({});
		this.#pending = [];
		this.nmis = 0;
		this.interruptsOn = true;
		this.#isStarted = false;
		this.levels.reset();
		this.#goTo([]);
	}

	readCounter() {
		return {value: this.#counter, khz: counterKhz};
	}

	resume({counter, shift}: Resumption): bigint {
		const change = shift ?? BigInt.asUintN(64, counter - this.#counter);
		this.#counterOffset += change;
		return change;
	}

	save(counter = this.#counter): VcpuState {
		this.#at.moment('save');
		const {nmis, interruptsOn, isStarted} = this;
		const state = sampleState(this.readRegisters());
		const places = this.#places.map((place) => place.save());
		const [pending, levels] = [[...this.#pending], this.levels.save()];
		const data: FakeState = {
			places,
			pending,
			nmis,
			interruptsOn,
			isStarted,
			counterOffset: String(this.#counterOffset),
		};
		return {
			...state,
			msrs: new Map([...state.msrs, ...this.levels.registers(this.levels.current).msrs]),
			clock: {khz: counterKhz, counter},
			...(levels && {levels}),
			extension: {kind: fakeKind, data},
		};
	}

	/** A state of another back end says nothing of the script, which begins anew. */
	restore({general, special, clock, msrs, levels, extension}: VcpuState, counterShift?: bigint): bigint {
		this.reset();
		// A host that cannot tell the offset has saved all counters as of one moment.
		let offset = clock.counter;
		if (extension?.kind === fakeKind) {
			const {places, pending, nmis, interruptsOn, isStarted, counterOffset} = extension.data as FakeState;
			offset = BigInt(counterOffset);
			this.#pending = [...pending];
			this.nmis = nmis;
			this.interruptsOn = interruptsOn;
			this.#isStarted = isStarted;
			this.#goTo(places);
		}
		this.#registers = {...this.#registers, general, special};
		if (levels !== undefined) this.levels.restore(levels, msrs);
		const change = counterShift ?? clock.counter - (this.#counter - this.#counterOffset) - offset;
		this.#counterOffset = offset + change;
		return change;
	}

	close(): void {
		this.#at.moment('close');
		this.#isClosed = true;
		for (const place of this.#places) place.end();
	}

	get #counter(): bigint {
		const ticks = (BigInt(Math.round(this.#at.now())) * BigInt(counterKhz)) / 1_000_000n;
		return BigInt.asUintN(64, this.#counterOffset + ticks);
	}

	#run(): ExitKind {
		this.#isWoken = false;
		const completed = this.#complete();
		if (completed !== 'interrupted') return completed;
		if (this.#isKicked) {
			this.#isKicked = false;
			return 'interrupted';
		}
		for (let inside = 0; inside < maxInside; inside++) {
			if (this.#wantsWindow && this.interruptsOn) return 'interrupted';
			const {next} = this.#place;
			if (next === undefined) return 'parked';
			if (this.#isAtBreakpoint()) return this.#stopsFor({kind: 'breakpoint'});
			const exit = this.#do(next);
			if (exit !== undefined) return exit;
		}
		throw new TypeError(`the script of vCPU ${this.#at.index} never leaves the guest`);
	}

	/** Does one step; undefined when the guest goes on. */
	#do(step: GuestStep): ExitKind | undefined {
		const {rip, rax} = this.#registers.general;
		const {interceptedAt = rip} = this.#place;
		this.#place.interceptedAt = undefined;
		if (interceptedAt !== rip) return this.#advance(Number(rax & 0xffff_ffffn), rip);
		if ('exit' in step) return this.#leave(step);
		const answer = 'inside' in step ? step.inside(this) : step.answer(this);
		if (answer === undefined) return 'parked';
		if (typeof answer === 'object') return this.#leave(answer);
		return this.#advance(answer);
	}

	#leave(step: ExitStep): ExitKind {
		this.#exit = {step, parts: (step.parts ?? [])[Symbol.iterator](), answer: 0};
		this.#error = step.error;
		if (step.exit === 'debug') this.#debugExit = step.stop;
		return step.exit;
	}

	/** Brings the last exit to its end, or to its next part. */
	#complete(): ExitKind {
		if (this.#exit === undefined) {
			this.levels.settle();
			return 'interrupted';
		}
		const part = this.#exit.parts.next();
		if (part.done !== true) return part.value;
		const {answer, step} = this.#exit;
		this.#exit = undefined;
		let stop: ExitKind | undefined;
		if (step.repeats) this.#place.interceptedAt = this.#registers.general.rip;
		else stop = this.#advance(answer);
		this.levels.settle();
		return stop ?? 'interrupted';
	}

	/** The step is done. `debug` where the debugger wants to know. */
	#advance(answer: number, to = this.#registers.general.rip + 1n): ExitKind | undefined {
		this.#place.tell(answer);
		const {general} = this.#registers;
		this.#registers = {...this.#registers, general: {...general, rip: to}};
		const step = this.#plan?.step ?? false;
		if (step === false) return undefined;
		const {rip} = this.#registers.general;
		const isInRange = typeof step === 'object' && rip >= step.start && rip < step.end;
		return isInRange ? undefined : this.#stopsFor({kind: 'step'});
	}

	/** The bytes of an access, which no guest makes across two regions. */
	#ramAt(gpa: number, size: number): DataView | undefined {
		const isIn = (region: MappedRange) => gpa >= region.gpa && gpa + size <= region.gpa + region.length;
		const region = this.#at.regions.find(isIn);
		if (region === undefined) return undefined;
		return new DataView(region.memory.buffer, region.offset + gpa - region.gpa, size);
	}

	#isAtBreakpoint(): boolean {
		if (this.#plan === undefined) return false;
		const {rip} = this.#registers.general;
		return this.#plan.stops.includes(rip) || this.#plan.breakpoints.includes(Number(rip));
	}

	#stopsFor(stop: DebugStop): ExitKind {
		this.#debugExit = stop;
		return 'debug';
	}

	get #place(): ScriptPlace {
		return this.#places[this.levels.current] as ScriptPlace;
	}

	/** Begins the scripts anew and leads each to where it was. */
	#goTo(saved: readonly SavedPlace[]): void {
		this.#exit = undefined;
		this.#places = ([0, 1, 2] as const).map((vtl) => new ScriptPlace(this.#at.script(this.#at.index, vtl), saved[vtl]));
	}
}

/** State of the processor beside its registers. */
interface FakeState {
	/** By trust level. */
	readonly places: readonly SavedPlace[];
	readonly pending: readonly number[];
	readonly nmis: number;
	readonly interruptsOn: boolean;
	readonly isStarted: boolean;
	/** Its time-stamp counter minus what the test's clock makes of it. */
	readonly counterOffset: string;
}
