/**
 * Measures what a machine with one network takes of memory beyond one without: the first with a user-mode network and others on its switch, on the software
 * processor, made and at rest, in a process that is warm. Their guests halt, so that it is what the NIC, its network and their thread have without traffic.
 */
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {vmConfig} from '#main/config';
import {createVm, type Vm} from '#main/vm';
import {sleep} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 9);
/** A thread that has been started and has nothing to do is at rest after this long. */
const restMs = 1000;
const counts = [1, 4];
/** Rounds before: until then the process itself grows. */
const unmeasured = 3;
mkdirSync('.build', {recursive: true});
const folder = mkdtempSync(join(process.cwd(), '.build', 'bench-network-'));
const image = join(folder, 'idle.bin');
/** CLI; HLT. */
writeFileSync(image, Uint8Array.of(0xfa, 0xf4));

/** How a machine of a round is given its network, by its number; undefined is none. */
const kinds = {
	'no network': () => undefined,
	'one switch': (number: number, name: string) =>
		number === 0 ? {kind: 'consomme', switch: name} : {kind: 'switch', name},
} as const;

/** This process's share of memory, in MiB (proc(5), smaps_rollup). */
const ownMiB = (): number => Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) / 1024;

async function makeOne(number: number, endpoint: object | undefined): Promise<Vm> {
	const options = {base: 0xd000_0000, endpoint, mac: `02:00:00:00:00:0${number}`};
	const config = vmConfig({
		memory: {sizeBytes: 64 * 2 ** 20},
		boot: {kind: 'flat', image, address: 0x10_0000, mode: 'long'},
		devices: endpoint === undefined ? [] : [{kind: 'virtio-net-mmio', options}],
		hypervisor: 'software',
	});
	return createVm(config, {start: true});
}

/** MiB that each of so many machines takes. */
async function measure(count: number, endpointOf: (number: number, name: string) => object | undefined, name: string) {
	const before = ownMiB();
	const machines: Vm[] = [];
	for (let number = 0; number < count; number++) machines.push(await makeOne(number, endpointOf(number, name)));
	await sleep(restMs);
	const taken = ownMiB() - before;
	await Promise.all(machines.map((machine) => machine.stop()));
	await sleep(restMs);
	return taken / count;
}

const idle = await makeOne(9, {kind: 'consomme'});
try {
	for (const count of counts) {
		const figures = Object.keys(kinds).map((name) => ({name, unit: 'MiB', samples: [] as number[]}));
		for (let round = -unmeasured; round < rounds; round++)
			for (const {name, samples} of figures) {
				const mib = await measure(count, kinds[name as keyof typeof kinds], `lan${round}`);
				if (round >= 0) samples.push(mib);
			}
		report(`Memory of each machine of ${count}, software processor`, figures, 'no network');
	}
} finally {
	await idle.stop();
	rmSync(folder, {recursive: true, force: true});
}
process.exit(0);
