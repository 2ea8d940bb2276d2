/** Processors as the protocol's threads: number 1 is the boot processor. */

/** A thread id as the client is told. */
export const threadId = (vcpu: number): string => (vcpu + 1).toString(16);

/** Gives the processors that a client's thread id means: one of them, or all. Undefined for none that exists. */
export function parseThread(text: string, processors: number): number | 'all' | undefined {
	if (text === '-1') return 'all';
	if (!/^[0-9a-fA-F]{1,8}$/.test(text)) return undefined;
	const id = Number.parseInt(text, 16);
	// 0 leaves the choice to us.
	if (id === 0) return 0;
	return id <= processors ? id - 1 : undefined;
}
