import type {ControlClient} from '#main/control';
import {frameName} from '#main/profile';
import {type GivenSymbols, type GuestKernel, guestSymbols, SymbolTable} from '#main/symbols';
import {isVmmError} from '#support/errors';
import {pathsOf, type Table} from './columns.ts';
import type {HotSpot, TopView, VcpuNumbers} from './top-text.ts';

/** Rounds between two looks for a kernel's symbols, while none have been found. */
const kernelEvery = 10;

/** Answers of the operations `samples` and `kernel-symbols`. */
interface SamplesAnswer {
	readonly hottest: readonly {readonly address: string; readonly ms: number}[];
	readonly ms: number;
	readonly waitingMs: number;
}
interface KernelAnswer {
	readonly stext?: string;
	readonly symbols?: readonly (readonly [address: string, name: string])[];
}

/** Part of a machine's tree. */
interface Tree {
	readonly value?: unknown;
	readonly children?: readonly (readonly [name: string, child: Tree])[];
}
/** Numbers lie no deeper below a part of a processor's tree. */
const partDepth = 2;

/** A running machine that is looked at again and again. */
export class WatchedMachine {
	readonly #client: Pick<ControlClient, 'call' | 'hello'>;
	readonly #given: GivenSymbols;
	readonly #paths: readonly string[];
	#rounds = 0;
	#symbols = new SymbolTable([]);
	#hasKernel = false;
	#before: readonly VcpuNumbers[] | undefined;
	#beforeAt = 0;

	/** @param given - symbols beside those of the guest's kernel */
	constructor(client: Pick<ControlClient, 'call' | 'hello'>, tables: readonly Table[], given: GivenSymbols) {
		this.#client = client;
		this.#paths = pathsOf(tables);
		this.#given = given;
	}

	/** Looks for some time. @throws VmmError of the machine, CONTROL_CONNECTION_LOST */
	async look(timeMs: number): Promise<TopView> {
		if (!this.#hasKernel && this.#rounds++ % kernelEvery === 0) await this.#findKernel();
		const before = this.#before ?? (await this.#numbers());
		const beforeAt = this.#before === undefined ? performance.now() : this.#beforeAt;
		const samples = (await this.#client.call('samples', {timeMs})) as SamplesAnswer;
		const after = await this.#numbers();
		this.#before = after;
		this.#beforeAt = performance.now();
		const {state} = (await this.#client.call('status')) as {readonly state: string};
		const {name, pid} = this.#client.hello;
		return {
			title: `openvmm top: ${name === undefined ? pid : `${name} (${pid})`}, ${state}`,
			before,
			after,
			seconds: (this.#beforeAt - beforeAt) / 1000,
			hottest: this.#hotSpots(samples),
			waiting: samples.ms === 0 ? 0 : samples.waitingMs / samples.ms,
		};
	}

	async #findKernel(): Promise<void> {
		const {stext, symbols = []} = (await this.#client.call('kernel-symbols')) as KernelAnswer;
		const named = symbols.map(([address, name]) => ({address: BigInt(address), size: 0, name}));
		const kernel: GuestKernel | undefined = stext === undefined ? undefined : {stext: BigInt(stext), symbols: named};
		this.#hasKernel = kernel !== undefined;
		this.#symbols = guestSymbols(this.#given, kernel);
	}

	#hotSpots({hottest, ms, waitingMs}: SamplesAnswer): HotSpot[] {
		const spent = new Map<string, number>();
		for (const {address, ms: here} of hottest) {
			const name = frameName(BigInt(address), this.#symbols);
			spent.set(name, (spent.get(name) ?? 0) + here);
		}
		const all = ms - waitingMs;
		return [...spent].sort(([, a], [, b]) => b - a).map(([name, here]) => ({name, part: here / all}));
	}

	async #numbers(): Promise<VcpuNumbers[]> {
		const {children = []} = (await this.#inspect('vm/vcpus', 1)) ?? {};
		return Promise.all(children.map(([name]) => this.#numbersOf(`vm/vcpus/${name}`)));
	}

	/** Of a processor: it is asked for each part of its tree that has some of them, once. */
	async #numbersOf(vcpu: string): Promise<VcpuNumbers> {
		const trees = new Map<string, Promise<Tree | undefined>>();
		const numbers = new Map<string, number>();
		for (const path of this.#paths) {
			const [part = '', ...names] = path.split('/');
			const tree = trees.get(part) ?? this.#inspect(`${vcpu}/${part}`, partDepth);
			trees.set(part, tree);
			const value = names.reduce((at, name) => at?.children?.find(([other]) => other === name)?.[1], await tree)?.value;
			if (typeof value === 'number') numbers.set(path, value);
		}
		return numbers;
	}

	/** Undefined for what the machine does not have. */
	async #inspect(path: string, depth: number): Promise<Tree | undefined> {
		try {
			return (await this.#client.call('inspect', {path, depth})) as Tree;
		} catch (error) {
			if (isVmmError(error, 'INSPECT_PATH_NOT_FOUND')) return undefined;
			throw error;
		}
	}
}
