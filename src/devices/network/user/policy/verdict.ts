import type {Duplex} from 'node:stream';

/** What a guest wants to reach. */
export interface Attempt {
	/** The machine's name on its network. */
	readonly guest: string;
	/** A question about a name, of DNS, has neither address nor port. */
	readonly protocol: 'tcp' | 'udp' | 'dns';
	/** By which the guest has asked for the address last, in DNS; undefined for an address that it has from elsewhere. */
	readonly name: string | undefined;
	readonly address: string | undefined;
	readonly port: number | undefined;
}

/**
 * What becomes of it: it goes where it wants to, nowhere, elsewhere on the host's network, or to somebody in this process, for TCP
 * alone, who is given the other end of the guest's connection.
 */
export type Verdict =
	| {readonly kind: 'allow'}
	| {readonly kind: 'refuse'; readonly reason: string}
	| {readonly kind: 'redirect'; readonly address: string; readonly port: number}
	| {readonly kind: 'answer'; readonly answer: (stream: Duplex) => void};

/** Decides about what rules do not close. A function that throws, or does not come to an end, has refused. */
export type ConnectFunction = (attempt: Attempt) => Verdict | Promise<Verdict>;

/** One decision, as it is told. */
export interface Decision extends Attempt {
	readonly kind: Verdict['kind'];
	/** Why, or where to. */
	readonly detail: string;
}
