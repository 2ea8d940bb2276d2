import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {createVm, type Vm} from '#main/vm';
import {toJson} from '#support/inspect';
import {hasStockKernel, stockFiles} from '#test/stock-kernels';
import type {CodeDifference, VcpuCounters} from '#vcpu-worker/hypervisor';
import type {ProofPart, ShareResult, Tell} from './part.ts';

/** With its self-tests of cryptography, which are half of the code. */
const commandLine = ['console=ttyS0', 'quiet', 'panic=-1', 'openvmm.test=report'];
const memoryBytes = 512 * 2 ** 20;
const tellMs = 5000;

interface Boot {
	readonly counters: VcpuCounters;
	readonly found: readonly CodeDifference[];
	readonly output: string;
}

const countersOf = async (vm: Vm): Promise<VcpuCounters> =>
	toJson(await vm.inspect('vm/vcpus/0/counters', {depth: 2})) as VcpuCounters;

/** Boots on one processor in lockstep, until the guest has powered off. */
async function boot(tell: Tell): Promise<Boot> {
	const directory = mkdtempSync(join(tmpdir(), 'openvmm-lockstep-'));
	const path = join(directory, 'com1');
	const found: CodeDifference[] = [];
	const config = vmConfig({
		hypervisor: 'software',
		processors: {count: 1},
		memory: {sizeBytes: memoryBytes},
		devices: serialPorts({com1: {kind: 'file', path}}),
		boot: {kind: 'linux', ...stockFiles('cloud'), commandLine},
	});
	const vm = await createVm(config, {lockstep: (difference) => found.push(difference)});
	const telling = setInterval(async () => tell(inWords(await countersOf(vm))), tellMs);
	try {
		await vm.start();
		await vm.ended;
		return {counters: await countersOf(vm), found, output: readFileSync(path, 'latin1')};
	} finally {
		clearInterval(telling);
		await vm.stop();
		rmSync(directory, {recursive: true, force: true});
	}
}

const inWords = ({instructions, lockstep}: VcpuCounters): string =>
	`${instructions} instructions, lockstep: ${JSON.stringify(lockstep)}`;

/** A stock kernel to its shell and off again, whose code is executed by translations and by the interpreter, now and then. */
export const lockstep: ProofPart = {
	name: 'lockstep',
	title: "a boot of Debian's kernel does the same by the interpreter and by translations",
	oracle: 'interpreter',
	unit: 'boots',
	daily: 0,
	whole: 1,
	share: 1,
	threads: 2,
	obstacle: () =>
		hasStockKernel() ? undefined : 'there is no kernel in .packages/linux: npm run flowey -- restore-packages',
	async run({count}, tell): Promise<ShareResult> {
		const {counters, found, output} = await boot(tell);
		const {translations, rounds, instructions, uncompared, repeated, differences} = counters['lockstep'] as Record<
			string,
			number
		>;
		// A boot that compares nothing shows nothing.
		const isUp = output.includes('openvmm-guest: ready') && Number(rounds) > 0;
		return {
			cases: count,
			differing: Number(differences) + (isUp ? 0 : 1),
			differences: [
				...found.slice(0, 10).map(differenceInWords),
				...(isUp ? [] : [`the guest was not up, or nothing was compared (${rounds}): ${output.slice(-500)}`]),
			],
			counts: {
				instructions: counters.instructions,
				translations: Number(translations),
				'runs compared': Number(rounds),
				'of their instructions': Number(instructions),
				uncompared: Number(uncompared),
				repeated: Number(repeated),
			},
		};
	},
};

const differenceInWords = ({address, executed, text}: CodeDifference): string =>
	`at ${address.toString(16)}, ${executed} instructions: ${text}`;
