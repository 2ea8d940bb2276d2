import type {Vm} from '#main/vm';
import type {ErrorData} from '#support/errors';
import {cliError} from './errors.ts';
import {print} from './print.ts';
import {errorLine} from './report.ts';

/** More than all steps of a machine's end may take together. */
const stopLimitMs = 60_000;

/** Error codes of machines that ended while a part of them does not come back. */
const incomplete = ['VM_DEVICES_HUNG', 'VM_STOP_INCOMPLETE'];

/**
 * Stops machines. When one cannot be stopped, what was taken is given back and the process dies at once: threads that are
 * inside KVM, or do not come back, keep process.exit waiting.
 */
export async function stopMachines(
	machines: readonly Pick<Vm, 'stop' | 'ended'>[],
	giveBack: () => void,
): Promise<void> {
	const endByForce = (why: readonly ErrorData[]) => {
		giveBack();
		for (const error of why) print(2, errorLine(error));
		process.kill(process.pid, 'SIGKILL');
	};
	const hung = cliError('CLI_STOP_HUNG', {seconds: stopLimitMs / 1000}).toData();
	const limit = setTimeout(() => endByForce([hung]), stopLimitMs);
	try {
		await Promise.all(machines.map((machine) => machine.stop()));
		// Known by now, or nothing to wait for.
		const known = Promise.all(
			machines.map(({ended}) => Promise.race([ended, new Promise<undefined>((done) => setImmediate(done, undefined))])),
		);
		const left = (await known).flatMap((end) =>
			end?.kind === 'error' && incomplete.includes(end.error.code) ? [end.error] : [],
		);
		if (left.length > 0) endByForce(left);
	} finally {
		clearTimeout(limit);
	}
}
