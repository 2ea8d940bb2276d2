import type {Timer} from '#support/reactor';
import type {Clock} from '../clock.ts';
import {type AddressKind, AddressKinds} from './address-kind.ts';
import type {KnownNames} from './known-names.ts';
import {namesName, type Rule} from './rule.ts';
import type {Attempt, Decide, Decision, Verdict} from './verdict.ts';

/** What is closed unless a rule opens it: the host itself and metadata, private networks too, everything. */
export type Closed = 'host' | 'private' | 'all';

export interface PolicyOptions {
	readonly closed: Closed;
	readonly allow: readonly Rule[];
	readonly clock: Pick<Clock, 'after'>;
	/** Decides about what no rule opens. */
	readonly connect?: Decide | undefined;
	/** Told of each decision. */
	readonly decided?: ((decision: Decision) => void) | undefined;
	readonly kinds?: AddressKinds | undefined;
}

/** The time that a program's function has, in milliseconds. */
export const patienceMs = 10_000;

/** Letters of a decision's reason or end that are kept: a program may say anything. */
const mostDetail = 1024;

/** Kinds of addresses that are closed by each word. Nothing opens what nobody can connect to. */
const closedKinds: Record<Closed, readonly AddressKind[]> = {
	host: ['host', 'metadata'],
	private: ['host', 'metadata', 'private'],
	all: ['host', 'metadata', 'private', 'public'],
};

/** Why nobody is at an end that is neither a guest's forward nor outside: a port of the gateway's, or an address of the network itself. */
export const nobodyAt = (isGateway: boolean): Verdict =>
	refuse(isGateway ? 'the gateway has nothing at that port' : 'an address of the network itself is nowhere but there');

const refuse = (reason: string): Verdict => ({kind: 'refuse', reason});

/** Decides what guests may reach, and tells of each decision. */
export class Policy {
	/** Names keep their addresses, since they decide. */
	readonly pinsNames: boolean;
	/** Somebody is asked, who may take his time: guests share what may be under way. */
	readonly asks: boolean;
	readonly #options: PolicyOptions;
	readonly #kinds: AddressKinds;

	constructor(options: PolicyOptions) {
		this.#options = options;
		this.#kinds = options.kinds ?? new AddressKinds();
		this.asks = options.connect !== undefined;
		this.pinsNames = options.closed === 'all' || options.connect !== undefined;
	}

	/** Decides about a connection, about datagrams to one address and port, or about echo requests to an address. */
	async connection(attempt: Attempt & {address: string}, names: KnownNames): Promise<Verdict> {
		return this.#told(attempt, await this.#connection(attempt, names));
	}

	/** Decides about a question of DNS. */
	async question(attempt: Attempt & {name: string}): Promise<Verdict> {
		return this.#told(attempt, await this.#question(attempt));
	}

	/** Tells of what was decided elsewhere: by whoever has made the machine, or since nobody is there. */
	told(attempt: Attempt, verdict: Verdict): Verdict {
		return this.#told(attempt, verdict);
	}

	/** Addresses of a name that its guest is told of: that a rule for the name opens, or of which a rule for the address opens some port. */
	openAddresses(addresses: readonly string[]): readonly string[] {
		return addresses.filter((address) => {
			const kind = this.#kinds.of(address);
			return (
				this.#isOpenToNames(kind) || (kind !== 'never' && this.#options.allow.some((rule) => rule.hasAddress(address)))
			);
		});
	}

	async #connection(attempt: Attempt & {address: string}, names: KnownNames): Promise<Verdict> {
		const {address, port} = attempt;
		const kind = this.#kinds.of(address);
		if (kind === 'never') return refuse('nobody has such an address');
		// It stands for no port at all (RFC 6335, 6): no socket can be told to send there.
		if (port === 0) return refuse('nobody has port 0');
		if (this.#isAllowed(address, port, kind, names)) return {kind: 'allow'};
		const closed = closedKinds[this.#options.closed];
		if (this.#options.connect === undefined)
			return closed.includes(kind) ? refuse(closedReason(kind)) : {kind: 'allow'};
		const verdict = await this.#ask(attempt);
		if (verdict.kind !== 'allow') return verdict;
		// The function may have taken its time, in which the host may have got that address.
		const kindNow = this.#kinds.of(address);
		return kindNow !== 'public' && closed.includes(kindNow) ? refuse(closedReason(kindNow)) : verdict;
	}

	/** @param port - undefined for what has none: a rule that names some does not open that */
	#isAllowed(address: string, port: number | undefined, kind: AddressKind, names: KnownNames): boolean {
		const known = this.#isOpenToNames(kind) ? names.namesOf(address) : [];
		return this.#options.allow.some((rule) => {
			if (!rule.hasPort(port ?? 0)) return false;
			if (rule.hasAddress(address) || (rule.isAny && kind === 'public')) return true;
			return known.some((name) => namesName(rule, name));
		});
	}

	/** A rule for a name opens no other address: who owns the name says where it leads. What else is open there a rule for the address says, by its ports. */
	#isOpenToNames(kind: AddressKind): boolean {
		return kind === 'public' || (kind === 'private' && this.#options.closed === 'host');
	}

	async #question(attempt: Attempt & {name: string}): Promise<Verdict> {
		const {allow, connect, closed} = this.#options;
		if (allow.some((rule) => rule.isAny || namesName(rule, attempt.name))) return {kind: 'allow'};
		if (connect !== undefined) return this.#ask(attempt);
		return closed === 'all' ? refuse('no rule names it') : {kind: 'allow'};
	}

	async #ask(attempt: Attempt): Promise<Verdict> {
		const {connect} = this.#options;
		let timer: Timer | undefined;
		try {
			const late = new Promise<Verdict>((resolve) => {
				const reason = `the function has not decided within ${patienceMs / 1000} s`;
				timer = this.#options.clock.after(patienceMs, () => resolve(refuse(reason)));
			});
			const verdict = await Promise.race([connect?.({...attempt}) ?? refuse('nobody decides'), late]);
			return isVerdict(verdict, attempt) ? verdict : refuse('the function gave no decision that it can give');
		} catch (error) {
			return refuse(`the function failed: ${error instanceof Error ? error.message : String(error)}`);
		} finally {
			timer?.cancel();
		}
	}

	#told({guest, protocol, name, address, port}: Attempt, verdict: Verdict): Verdict {
		this.#options.decided?.({guest, protocol, name, address, port, kind: verdict.kind, detail: detailOf(verdict)});
		return verdict;
	}
}

const closedReason = (kind: AddressKind): string =>
	({
		host: 'the host itself is closed',
		metadata: 'metadata and link-local addresses are closed',
		private: 'private networks are closed',
		public: 'no rule allows it',
		never: 'nobody has such an address',
	})[kind];

/** A program's function may be anybody's: what it gives is looked at. */
function isVerdict(value: Verdict | undefined, {protocol}: Attempt): value is Verdict {
	if (value === null || typeof value !== 'object') return false;
	if (value.kind === 'allow') return true;
	if (value.kind === 'refuse') return typeof value.reason === 'string';
	if (value.kind === 'answer') return protocol === 'tcp' && typeof value.open === 'function';
	const {address, port} = value;
	const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
	return protocol !== 'dns' && value.kind === 'redirect' && typeof address === 'string' && isPort;
}

function detailOf(verdict: Verdict): string {
	if (verdict.kind === 'refuse') return verdict.reason.slice(0, mostDetail);
	return verdict.kind === 'redirect' ? `${verdict.address.slice(0, mostDetail)} port ${verdict.port}` : '';
}
