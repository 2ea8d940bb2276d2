import type {BackParts} from '#devices/device';
import type {VmmError} from '#support/errors';
import type {PathHost} from '#support/options';
import type {Reactor} from '#support/reactor';
import type {KeepObject} from '#support/rpc';
import type {Endpoint, EndpointReport, Nic} from './endpoint.ts';

/** What an endpoint is made from, as plain data. */
export interface EndpointSource {
	readonly kind: string;
}

/** What a NIC's worker has for its endpoint. */
export interface EndpointHost extends Pick<BackParts, 'track' | 'program' | 'noticed'> {
	readonly reactor: Reactor;
	/** Memory that the machine's owner looks at too, zero at first, and where in it the endpoint has its own. */
	readonly memory: SharedArrayBuffer;
	readonly offset: number;
	/** Memory that all endpoints of this process have in common which name it alike: see {@link EndpointKind.common}. */
	readonly common: SharedArrayBuffer | undefined;
}

/** A kind of endpoint, whole: how it is written, what is wrong with it, how it is opened, and what there is to tell of it. */
export interface EndpointKind<S extends EndpointSource> {
	/** Word that it begins with where it is written; what follows stands behind a colon. */
	readonly prefix: string;
	/** How it is written, for errors and help. */
	readonly form: string;
	/**
	 * @param text - all behind the prefix and its colon; undefined where there is no colon
	 * @param option - names it in errors: `--virtio-net`
	 * @throws VmmError with a `CONFIG_` code for words that are no such endpoint
	 */
	parse(text: string | undefined, option: string): S;
	/** True for data that is such an endpoint; it may be anybody's, and its `kind` is right. */
	isRight(fields: Readonly<Record<string, unknown>>): boolean;
	/** Says what is wrong with it on this host. */
	checkHost?(source: S, option: string, host: PathHost): VmmError | undefined;
	/** Takes what is the program's out of it: see `ValueType.detach`. */
	detach?(source: S, keep: KeepObject): S;
	/** Bytes of {@link EndpointHost.memory} that one has, a multiple of 8. */
	sharedBytes(source: S): number;
	/** Memory that it has in common with others of its process: what tells it from other such memory, and its length. */
	common?(source: S): {readonly name: string; readonly bytes: number} | undefined;
	/**
	 * Opens what it needs of the host. It passes nothing on before {@link Endpoint.start}.
	 * @throws VmmError that says what cannot be had
	 */
	open(source: S, nic: Nic, host: EndpointHost): Promise<Endpoint> | Endpoint;
	/** What there is to tell, from the memory that it has. */
	report?(source: S, memory: SharedArrayBuffer, offset: number): EndpointReport;
}
