/**
 * Measures how long a kernel takes for 8 MiB of the user-mode network's TCP, and of another kernel's, by a wire that loses some packets each way, and
 * swaps 3 in 100. Both have the same losses by seed. Between a guest and the network packets are lost where the guest has no room.
 */
import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {inNameSpace} from '#devices/network/testing';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const script = join(process.cwd(), 'src/devices/network/user/testing/lossy-download.ts');
const senders = ['kernel', 'network'] as const;
const seconds = (sender: string, thousandths: number, seed: number): number => {
	const words = ['--import=tsx', script, sender, `${thousandths}`, `${seed}`];
	const line = inNameSpace('ip link set lo up && exec "$@"', process.execPath, ...words);
	return Number(execFileSync('unshare', line, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']}));
};

for (const thousandths of [0, 10, 30, 100]) {
	const seeds = Array.from({length: rounds}, (_, round) => round + 1);
	const figures = senders.map((name) => ({
		name,
		unit: 's',
		samples: seeds.map((seed) => seconds(name, thousandths, seed)),
	}));
	report(`8 MiB to a kernel's TCP, ${thousandths / 10} % lost`, figures, 'kernel');
}
