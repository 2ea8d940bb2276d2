import {availableParallelism} from 'node:os';
import {Allowance} from './allowance.ts';
import {Begins} from './begins.ts';
import {
	type Answer,
	areAlike,
	isMadeOf,
	type MadeRegion,
	type MadeTranslations,
	pageAt,
	pageOf,
	type Serving,
	type TranslationRequest,
} from './protocol.ts';

/** Bounds in bytes of WebAssembly, of which V8 makes some ten times as much machine code: 64 MiB for a machine. */
export const storeLimits = {
	machineBytes: 6.5 * 2 ** 20,
	/** All machines together. */
	bytes: 4 * 6.5 * 2 ** 20,
} as const;

/** Requests that are made at once, and that a machine can have waiting. */
const maxBatch = 16;
const maxWaiting = 256;
/** Regions that a machine may have made at once, and then in a second: a quarter of a thread's time. */
const burst = 4096;
const perSecond = 64;
/** Regions of a machine that begin alike, and of all that have left. */
const maxAlike = 8;
/** Requests that begin alike with which another one is compared while they wait: guests can have all of them begin so, and be 64 KiB each. */
const maxCompared = 4;

interface StoredModule {
	readonly number: number;
	readonly made: MadeTranslations;
	/** Whose translations made it. */
	readonly owner: MachineTranslations;
	/** Those that have been told of it. */
	readonly users: Set<User>;
	/** By which its regions are found. */
	readonly keys: {readonly key: string; readonly begin: number}[];
}

/** A region at one of the places where it can begin. */
interface StoredRegion extends Serving {
	readonly module: StoredModule;
	readonly region: MadeRegion;
}

/** A processor that asks. */
interface User {
	readonly machine: MachineTranslations;
	give(answer: Answer): void;
}

/** A request with those that wait for it. */
interface Waiting {
	readonly request: TranslationRequest;
	readonly key: string;
	readonly users: {readonly user: User; readonly id: number}[];
}

/** Makes translations of some requests, here or elsewhere. */
export type MakeTranslations = (
	requests: readonly TranslationRequest[],
) => MadeTranslations | Promise<MadeTranslations>;

/** Translations of all machines of a process: made once for equal bytes, and given to each processor that asks for them. */
export class TranslationStore {
	/** Tells what there may be. */
	readonly begins: Begins = new Begins(new SharedArrayBuffer(Begins.byteLength));
	readonly #make: MakeTranslations;
	readonly #limits: {readonly machineBytes: number; readonly bytes: number};
	/** By their numbers; the one that has been asked for last is the last. */
	readonly #modules = new Map<number, StoredModule>();
	/** By what {@link keysOf} says of the blocks at which they begin. */
	readonly #regions = new Map<string, StoredRegion[]>();
	/** Machines whose requests wait, each of which has its turn. */
	readonly #waiting = new Map<MachineTranslations, Waiting[]>();
	#making: readonly Waiting[] = [];
	#bytes = 0;
	#last = 0;
	/** Processors that have come to ask, of machines that are there. */
	#processors = 0;
	/** Of the host, as far as this process may use them. */
	readonly #cores: number;

	constructor(
		make: MakeTranslations,
		limits: {readonly machineBytes: number; readonly bytes: number} = storeLimits,
		cores: number = availableParallelism(),
	) {
		this.#make = make;
		this.#limits = limits;
		this.#cores = cores;
	}

	/** Bytes of WebAssembly of what is kept. */
	get bytes(): number {
		return this.#bytes;
	}

	/** Begins a machine. */
	enter(): MachineTranslations {
		return new MachineTranslations({
			joined: () => {
				this.#processors++;
				this.#tellTime();
			},
			asked: (user, request) => {
				this.#ask(user, request);
				this.#tellTime();
			},
			left: (machine) => {
				this.#leave(machine);
				this.#processors -= machine.processors;
				this.#tellTime();
			},
		});
	}

	/** Says whether there is time for more than what is needed: a core that no processor needs, and less waits than is made at once. */
	#tellTime(): void {
		const waiting = [...this.#waiting.values()].reduce((sum, own) => sum + own.length, 0);
		this.begins.hasTime = this.#processors < this.#cores && waiting < maxBatch;
	}

	/** Forgets a machine's processors. What was made for it stays; those of others who wait with it are to ask again. */
	#leave(machine: MachineTranslations): void {
		const waiting = this.#waiting.get(machine) ?? [];
		this.#waiting.delete(machine);
		for (const {users} of waiting) for (const {user, id} of users) user.give({kind: 'refused', id});
		for (const {users} of this.#modules.values())
			for (const user of users) if (user.machine === machine) users.delete(user);
	}

	#ask(user: User, request: TranslationRequest): void {
		const [key] = keysOf(request, request.pages[0].bytes, request.offset);
		const found = this.#find(key, request);
		if (found !== undefined) {
			this.#give(found, user, request.id);
			return;
		}
		const {id} = request;
		const own = this.#waiting.get(user.machine) ?? [];
		const same = [...this.#making, ...[...this.#waiting.values()].flat()]
			.filter((other) => other.key === key)
			.slice(0, maxCompared)
			.find((other) => areAlike(other.request, request));
		if (same !== undefined) same.users.push({user, id});
		else if (request.mayMake && own.length < maxWaiting && user.machine.allowance.spend()) {
			own.push({request, key, users: [{user, id}]});
			this.#waiting.set(user.machine, own);
			this.#go();
		} else user.give({kind: 'refused', id});
	}

	/** A region that begins where the request wants one, of the same bytes. */
	#find(key: string, request: TranslationRequest): StoredRegion | undefined {
		return this.#regions.get(key)?.find(({region, begin}) => isMadeOf(region, begin, request));
	}

	#give({module, region, index, begin}: StoredRegion, user: User, id: number): void {
		// It would keep the machine's memory.
		if (user.machine.hasLeft) return;
		const {number, made} = module;
		module.users.add(user);
		this.#modules.delete(number);
		this.#modules.set(number, module);
		user.give({kind: 'made', id, number, module: made.module, bytes: made.bytes, region, index, begin});
	}

	/** Has the next requests made, if none are. */
	#go(): void {
		if (this.#making.length > 0) return;
		const batch = this.#next();
		if (batch.length === 0) return;
		this.#making = batch;
		const owner = (batch[0] as Waiting).users[0]?.user.machine as MachineTranslations;
		const done = (made: MadeTranslations) => {
			this.#making = [];
			this.#keep(owner, made, batch);
			this.#go();
			this.#tellTime();
		};
		const failed = () => {
			this.#making = [];
			for (const {users} of batch) for (const {user, id} of users) user.give({kind: 'refused', id});
			this.#go();
			this.#tellTime();
		};
		const made = this.#make(batch.map(({request}) => request));
		if (made instanceof Promise) made.then(done, failed);
		else done(made);
	}

	/** Takes the requests of the machine whose turn it is, but for those that are answered meanwhile. */
	#next(): readonly Waiting[] {
		for (const [machine, waiting] of this.#waiting) {
			this.#waiting.delete(machine);
			const batch: Waiting[] = [];
			for (
				let next = waiting.shift();
				next !== undefined;
				next = batch.length < maxBatch ? waiting.shift() : undefined
			) {
				const found = this.#find(next.key, next.request);
				if (found === undefined) batch.push(next);
				else for (const {user, id} of next.users) this.#give(found, user, id);
			}
			// Behind those of all others.
			if (waiting.length > 0) this.#waiting.set(machine, waiting);
			if (batch.length > 0) return batch;
		}
		return [];
	}

	#keep(owner: MachineTranslations, made: MadeTranslations, batch: readonly Waiting[]): void {
		const module: StoredModule = {number: ++this.#last, made, owner, users: new Set(), keys: []};
		this.#modules.set(module.number, module);
		this.#bytes += made.bytes;
		owner.bytes += made.bytes;
		for (const [number, {request, users}] of batch.entries()) {
			const {index, begin} = made.servings[number] as Serving;
			const region = made.regions[index] as MadeRegion;
			const isKept = (other: StoredRegion, place: number) => other.region === region && other.begin === place;
			for (const entry of region.entries) {
				const place = region.places[entry] as number;
				const page = pageAt(request, pageOf(place) - pageOf(begin));
				if (page === undefined) continue;
				const [key, first] = keysOf(request, page.bytes, place - pageOf(place));
				const alike = this.#regions.get(key) ?? [];
				if (alike.some((other) => isKept(other, place))) continue;
				module.keys.push({key, begin: first});
				this.begins.change(first, 1);
				this.#regions.set(key, withNewest({module, index, region, begin: place}, alike));
			}
			for (const {user, id} of users) this.#give({module, index, region, begin}, user, id);
		}
		while (owner.bytes > this.#limits.machineBytes) this.#drop(owner);
		while (this.#bytes > this.#limits.bytes) {
			const owners = [...this.#modules.values()].map((each) => each.owner);
			this.#drop(owners.reduce((most, each) => (each.bytes > most.bytes ? each : most)));
		}
	}

	/** Drops the module of a machine that nobody has asked for longest. */
	#drop(owner: MachineTranslations): void {
		for (const module of this.#modules.values()) {
			if (module.owner !== owner) continue;
			const {number, made, users, keys} = module;
			this.#modules.delete(number);
			this.#bytes -= made.bytes;
			owner.bytes -= made.bytes;
			for (const {key, begin} of keys) {
				this.begins.change(begin, -1);
				const left = this.#regions.get(key)?.filter((stored) => stored.module !== module) ?? [];
				if (left.length > 0) this.#regions.set(key, left);
				else this.#regions.delete(key);
			}
			for (const user of users) user.give({kind: 'dropped', number});
			return;
		}
	}
}

/** Regions that begin alike, with one more, for which no machine but its own has to give up one. */
function withNewest(newest: StoredRegion, alike: readonly StoredRegion[]): StoredRegion[] {
	const counts = new Map<MachineTranslations | undefined, number>();
	return [newest, ...alike].filter(({module: {owner}}) => {
		const whose = owner.hasLeft ? undefined : owner;
		const count = (counts.get(whose) ?? 0) + 1;
		counts.set(whose, count);
		return count <= maxAlike;
	});
}

/** What the store does for a machine. */
interface StoreOfMachine {
	joined(): void;
	asked(user: User, request: TranslationRequest): void;
	left(machine: MachineTranslations): void;
}

/** A machine's share of the store. */
export class MachineTranslations {
	/** Bytes of WebAssembly that have been made for it and are kept. */
	bytes = 0;
	/** What it may have made. */
	readonly allowance: Allowance = new Allowance(burst, perSecond);
	readonly #store: StoreOfMachine;
	/** Its processors, which are told nothing more when it has left. */
	processors = 0;
	hasLeft = false;

	constructor(store: StoreOfMachine) {
		this.#store = store;
	}

	/** Begins a processor. @param give - tells it an answer @returns what it asks by */
	join(give: (answer: Answer) => void): (request: TranslationRequest) => void {
		const user: User = {machine: this, give: (answer) => this.hasLeft || give(answer)};
		this.processors++;
		this.#store.joined();
		return (request) => this.#store.asked(user, request);
	}

	/** Ends it. */
	leave(): void {
		this.hasLeft = true;
		this.#store.left(this);
	}
}

/** What is alike of all regions that may serve a request of a block: where and how they begin; and the part of it that {@link Begins} goes by. */
function keysOf(
	{codeSize, features, looksAlone = false}: TranslationRequest,
	page: Uint8Array,
	offset: number,
): readonly [key: string, begin: number] {
	const begin = Begins.keyOf(page, offset, codeSize);
	return [`${begin} ${offset} ${codeSize} ${features} ${looksAlone}`, begin];
}
