import type {Vm, VmEnd} from '#main/vm';
import type {ErrorData} from '#support/errors';
import {cliError} from './errors.ts';
import {print} from './print.ts';
import {errorLine} from './report.ts';

/** More than all steps of a machine's end may take together. */
const stopLimitMs = 60_000;

type Stopped = Pick<Vm, 'stop' | 'ended'>;

/**
 * Stops machines. When one cannot be stopped, what was taken is given back and the process dies at once: threads that are
 * inside KVM, or do not come back, keep process.exit waiting.
 */
export async function stopMachines(machines: readonly Stopped[], giveBack: () => void): Promise<void> {
	const endByForce = (why: readonly ErrorData[]) => {
		giveBack();
		for (const error of why) print(2, errorLine(error));
		process.kill(process.pid, 'SIGKILL');
	};
	const hung = cliError('CLI_STOP_HUNG', {seconds: stopLimitMs / 1000}).toData();
	const limit = setTimeout(() => endByForce([hung]), stopLimitMs);
	try {
		const saidAlready = await knownEnds(machines);
		await Promise.all(machines.map((machine) => machine.stop()));
		const hanging = (await knownEnds(machines)).flatMap((end) =>
			end?.kind === 'error' && end.hanging !== undefined ? [end] : [],
		);
		if (hanging.length > 0) endByForce(hanging.filter((end) => !saidAlready.includes(end)).map(({error}) => error));
	} finally {
		clearTimeout(limit);
	}
}

/** Ends that have come by now. */
const knownEnds = (machines: readonly Stopped[]): Promise<readonly (VmEnd | undefined)[]> =>
	Promise.all(
		machines.map(({ended}) => Promise.race([ended, new Promise<undefined>((done) => setImmediate(done, undefined))])),
	);
