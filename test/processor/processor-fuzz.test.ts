import test from 'ava';
import {Random} from '#test/silicon';
import {HostileMachine} from './fuzz/hostile-machine.ts';
import {type Mode, modes} from './fuzz/random-scene.ts';
import {Rewriter} from './fuzz/rewriter.ts';

const seed = Number(process.env['OPENVMM_SEED'] ?? 1);
const count = Number(process.env['OPENVMM_FUZZ_CASES'] ?? 25);
const first = Number(process.env['OPENVMM_FUZZ_FIRST'] ?? 0);
/** Cases of each mode beside another processor, whose thread has to have its turn too. */
const shared = Math.ceil(count / 4);
const maxFailures = 5;

/** Executes cases. @param isAlone - nobody else writes to memory: the processor's program behind a case must be right */
function attack(machine: HostileMachine, mode: Mode, cases: number, isAlone: boolean): readonly string[] {
	const random = new Random(seed);
	const failures: string[] = [];
	for (let number = first; number < first + cases && failures.length < maxFailures; number++) {
		const name = `seed ${seed}, ${mode}, case ${number}`;
		random.restart(seed, number + 1);
		try {
			failures.push(...machine.run(random, mode).map((what) => `${name}: ${what}`));
			if (isAlone && !machine.works()) failures.push(`${name}: a program behind it is not executed right`);
		} catch (error) {
			failures.push(`${name}: ${error instanceof Error ? error.stack : error}`);
		}
	}
	return failures;
}

for (const mode of modes)
	test.serial(
		`nothing that a guest does in ${mode} mode harms its host (seed ${seed}, ${count} cases from ${first} on)`,
		async (t) => {
			t.timeout(600_000);
			const machine = await HostileMachine.make();
			t.deepEqual(attack(machine, mode, count, true), []);
			t.true(machine.executed > BigInt(count) * 500n, `${machine.executed} instructions`);
		},
	);

test.serial(
	`nor what it does while another processor rewrites its code, page tables and descriptors (seed ${seed})`,
	async (t) => {
		t.timeout(600_000);
		const machine = await HostileMachine.make(2);
		const rewriter = new Rewriter(machine.second);
		rewriter.begun();
		const failures = modes.flatMap((mode) => attack(machine, mode, shared, false));
		const {status, rounds} = await rewriter.end();
		t.deepEqual([failures, status], [[], 0]);
		t.true(rounds > 10, `${rounds} rounds`);
		t.true(machine.works());
	},
);
