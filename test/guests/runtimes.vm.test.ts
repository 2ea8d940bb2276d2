import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {type MakeMachine, runInLinux, vmTest} from '#test/petri';
import {hasRuntimes, mountRuntimes, runtimes, runtimesDisk} from '#test/runtimes';
import {hasStockKernel} from '#test/stock-kernels';

/** Busy hosts need more than the time that other tests have; AVA's own limit is behind it. */
const limitMs = 30 * 60_000;

/** What the test's own Node.js says, on the host's processor. */
const expected = (): readonly string[] =>
	execFileSync(process.execPath, ['test/bench/guests/answers.mjs'], {encoding: 'utf8'}).trim().split('\n');

/** Runs the program on two processors: compilers of both runtimes work on threads of their own. @returns what it says */
async function answersOf(
	t: ExecutionContext,
	machine: MakeMachine<'software'>,
	runtime: keyof typeof runtimes,
): Promise<readonly string[]> {
	const options = {
		processors: {count: 2},
		memory: {sizeBytes: 2 ** 30},
		pcie: {rootComplexes: [parsePcieRootComplex('rc0')], rootPorts: [parsePcieRootPort('rc0:rp0')]},
		devices: [{kind: 'virtio-blk', port: 'rp0', options: {disk: {kind: 'file', path: runtimesDisk}, readOnly: true}}],
	};
	const guest = await runInLinux(machine, options, [...mountRuntimes, runtimes[runtime]]);
	t.timeout(limitMs);
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	t.regex(guest.output, /^openvmm-guest: status=0\r?$/m, guest.output);
	return [...guest.output.matchAll(/^(\w+=.*?)\r?$/gm)].map(([, fact = '']) => fact);
}

const skip = !hasStockKernel() || !hasRuntimes();

vmTest("Node.js, which compiles JavaScript, gives the host's answers", {on: ['software'], skip}, async (t, machine) => {
	const facts = expected();
	const bytes = Uint8Array.from({length: 2 ** 20}, (_, index) => index * 7 + (index >> 8));
	const digest = createHash('sha256').update(bytes).digest('hex');
	t.true(facts.includes(`digest=${digest}`) && facts.includes(`library=${digest}`));

	t.deepEqual(await answersOf(t, machine, 'node'), facts);
});

vmTest('Java, which compiles itself and its programs, gives the same', {on: ['software'], skip}, async (t, machine) => {
	// Its library has no JSON.
	const facts = expected().filter((fact) => !fact.startsWith('json='));

	t.deepEqual(await answersOf(t, machine, 'java'), facts);
});
