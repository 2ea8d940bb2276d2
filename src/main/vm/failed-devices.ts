import type {AttachedMachine} from '#devices/machine';

/**
 * Tells once of each device that fails while its machine goes on, on whatever thread it fails.
 * @param ended - resolves when the machine has ended, after which nothing is told
 */
export async function tellFailures(
	machine: AttachedMachine,
	told: (message: string) => void,
	ended: Promise<unknown>,
): Promise<void> {
	const {events} = machine;
	const known = new Set<unknown>();
	let isOver = false;
	void ended.then(() => {
		isOver = true;
		// Whoever waits for ever keeps the whole machine in memory.
		events.stopWaiting();
	});
	while (!isOver) {
		const {failures} = events;
		for (const device of machine.devices) {
			const {message} = device.faults;
			if (message === undefined || known.has(device)) continue;
			known.add(device);
			told(message);
		}
		await events.moreFailures(failures);
	}
}
