import type {Endpoint} from './endpoint.ts';

/** An endpoint that is all another one is, but for what is given: what stands between a NIC and its endpoint. */
export const endpointOver = (endpoint: Endpoint, changed: Partial<Endpoint>): Endpoint => ({
	takes: endpoint.takes,
	start: () => endpoint.start(),
	send: (frame, pair) => endpoint.send(frame, pair),
	room: () => endpoint.room(),
	stop: () => endpoint.stop(),
	remember: (most) => endpoint.remember?.(most) ?? new Uint8Array(),
	recall: (remembered) => endpoint.recall?.(remembered),
	inFlight: () => endpoint.inFlight?.(),
	dispose: () => endpoint.dispose(),
	...changed,
});
