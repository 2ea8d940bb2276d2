import type {Duplex} from 'node:stream';

/** What a guest wants to reach. */
export interface Attempt {
	/** The machine's name on its network. */
	readonly guest: string;
	/** A question about a name, of DNS, has neither address nor port; an echo request, of ICMP, no port. */
	readonly protocol: 'tcp' | 'udp' | 'icmp' | 'dns';
	/** By which the guest has asked for the address last, in DNS; undefined for an address that it has from elsewhere. */
	readonly name: string | undefined;
	readonly address: string | undefined;
	readonly port: number | undefined;
}

/** What becomes of it: it goes where it wants to, nowhere, or elsewhere on the host's network. */
type PlainVerdict =
	| {readonly kind: 'allow'}
	| {readonly kind: 'refuse'; readonly reason: string}
	/** The address may be a name of the host's network. */
	| {readonly kind: 'redirect'; readonly address: string; readonly port: number};

/** A verdict of a program's: it may be the other end itself, for TCP alone, and is then given the guest's connection. */
export type ProgramVerdict = PlainVerdict | {readonly kind: 'answer'; readonly answer: (stream: Duplex) => void};

/**
 * A program's function, which decides about what no rule opens. One that throws, does not come to an end, or gives something else has refused.
 * @param signal - nobody waits for the decision any more
 */
export type ConnectFunction = (attempt: Attempt, signal: AbortSignal) => ProgramVerdict | Promise<ProgramVerdict>;

/** What the network does. An answer's stream is what the guest is connected to. */
export type Verdict = PlainVerdict | {readonly kind: 'answer'; readonly open: () => Duplex};

/** Asks whoever decides about what no rule opens. It may fail, or never come to an end. */
export type Decide = (attempt: Attempt) => Verdict | Promise<Verdict>;

/** One decision, as it is told. That a name is refused for where it leads has the address. */
export interface Decision extends Attempt {
	readonly kind: Verdict['kind'];
	/** Why, or where to. */
	readonly detail: string;
}
