import {setTimeout as delay} from 'node:timers/promises';
import {isVmmError, type VmmErrorCode} from '#support/errors';

/** A time, and what has to come in each such time for the line to be worth waiting for. */
export interface Span {
	readonly ms: number;
	readonly leastBytes: number;
}

/** A time in which all has to have come. */
export interface Whole {
	readonly ms: number;
	late(url: string, seconds: number): Error;
}

/** How long a server is waited for, and how often it is asked. */
export interface Patience {
	readonly spans: readonly Span[];
	/** Waiting times before something is asked for again: as many as further tries. */
	readonly waitsMs: readonly number[];
}

/**
 * A line that brings less than the first is dead. One that brings a little more than that would keep a file coming for years: the second is
 * slower than any modem was, and bounds the time of a file by its size.
 */
const usualSpans: readonly Span[] = [
	{ms: 30_000, leastBytes: 1024},
	{ms: 600_000, leastBytes: 2 ** 20},
];

export const usualPatience: Patience = {spans: usualSpans, waitsMs: [500, 2000, 8000]};

/**
 * Does something that fetches, again where it fails by what may pass.
 * @param passing - codes of such errors
 * @param askedMs - how long an error wants to be waited for, where it does
 * @throws VmmError what the last try throws; the signal's reason
 */
export async function retried<T>(
	{waitsMs}: Pick<Patience, 'waitsMs'>,
	passing: readonly VmmErrorCode[],
	signal: AbortSignal | undefined,
	attempt: () => Promise<T>,
	askedMs: (error: unknown) => number = () => 0,
): Promise<T> {
	for (const wait of waitsMs) {
		try {
			return await attempt();
		} catch (error) {
			if (!passing.some((code) => isVmmError(error, code))) throw error;
			await delay(Math.max(wait, askedMs(error)), undefined, {signal}).catch(() => signal?.throwIfAborted());
		}
	}
	return attempt();
}
