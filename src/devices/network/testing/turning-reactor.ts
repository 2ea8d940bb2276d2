import {EpollReactor, type Reactor} from '#support/reactor';

/** How often it looks, in nanoseconds. */
const everyNs = 1e6;

/** A reactor of a script's own. Sockets and pipes of Node's are waited for in turns of its own loop, which nothing else in a script asks for. */
export function turningReactor(): {
	readonly reactor: Reactor;
	until(condition: () => boolean): Promise<void>;
	close(): Promise<void>;
} {
	const reactor = new EpollReactor();
	const running = reactor.run();
	const turnNode = () => {
		reactor.turnNode();
		reactor.after(everyNs, turnNode);
	};
	turnNode();
	return {
		reactor,
		async until(condition) {
			while (!condition()) await new Promise<void>((resolve) => void reactor.after(everyNs, resolve));
		},
		async close() {
			reactor.close();
			await running;
		},
	};
}
